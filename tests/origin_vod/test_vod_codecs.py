"""Codecs and odd films: decoded frames equal the source's, faults have words (TR-10..TR-32)."""

import asyncio
import subprocess
from collections.abc import Awaitable
from pathlib import Path

import imageio_ffmpeg
import pytest

from native.http import Answer, Request, serve
from origin.vod import Library, VodError, register

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
PICTURE = ["-f", "lavfi", "-i", "testsrc2=s=128x72:r=24:d=8"]
SOUND = ["-f", "lavfi", "-i", "sine=440:r=48000:d=8"]
SURROUND = ["-f", "lavfi", "-i", "aevalsrc=0.1*sin(440*t)|0.1*sin(660*t):c=stereo:s=48000:d=8"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-pix_fmt", "yuv420p"]
GOP = ["-g", "48", "-keyint_min", "48", "-sc_threshold", "0"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-tag:v", "hvc1"]
KEY = "keyint=48:min-keyint=48:scenecut=0:pools=none:frame-threads=1:log-level=error"
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "48"]
AV1 = ["-c:v", "libsvtav1", "-preset", "12", "-g", "48", "-svtav1-params", "lp=1"]
DROPPED = ["-vf", "select='gt(mod(n\\,7)\\,2)+not(mod(n\\,5))'", "-fps_mode", "vfr"]
FILMS = {
    "hevc_eac3": [*PICTURE, *SURROUND, *X265, "-x265-params", f"{KEY}:open-gop=0", "-c:a", "eac3"],
    "av1_opus": [*PICTURE, *SOUND, *AV1, "-c:a", "libopus"],
    "vp9_flac": [*PICTURE, *SOUND, *VP9, "-c:a", "flac", "-strict", "-2"],
    "avc_ac3": [*PICTURE, *SURROUND, *X264, *GOP, "-bf", "3", "-c:a", "ac3"],
    "vfr": [*PICTURE, *DROPPED, *X264, "-g", "48", "-bf", "2"],
    "unlisted": [*PICTURE, *X264, *GOP, "-bf", "3", "-use_editlist", "0"],
    "negative": [*PICTURE, *X264, *GOP, "-bf", "3", "-movflags", "+negative_cts_offsets"],
}
CODECS = {"hevc_eac3": ["hvc1", "ec-3"], "av1_opus": ["av01", "Opus"], "vp9_flac": ["vp09", "fLaC"]}


def make(path: Path, arguments: list[str]) -> Path:
    command = [FFMPEG, "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, timeout=100, stderr=subprocess.DEVNULL)
    return path


async def frames(url: str, stream: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(FFMPEG, "-v", "error", "-i", url, "-map", stream, "-f", "framemd5", "-"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    return [line.split(",")[-1].strip() for line in out.decode().splitlines() if line[0] != "#"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
async def test_every_frame_of_every_codec(tmp_path: Path, name: str) -> None:
    film = make(tmp_path / "film.mp4", FILMS[name])
    report = register(tmp_path, [film], "film")
    codecs = [r.codecs.partition(".")[0] for r in report.renditions]
    assert codecs == CODECS.get(name, codecs)
    library = Library(tmp_path)

    def handler(request: Request) -> Answer | Awaitable[Answer]:
        _, _, title, leaf = request.path.split("/", 3)
        return library.answer(title, leaf, request.query, request)

    server = await serve(handler, host="127.0.0.1", port=0)
    try:
        for rendition in report.renditions:
            stream = "0:v:0" if rendition.kind == "video" else "0:a:0"
            source = await frames(str(film), stream)
            url = f"http://127.0.0.1:{server.port}/vod/film/"
            for manifest in ("master.m3u8", "ondemand.mpd"):
                found = await frames(url + manifest, stream)
                # packets that the source cuts in their middle are whole again (timeline.py)
                first = 1 if rendition.codecs in ("ac-3", "ec-3") else 0
                assert len(found) == len(source), manifest
                assert found[first:-1] == source[first:-1], manifest
    finally:
        await server.close()
        library.close()


@pytest.mark.slow
def test_open_gops_of_hevc_are_told(tmp_path: Path) -> None:
    arguments = [*PICTURE, *X265, "-x265-params", f"{KEY}:open-gop=1:bframes=4"]
    report = register(tmp_path, [make(tmp_path / "film.mp4", arguments)], "film")
    assert any("open GOPs" in note and "open-gop=0" in note for note in report.notes)


def test_i_frames_that_are_no_idr_are_no_cuts(tmp_path: Path) -> None:
    gop = "open-gop=1:bframes=3:keyint=48:min-keyint=48:scenecut=0"
    arguments = [*PICTURE, *X264, "-x264-params", gop]
    arguments[arguments.index("ultrafast")] = "veryfast"
    film = make(tmp_path / "open.mp4", arguments)
    report = register(tmp_path, [film], "film")
    assert report.segments == 1
    assert any("no IDR pictures" in note for note in report.notes)


def test_a_change_of_resolution_is_refused(tmp_path: Path) -> None:
    """TR-10: two encodings behind one another in one avc3 track."""
    raw = b""
    for size in ("128x72", "192x108"):
        source = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=24:d=2"]
        raw += make(
            tmp_path / f"{size}.264", [*source, *X264, "-g", "24", "-f", "h264"]
        ).read_bytes()
    (tmp_path / "both.264").write_bytes(raw)
    both = ["-r", "24", "-f", "h264", "-i", str(tmp_path / "both.264"), "-c", "copy"]
    film = make(tmp_path / "change.mp4", [*both, "-tag:v", "avc3"])
    with pytest.raises(VodError, match=r"change\.mp4: the parameter sets .* change at") as caught:
        register(tmp_path, [film], "film")
    assert caught.value.code == "resolution_change"


def test_an_edit_inside_a_gop_is_told(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", [*PICTURE, *X264, *GOP, "-bf", "3"])
    cut = make(tmp_path / "cut.mp4", ["-ss", "1.3", "-i", str(film), "-c", "copy"])
    report = register(tmp_path, [cut], "film")
    assert any("first key frame behind its edit" in note for note in report.notes)
