"""`headwater probe` finds nothing in any manifest of a film with everything on it."""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import imageio_ffmpeg
import pytest

from headwater.probe import check, look
from native.http import Answer, Request, serve
from origin.vod import Library, register

LEAVES = ["master.m3u8", "manifest.mpd", "bytes.m3u8", "ondemand.mpd", "ts.m3u8"]


@pytest.fixture
async def url(film: Path, tmp_path: Path) -> AsyncIterator[str]:
    said, told = tmp_path / "film.eng.forced.vtt", tmp_path / "film.chapters.vtt"
    said.write_text("WEBVTT\n\n00:03.000 --> 00:06.000\nHello\n")
    told.write_text("WEBVTT\n\n00:00.000 --> 00:08.000\nOne\n\n00:08.000 --> 00:16.000\nTwo\n")
    register(tmp_path, [film, said, told], "film", ffmpeg=imageio_ffmpeg.get_ffmpeg_exe())
    library = Library(tmp_path)

    def handler(request: Request) -> Answer | Awaitable[Answer]:
        _, _, title, leaf = request.path.split("/", 3)
        return library.answer(title, leaf, request.query, request)

    server = await serve(handler, host="127.0.0.1", port=0)
    yield f"http://127.0.0.1:{server.port}/vod/film/"
    await server.close()
    library.close()


@pytest.mark.parametrize("query", ["", "?start=5&end=9"])
@pytest.mark.parametrize("leaf", LEAVES)
async def test_nothing_is_found(url: str, leaf: str, query: str) -> None:
    seen = await look(f"{url}{leaf}{query}")
    assert not [(f.rule, f.url, f.wrong) for f in check(seen)]
