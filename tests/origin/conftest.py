"""A running origin, media made by ffmpeg, and a pusher that is faster than real time."""

import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from origin_rigs.archive_rig import STORES, empty
from origin_rigs.running import Origin, until

from native.bmff import Splitter, parse_chunk, parse_init
from native.bmff.model import Track
from runtime.objects import ObjectStore

GRID_S = Fraction(48, 25)  # 48 frames and exactly 90 AAC packets
LONG_S = 10 * GRID_S


@dataclass(frozen=True)
class Media:
    """One CMAF track made once: its header and the chunks of a few segments, to be looped."""

    header: bytes
    chunks: tuple[bytes, ...]
    track: Track
    per_segment: int
    segment_s: Fraction

    def segment(self, number: int) -> bytes:
        """The segment of this number, its decode times moved there."""
        return b"".join(self.pieces(number))

    def pieces(self, number: int) -> list[bytes]:
        start = int(number * self.segment_s * self.track.timescale)
        first = number * self.per_segment
        moved = []
        for index in range(first, first + self.per_segment):
            chunk = self.chunks[index % len(self.chunks)]
            moved.append(at_time(chunk, start))
            start += parse_chunk(chunk, self.track).duration
        return moved


def at_time(chunk: bytes, decode_time: int) -> bytes:
    """The chunk with another tfdt (version 1)."""
    at = chunk.index(b"tfdt") + 8
    assert chunk[at - 4] == 1
    return chunk[:at] + decode_time.to_bytes(8, "big") + chunk[at + 8 :]


def make(
    folder: Path, name: str, source: list[str], frag_s: Fraction, segment_s: Fraction = GRID_S
) -> Media:
    path = folder / f"{name}.mp4"
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source]
    argv += ["-t", str(float(4 * segment_s))]
    argv += ["-movflags", "cmaf+empty_moov+default_base_moof+skip_trailer+frag_discont"]
    argv += ["-frag_duration", str(int(frag_s * 10**6)), str(path)]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    units = Splitter().feed(path.read_bytes())
    track = parse_init(units[0].data).tracks[0]
    chunks = [u.data for u in units[1:] if u.kind == "chunk"]
    per_segment = round(segment_s / frag_s)
    return Media(units[0].data, tuple(chunks[: 4 * per_segment]), track, per_segment, segment_s)


def video(size: str = "128x72", segment_s: Fraction = GRID_S) -> list[str]:
    """Pictures whose segments begin with the only key frames."""
    gop = str(25 * segment_s)
    return [
        *("-f", "lavfi", "-i", f"testsrc2=s={size}:r=25", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-tune", "zerolatency"),
        *("-g", gop, "-keyint_min", gop, "-sc_threshold", "0"),
    ]


AUDIO = [
    *("-f", "lavfi", "-i", "sine=r=48000", "-af", "asetpts=PTS+1024"),
    *("-c:a", "aac", "-b:a", "64k"),
]


@pytest.fixture(scope="session")
def video_media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make(tmp_path_factory.mktemp("video"), "v", video(), GRID_S)


@pytest.fixture(scope="session")
def chunked_media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make(tmp_path_factory.mktemp("chunked"), "c", video(), GRID_S / 4)


@pytest.fixture(scope="session")
def audio_media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make(tmp_path_factory.mktemp("audio"), "a", AUDIO, GRID_S)


@pytest.fixture(scope="session")
def other_media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make(tmp_path_factory.mktemp("other"), "o", video("64x64"), GRID_S)


# A source that is silent for four segments gets gaps for ever (HLS-6). Long ones leave time to
# start and to lose processes between two of them.


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make(tmp_path_factory.mktemp("long-video"), "v", video(), LONG_S, LONG_S)


@pytest.fixture(scope="session")
def long_chunked(tmp_path_factory: pytest.TempPathFactory) -> Media:
    source = video(segment_s=LONG_S)
    return make(tmp_path_factory.mktemp("long-chunked"), "c", source, LONG_S / 5, LONG_S)


@pytest.fixture(scope="session")
def long_audio(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make(tmp_path_factory.mktemp("long-audio"), "a", AUDIO, LONG_S, LONG_S)


@pytest.fixture
def long_number() -> int:
    """The number of a long segment some minutes ago."""
    return int(Fraction(int(time.time()) - 600) / LONG_S)


@pytest.fixture
def now_number() -> int:
    """A segment number some minutes ago, so that tests can push ahead of real time."""
    return int(Fraction(int(time.time()) - 300) / GRID_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Origin]]:
    """Start origins; all are stopped at the end."""
    started: list[Origin] = []

    def run(data: Path = tmp_path, **settings: Any) -> Origin:
        started.append(Origin(data, **settings).start())
        return started[-1]

    yield run
    for origin in started:
        assert origin.process is not None
        if origin.process.poll() is None:
            origin.process.kill()
            origin.process.wait()


@pytest.fixture
def wait() -> Callable[..., Any]:
    return until


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    """An empty store of each kind."""
    async with empty(request, tmp_path) as made:
        yield made
