"""Ingest on one core: tracks in real time beside playlist requests, and what idle channels cost.

Cases
- `tracks`: how many tracks of 6 Mb/s were taken in real time while 2,000 playlists a second were
  asked for; `part_p99` and `part_max`: from the last byte of a chunk leaving the source to the
  blocking playlist that names its part having arrived, in ms; `core`: share of the server's core.
- `idle_cpu`, `idle_rss`: 1,000 channels that had media once and are silent now.
There is no peer that takes pushed CMAF and serves LL-HLS.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from bench.harness import LOAD_CORE, SERVER_CORE, free_port, line, start, stop, table
from bench.ingester import GRID_S, Pace, Push, Synth

ORIGIN = """
import json, sys
from pathlib import Path
from origin.server import parts
from origin.settings import Settings
from runtime import service
settings = Settings(**json.loads(sys.argv[2]))
sys.exit(service.run("origin", parts(settings, Path(sys.argv[1]))))
"""
TRACKS_EACH = 6  # of one channel
CHUNKS = 4
BPS = 6_000_000
PLAYLIST_RPS = 2000
IDLE_CHANNELS = 1000
SEGMENT = re.compile(rb"^(\d+)\.m4s", re.M)
TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """What the sources and the watchers of one run tell each other."""

    first: int
    count: int
    sent_s: dict[tuple[str, int, int], float] = field(default_factory=dict)
    delays_s: list[float] = field(default_factory=list)
    late_s: float = 0.0
    answered: int = 0


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str
) -> tuple[int, bytes]:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: o\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r", 1)[0] or 0)
    return int(head[9:12]), await reader.readexactly(length)


async def push_track(
    port: int, channel: str, track: str, synth: Synth, phase_s: float, load: Load
) -> None:
    """One endless request in real time; a chunk leaves at once when it is complete."""
    push = Push("127.0.0.1", port, f"/ingest/{channel}/Streams({track}.cmfv)")
    await push.begin()
    await push.piece(synth.header)
    pace = Pace()
    for at in range(load.count):
        number = load.first + at
        for part, chunk in enumerate(synth.pieces(number)):
            due_s = float((at + Fraction(part + 1, CHUNKS)) * GRID_S) + phase_s
            await pace.until(due_s)
            await push.piece(chunk)
            load.sent_s[f"{channel}/{track}", number, part] = time.monotonic()
            load.late_s = max(load.late_s, pace.behind_s(due_s))
    await push.end()


async def watch_parts(port: int, channel: str, track: str, load: Load) -> None:
    """A player at the edge: asks for each part before it is there."""
    async with connected(port) as (reader, writer):
        leaf = f"/live/{channel}/{track}/media.m3u8"
        while not (listed := SEGMENT.findall((await ask(reader, writer, leaf))[1])):
            await asyncio.sleep(0.1)
        number, part = int(listed[-1]) + 1, 0
        while number < load.first + load.count - 1:
            query = f"?_HLS_msn={number}&_HLS_part={part}"
            asked_s = time.monotonic()
            status, _ = await ask(reader, writer, leaf + query)
            now_s = time.monotonic()
            sent_s = load.sent_s.get((f"{channel}/{track}", number, part), 0.0)
            if status == 200 and sent_s > asked_s:
                load.delays_s.append(now_s - sent_s)
            number, part = (number, part + 1) if part + 1 < CHUNKS else (number + 1, 0)


async def ask_playlists(port: int, channels: Sequence[str], rate: float, load: Load) -> None:
    """Playlists of all channels in turn, this many a second on this connection."""
    async with connected(port) as (reader, writer):
        began_s, count = time.monotonic(), 0
        while True:
            leaf = f"/live/{channels[count % len(channels)]}/v0/media.m3u8"
            status, _ = await ask(reader, writer, leaf)
            load.answered += status == 200
            count += 1
            await asyncio.sleep(max(0.0, began_s + count / rate - time.monotonic()))


async def drive(ingest: int, delivery: int, tracks: int, seconds: float) -> Load:
    """All sources and players of one run, on this core."""
    first = int(time.time() / float(GRID_S)) - 10
    load = Load(first, int(seconds / float(GRID_S)))
    synths = [Synth("video", BPS, chunks=CHUNKS, seed=i) for i in range(3)]
    channels = [f"c{i}" for i in range(-(-tracks // TRACKS_EACH))]
    sources = []
    for index in range(tracks):
        channel, track = divmod(index, TRACKS_EACH)
        phase_s = channel / len(channels) * float(GRID_S) / CHUNKS  # encoders are not in step
        synth = synths[index % len(synths)]
        sources.append(push_track(ingest, f"c{channel}", f"v{track}", synth, phase_s, load))
    players = [asyncio.create_task(watch_parts(delivery, c, "v0", load)) for c in channels]
    rate = PLAYLIST_RPS / 20
    players += [
        asyncio.create_task(ask_playlists(delivery, channels, rate, load)) for _ in range(20)
    ]
    await asyncio.gather(*sources)
    for player in players:
        player.cancel()
    await asyncio.gather(*players, return_exceptions=True)
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
    told = {"ingest_port": ingest, "delivery_port": delivery, "channel_limit": 2000} | settings
    argv = [sys.executable, "-c", ORIGIN, str(folder), json.dumps(told)]
    return start(argv, ingest), ingest, delivery


def busy(folder: Path, tracks: int, seconds: float) -> list[str]:
    channels = {f"c{i}": {"segment_s": str(GRID_S)} for i in range(tracks)}
    server, ingest, delivery = origin(folder, channels=channels, retention_s=120)
    try:
        os.sched_setaffinity(0, {LOAD_CORE})
        before_s, began_s = cpu_s(server.pid), time.monotonic()
        load = asyncio.run(drive(ingest, delivery, tracks, seconds))
        took_s = time.monotonic() - began_s
        share = (cpu_s(server.pid) - before_s) / took_s
    finally:
        stop(server)
    delays = sorted(load.delays_s)
    p99 = delays[int(len(delays) * 0.99)] if delays else 0.0
    rows: list[tuple[str, float, str]] = [
        ("tracks", tracks if load.late_s < float(GRID_S) else 0, "tracks"),
        ("playlists", load.answered / took_s, "rps"),
        ("part_p50", delays[len(delays) // 2] * 1000 if delays else 0.0, "ms"),
        ("part_p99", p99 * 1000, "ms"),
        ("part_max", delays[-1] * 1000 if delays else 0.0, "ms"),
        ("source_late", load.late_s * 1000, "ms"),
        ("core", share * 100, "%"),
    ]
    return [line("ingest", case, value, unit, None, None) for case, value, unit in rows]


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
        line("ingest", "idle_cpu", share * 100, "%", None, None),
        line("ingest", "idle_rss", memory / 1e6, "MB", None, None),
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


assert SERVER_CORE != LOAD_CORE

if __name__ == "__main__":
    main()
