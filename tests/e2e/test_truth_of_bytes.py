"""The film through HLS and DASH, decoded by ffmpeg, equals its source frame for frame."""

import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

pytestmark = [pytest.mark.serial, pytest.mark.timeout(600)]

# What to decode -> ffmpeg's name of it in the source file.
STREAMS = {"video": "0:v:0", "English": "0:a:0", "French": "0:a:1"}
SOURCE = "film-540.mp4"
FRAMES = {"video": 120 * 24, "English": 120 * 48_000 // 1024, "French": 120 * 48_000 // 1024}


def frames(source: str, *chosen: str) -> list[str]:
    """The hash of each decoded frame, in order."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", source]
    for each in chosen:
        command += ["-map", each]
    command += ["-f", "framemd5", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.rsplit(",", 1)[1].strip() for line in text.splitlines() if line[:1] != "#"]


@pytest.fixture(scope="module")
def truth(demo: Any) -> dict[str, list[str]]:
    source = str(Path(demo.data) / "demo" / SOURCE)
    decoded = {name: frames(source, which) for name, which in STREAMS.items()}
    assert {name: len(each) for name, each in decoded.items()} == FRAMES
    assert len({tuple(each) for each in decoded.values()}) == len(STREAMS)
    return decoded


def program(protocol: str, name: str) -> tuple[str, str]:
    """Manifest leaf and stream of the top rendition: HLS by its own playlist, DASH by the MPD."""
    if protocol == "hls":
        leaf = {"video": "v540", "English": "a-eng", "French": "a-fra"}[name]
        return f"{leaf}/media.m3u8", "0"
    return "manifest.mpd", {
        "video": "0:v:0", "English": "0:a:m:language:en", "French": "0:a:m:language:fr",
    }[name]  # fmt: skip


@pytest.mark.parametrize("protocol", ["hls", "dash"])
@pytest.mark.parametrize("name", STREAMS)
def test_film_equals_its_source(
    demo: Any, truth: dict[str, list[str]], protocol: str, name: str
) -> None:
    leaf, stream = program(protocol, name)
    assert frames(f"{demo.delivery}/vod/film/{leaf}", stream) == truth[name]


def test_film_through_the_master_playlist_is_whole(demo: Any, truth: dict[str, list[str]]) -> None:
    """A client that reads the master and takes one rendition of each kind gets the same frames."""
    url = f"{demo.delivery}/vod/film/master.m3u8"
    assert frames(url, "0:v:0") == truth["video"]
