"""A running origin, media made by ffmpeg, and a pusher that is faster than real time."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from native.bmff import Splitter, parse_chunk, parse_init
from native.bmff.model import Track

ROOT = Path(__file__).resolve().parents[2]
GRID_S = Fraction(48, 25)  # 48 frames and exactly 90 AAC packets
RUN = """
import json, sys
from pathlib import Path
from origin.server import parts
from origin.settings import Settings
from runtime import service
settings = Settings(**json.loads(sys.argv[2]))
admin = (settings.host, settings.admin_port)
sys.exit(service.run("origin", parts(settings, Path(sys.argv[1])), admin=admin))
"""


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Origin:
    """One origin process on free ports; `kill` is kill -9."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        self.delivery_port, self.ingest_port = free_port(), free_port()
        self.admin_port = free_port()
        self.settings = settings | {
            "delivery_port": self.delivery_port,
            "ingest_port": self.ingest_port,
            "admin_port": self.admin_port,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Origin":
        argv = [sys.executable, "-c", RUN, str(self.data), json.dumps(self.settings)]
        self.process = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.DEVNULL, env={"PYTHONPATH": f"{ROOT}:{ROOT}/token"}
        )
        for port in (self.delivery_port, self.ingest_port):
            until(lambda port=port: listening(port) or self.process.poll(), "the origin to listen")
        assert self.process.poll() is None, "the origin ended at start"
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=12)

    def get(self, path: str, method: str = "GET", **headers: str) -> Answered:
        return exchange(self.delivery_port, method, path, None, headers)

    def metric(self, name: str) -> float:
        """The value of one line of /metrics."""
        text = exchange(self.admin_port, "GET", "/metrics", None, {}).text
        return next(float(x.split()[-1]) for x in text.splitlines() if x.startswith(name))

    def push(self, path: str, body: bytes = b"", method: str = "PUT", **headers: str) -> Answered:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return exchange(self.ingest_port, method, path, body, named)


def exchange(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answered(
            response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        )
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Poll a condition; the deadline is only there to fail instead of hanging."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


@dataclass(frozen=True)
class Media:
    """One CMAF track made once: its header and the chunks of a few segments, to be looped."""

    header: bytes
    chunks: tuple[bytes, ...]
    track: Track
    per_segment: int

    def segment(self, number: int) -> bytes:
        """The segment of this number, its decode times moved there."""
        return b"".join(self.pieces(number))

    def pieces(self, number: int) -> list[bytes]:
        start = int(number * GRID_S * self.track.timescale)
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


def make(folder: Path, name: str, source: list[str], frag_s: Fraction) -> Media:
    path = folder / f"{name}.mp4"
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, "-t", str(float(4 * GRID_S))]
    argv += ["-movflags", "cmaf+empty_moov+default_base_moof+skip_trailer+frag_discont"]
    argv += ["-frag_duration", str(int(frag_s * 10**6)), str(path)]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    units = Splitter().feed(path.read_bytes())
    track = parse_init(units[0].data).tracks[0]
    chunks = [u.data for u in units[1:] if u.kind == "chunk"]
    per_segment = round(GRID_S / frag_s)
    return Media(units[0].data, tuple(chunks[: 4 * per_segment]), track, per_segment)


def video(size: str = "128x72") -> list[str]:
    return [
        *("-f", "lavfi", "-i", f"testsrc2=s={size}:r=25", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-tune", "zerolatency"),
        *("-g", "48", "-keyint_min", "48", "-sc_threshold", "0"),
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
