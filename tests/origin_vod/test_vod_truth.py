"""Truth of bytes: what players decode from our HLS and DASH is the source, frame for frame."""

import asyncio
import shutil
import subprocess
from collections.abc import Awaitable
from pathlib import Path

import imageio_ffmpeg
import pytest

from native.http import Answer, Refusal, Request, serve
from origin.vod import Library, register

FFMPEGS = [imageio_ffmpeg.get_ffmpeg_exe(), *filter(None, [shutil.which("ffmpeg")])]


async def frames(ffmpeg: str, url: str, stream: str) -> list[str]:
    """Hashes of the decoded frames of one stream."""
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-v", "error", "-i", url, "-map", stream, "-f", "framemd5", "-"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    return [line.split(",")[-1].strip() for line in out.decode().splitlines() if line[0] != "#"]


@pytest.mark.slow
@pytest.mark.parametrize("ffmpeg", FFMPEGS, ids=["wheel", "system"][: len(FFMPEGS)])
async def test_every_frame_of_every_track(film: Path, tmp_path: Path, ffmpeg: str) -> None:
    register(tmp_path, [film], "film")
    library = Library(tmp_path)

    def handler(request: Request) -> Answer | Awaitable[Answer]:
        match request.path.split("/", 3)[1:]:
            case ["vod", title, leaf]:
                return library.answer(title, leaf, request.query)
        return Refusal(404, "not_found")

    server = await serve(handler, host="127.0.0.1", port=0)
    try:
        for stream, count in (("0:v:0", 384), ("0:a:0", 750), ("0:a:1", 750)):
            source = await frames(ffmpeg, str(film), stream)
            assert len(source) == count
            for manifest in ("master.m3u8", "manifest.mpd"):
                url = f"http://127.0.0.1:{server.port}/vod/film/{manifest}"
                assert await frames(ffmpeg, url, stream) == source, (stream, manifest)
    finally:
        await server.close()
        library.close()
