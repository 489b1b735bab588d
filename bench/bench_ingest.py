"""Ingest on one core: tracks in real time beside playlist requests, and what idle channels cost.

    python -m bench.bench_ingest --json

The peer of each row is its target. Server on core 0, one epoll loop as all encoders and players on
core 1.
- `tracks`: how many tracks of 6 Mb/s were taken in real time, while
- `playlists`: so many playlists a second were answered;
- `part_*`: from the last byte of a chunk leaving the source to the blocking playlist that names its
  part having arrived;
- `core`, `load_core`: shares of the server's core, and of the load's: a load above 90 % measures
  itself;
- `memory`: how much the server grew beyond what it had before the first chunk, by its hot window;
- `idle_cpu`, `idle_rss`: 1,000 channels that had media once and are silent now.
There is no peer that takes pushed CMAF and serves LL-HLS.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.crowd import Crowd
from bench.harness import LOAD_CORE, free_port, line, start, stop, table
from bench.ingester import GRID_S, Push, Synth

ORIGIN = """
import json, sys
from pathlib import Path
from origin.server import parts
from origin.settings import Settings
from runtime import service
settings = Settings(**json.loads(sys.argv[2]))
admin = (settings.host, settings.admin_port)
sys.exit(service.run("origin", parts(settings, Path(sys.argv[1])), admin=admin))
"""
TRACKS_EACH = 6  # of one channel
CHUNKS = 4
BPS = 6_000_000
PLAYLIST_RPS = 2000
VIEWER_LINES = 20  # connections that ask for them
RETRY_S = 0.05
BIRTH_S = 3 * float(GRID_S)  # until a new channel has playlists
HOT_BYTES = 256 << 20  # settings.hot_bytes
IDLE_CHANNELS = 1000
TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """What encoders and players of one run tell each other."""

    crowd: Crowd
    first: int
    count: int
    began_s: float = 0.0
    sent_s: dict[tuple[str, int, int], float] = field(default_factory=dict)
    delays_s: list[float] = field(default_factory=list)
    late_s: float = 0.0
    answered: int = 0


class Encoder:
    """One endless request in real time; a chunk leaves at once when it is complete."""

    def __init__(self, load: Load, port: int, track: str, synth: Synth, phase_s: float) -> None:
        self.ended = False
        self._load, self._track, self._phase_s = load, track, phase_s
        self._chunks = self._made(synth)
        channel, _, name = track.partition("/")
        self._line = load.crowd.connect(port)
        self._line.send(
            f"POST /ingest/{channel}/Streams({name}.cmfv) HTTP/1.1\r\nHost: o\r\n".encode(),
            b"Transfer-Encoding: chunked\r\n\r\n",
            *framed(synth.header),
        )

    def begin(self) -> None:
        self._next()

    def _made(self, synth: Synth) -> Iterator[tuple[int, int, bytes]]:
        for number in range(self._load.first, self._load.first + self._load.count):
            for part, chunk in enumerate(synth.pieces(number)):
                yield number, part, chunk

    def _next(self) -> None:
        found = next(self._chunks, None)
        if found is None:
            self._line.send(b"0\r\n\r\n")
            self.ended = True
            return
        number, part, chunk = found
        at = (number - self._load.first) * CHUNKS + part + 1
        due_s = self._load.began_s + float(at * GRID_S / CHUNKS) + self._phase_s

        def sent() -> None:
            now_s = time.monotonic()
            self._load.sent_s[self._track, number, part] = now_s
            self._load.late_s = max(self._load.late_s, now_s - due_s)
            self._next()

        self._load.crowd.at(due_s, lambda: self._line.send(*framed(chunk), sent=sent))


class Watcher:
    """A player at the edge: asks for each part before it is there."""

    def __init__(self, load: Load, port: int, track: str) -> None:
        self._load, self._track = load, track
        self._number, self._part, self._asked_s = load.first + 3, 0, 0.0
        self._line = load.crowd.connect(port)
        self._line.on_answer = self._heard

    def begin(self) -> None:
        query = f"?_HLS_msn={self._number}&_HLS_part={self._part}"
        self._asked_s = time.monotonic()
        self._line.send(get(f"/live/{self._track}/media.m3u8{query}"))

    def _heard(self, status: int, _: bytes) -> None:
        now_s = time.monotonic()
        if status == 200:
            key = (self._track, self._number, self._part)
            sent_s = self._load.sent_s.get(key, 0.0)
            if sent_s > self._asked_s:
                self._load.delays_s.append(now_s - sent_s)
            last = self._part + 1 == CHUNKS
            self._number, self._part = self._number + last, 0 if last else self._part + 1
        if self._number < self._load.first + self._load.count:
            self._load.crowd.at(now_s + (status != 200) * RETRY_S, self.begin)


class Viewers:
    """Playlists of all channels in turn, `rate` a second, on one connection."""

    def __init__(self, load: Load, port: int, leaves: Sequence[str], rate: float) -> None:
        self._load, self._rate, self._asked = load, rate, 0
        self._requests = [get(leaf) for leaf in leaves]
        self._line = load.crowd.connect(port)
        self._line.on_answer = self._heard

    def begin(self) -> None:
        self._line.send(self._requests[self._asked % len(self._requests)])
        self._asked += 1

    def _heard(self, status: int, _: bytes) -> None:
        self._load.answered += status == 200
        due_s = self._load.began_s + BIRTH_S + self._asked / self._rate
        self._load.crowd.at(due_s, self.begin)


def framed(data: bytes) -> tuple[bytes, bytes, bytes]:
    """One HTTP chunk."""
    return b"%x\r\n" % len(data), data, b"\r\n"


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: o\r\n\r\n".encode()


def drive(ingest: int, delivery: int, tracks: int, seconds: float) -> Load:
    """All encoders and players of one run, on this core."""
    first = int(time.time() / float(GRID_S)) - 10
    load = Load(Crowd(), first, int(seconds / float(GRID_S)))
    synths = [Synth("video", BPS, chunks=CHUNKS, seed=i) for i in range(3)]
    channels = [f"c{i}" for i in range(-(-tracks // TRACKS_EACH))]
    encoders = []
    for index in range(tracks):
        channel, track = divmod(index, TRACKS_EACH)
        phase_s = channel / len(channels) * float(GRID_S) / CHUNKS  # encoders are not in step
        synth = synths[index % len(synths)]
        encoders.append(Encoder(load, ingest, f"c{channel}/v{track}", synth, phase_s))
    players = [Watcher(load, delivery, f"{c}/v0") for c in channels]
    leaves = [f"/live/{c}/v0/media.m3u8" for c in channels]
    viewers = [
        Viewers(load, delivery, leaves, PLAYLIST_RPS / VIEWER_LINES) for _ in range(VIEWER_LINES)
    ]
    load.began_s = time.monotonic()
    for encoder in encoders:
        encoder.begin()
    for call in [p.begin for p in players] + [v.begin for v in viewers]:
        load.crowd.at(load.began_s + BIRTH_S, call)
    load.crowd.run(lambda: all(e.ended for e in encoders), 2 * seconds)
    load.crowd.close()
    return load


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def origin(folder: Path, **settings: object) -> tuple[subprocess.Popen[bytes], int, int]:
    """An origin on the server's core: process, ingest port, delivery port."""
    ingest, delivery = free_port(), free_port()
    ports = {"ingest_port": ingest, "delivery_port": delivery, "admin_port": free_port()}
    told = ports | {"channel_limit": 2000} | settings
    argv = [sys.executable, "-c", ORIGIN, str(folder), json.dumps(told)]
    return start(argv, ingest), ingest, delivery


def busy(folder: Path, tracks: int, seconds: float) -> list[str]:
    channels = {f"c{i}": {"segment_s": str(GRID_S)} for i in range(tracks)}
    server, ingest, delivery = origin(folder, channels=channels, retention_s=120)
    try:
        os.sched_setaffinity(0, {LOAD_CORE})
        before_s, own_s, began_s = cpu_s(server.pid), time.process_time(), time.monotonic()
        empty = rss_bytes(server.pid)
        load = drive(ingest, delivery, tracks, seconds)
        took_s = time.monotonic() - began_s
        share = (cpu_s(server.pid) - before_s) / took_s
        own = (time.process_time() - own_s) / took_s
        grown = rss_bytes(server.pid) - empty
    finally:
        stop(server)
    delays = sorted(load.delays_s) or [0.0]
    window = min(HOT_BYTES, tracks * load.count * BPS * float(GRID_S) / 8)
    rows: list[tuple[str, float, str, float | None]] = [
        ("tracks", tracks if load.late_s < float(GRID_S) else 0, "tracks", 60),
        ("playlists", load.answered / (took_s - BIRTH_S), "rps", PLAYLIST_RPS),
        ("part_p50", delays[len(delays) // 2] * 1000, "ms", None),
        ("part_p99", delays[int(len(delays) * 0.99)] * 1000, "ms", 50),
        ("part_max", delays[-1] * 1000, "ms", 50),
        ("source_late", load.late_s * 1000, "ms", None),
        ("core", share * 100, "%", 100),
        ("load_core", own * 100, "%", None),
        ("memory", grown / window, "x", 1.15),
    ]
    return [row(*each) for each in rows]


def row(case: str, value: float, unit: str, target: float | None) -> str:
    return line("ingest", case, value, unit, None if target is None else "target", target)


def idle(folder: Path, seconds: float) -> list[str]:
    """Channels of two tracks with four segments each."""
    channels = {f"c{i}": {"segment_s": str(GRID_S)} for i in range(IDLE_CHANNELS)}
    server, ingest, _ = origin(folder, channels=channels, window_s=8, retention_s=60)
    try:
        asyncio.run(_fill(ingest))
        _settle(server.pid)
        before_s = cpu_s(server.pid)
        time.sleep(seconds)
        share = (cpu_s(server.pid) - before_s) / seconds
        memory = rss_bytes(server.pid)
    finally:
        stop(server)
    return [
        row("idle_cpu", share * 100, "%", 1),
        row("idle_rss", memory / 1e6, "MB", 300),
    ]


def _settle(pid: int) -> None:
    """Wait until the last gaps of the windows are published (HLS-6)."""
    calm = 0
    for _ in range(60):
        before_s = cpu_s(pid)
        time.sleep(1)
        calm = calm + 1 if cpu_s(pid) - before_s < 0.015 else 0
        if calm == 4:
            return


async def _fill(port: int) -> None:
    first = int(time.time() / float(GRID_S)) - 70  # their playlists end in gaps already
    tracks = {"v": Synth("video", 20_000), "a": Synth("audio", 20_000)}

    async def one(channels: range) -> None:
        for channel in channels:
            for name, synth in tracks.items():
                path = f"/ingest/c{channel}/Streams({name}.{synth.suffix})"
                push = Push("127.0.0.1", port, path)
                await push.put(synth.header)
                for number in range(first, first + 4):
                    await push.put(synth.segment(number))
                push.close()

    await asyncio.gather(*(one(range(n, IDLE_CHANNELS, 4)) for n in range(4)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Ingest on one core.")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--tracks", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", choices=("busy", "idle"))
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "idle":
            lines += busy(Path(folder) / "busy", options.tracks, options.seconds)
        if options.only != "busy":
            lines += idle(Path(folder) / "idle", 10.0)
    print("\n".join(lines) if options.json else table(lines))


if __name__ == "__main__":
    main()
