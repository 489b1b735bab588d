"""The track store: memory per segment and in the hot window, disk per channel-hour, restart.

    python -m bench.bench_store --json

`index` is what a settled segment of four parts costs in memory; the peer is the same index as plain
Python objects. `hot_window` is resident memory by bytes of media in it. `disk_hour` is a
channel-hour of six tracks, 6 Mbit/s together; the peer is its media alone. `append` and `recover`
are processor time: one chunk into the log, and one track of a day read back. Lower is better.
"""

import gc
import subprocess
import sys
import tempfile
import time
import tracemalloc
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from bench import harness
from native.http import Entity, Hot
from origin.live.grid import Grid
from origin.live.log import TrackLog
from origin.live.records import INDEPENDENT, RECORD_BYTES, Record
from origin.live.shelf import Shelf, Stored
from origin.live.window import HotWindow

PARTS = 4
SEGMENT_S = 2
SCALE = 90_000
SEGMENTS = 10_000
DAY = 86_400 // SEGMENT_S
HOUR = 3_600 // SEGMENT_S
TRACK_BYTES = (900_000, 300_000, 150_000, 75_000, 32_000, 32_000)  # of a segment: 6 Mbit/s
HOT_BYTES = 96 << 20
MEBIBYTE = 1 << 20


@dataclass(slots=True)
class Plain:
    """A segment as plain objects keep it."""

    number: int
    start: int
    end: int
    size_bytes: int = 0
    whole: bool = False
    broken: bool = False
    parts: list[tuple[int, Record]] = field(default_factory=list)


def record(row: int) -> Record:
    ticks = SEGMENT_S * SCALE // PARTS
    at = row * ticks
    return Record(row * 1000, 1000 + row % 7, row * 2654435761 % 2**32, at, ticks, at, 0, row)


def index_bytes(kind: str) -> float:
    """Memory of one segment in an index of many."""
    shelf = Shelf(lambda *_: [])
    plain: dict[int, Plain] = {}
    gc.collect()
    tracemalloc.start()
    for number in range(SEGMENTS):
        start = number * SEGMENT_S * SCALE
        rows = [record(number * PARTS + part) for part in range(PARTS)]
        if kind == "plain":
            plain[number] = Plain(number, start, start, parts=[(1, row) for row in rows])
            continue
        stored = shelf[number] = Stored(number, start, start)
        for row in rows:
            stored.take(1, row)
        stored.whole = True
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / SEGMENTS


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def hot_ratio(size_bytes: int) -> float:
    """Resident memory by media bytes for objects of one size; run in a process of its own."""
    window = HotWindow(Hot(), HOT_BYTES)
    gc.collect()
    before = resident_bytes()
    for number in range(2 * HOT_BYTES // size_bytes):
        body = number.to_bytes(8, "little") * (size_bytes // 8)
        entity = Entity(body, content_type="video/mp4", cache_control="public, max-age=1209600")
        window.put(f"/live/channel/track/{number}.m4s", entity)
    return (resident_bytes() - before) / window.held_bytes


def apart(size_bytes: int) -> float:
    code = f"from bench.bench_store import hot_ratio; print(hot_ratio({size_bytes}))"
    command = ["taskset", "-c", str(harness.SERVER_CORE), sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def written(folder: Path, segments: int, size_bytes: int) -> float:
    """Fill a log; microseconds per chunk."""
    log = TrackLog(folder, volume_ticks=600 * SCALE)
    list(log.recover())
    chunk, ticks = bytes(size_bytes // PARTS), SEGMENT_S * SCALE // PARTS
    began = time.process_time()
    for number in range(segments):
        for part in range(PARTS):
            at = number * SEGMENT_S * SCALE + part * ticks
            flags = 0 if part else INDEPENDENT
            log.append(chunk, decode_time=at, duration=ticks, earliest=at, flags=flags)
        log.seal(number * SEGMENT_S * SCALE)
    spent = time.process_time() - began
    log.close()
    return spent / segments / PARTS * 1e6


def disk_bytes(folder: Path) -> tuple[int, int]:
    """(all files, media) of a channel-hour, from a minute of it."""
    media = 0
    for name, size_bytes in enumerate(TRACK_BYTES):
        written(folder / str(name), HOUR // 60, size_bytes)
        media += size_bytes * HOUR
    every = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return every * 60, media


def recovered_s(folder: Path) -> float:
    """One track of a day read back into a shelf."""
    written(folder, DAY, PARTS * 8)
    log = TrackLog(folder, volume_ticks=600 * SCALE)
    grid = Grid(Fraction(SEGMENT_S), SCALE, audio=False)
    shelf = Shelf(log.rows)
    began = time.process_time()
    for volume, found in log.recover():
        number = grid.number(found.decode_time)
        if not found.size:
            shelf[number].whole = True
            continue
        stored = shelf.get(number)
        if stored is None:
            stored = shelf[number] = Stored(number, found.decode_time, found.decode_time)
        stored.take(volume, found)
    spent = time.process_time() - began
    log.close()
    return spent


def rows() -> list[str]:
    lines = []

    def add(
        case: str, value: float, unit: str, peer: str | None = None, other: float | None = None
    ) -> None:
        lines.append(harness.line("store", case, value, unit, peer, other))

    add("index", index_bytes("shelf"), "B", "objects", index_bytes("plain"))
    for size_bytes in (20_000, 200_000, 1_500_000):
        add(f"hot_{size_bytes // 1000}k", apart(size_bytes), "x")
    with tempfile.TemporaryDirectory() as folder:
        every, media = disk_bytes(Path(folder))
        add("disk_hour", every / MEBIBYTE, "MiB", "media", media / MEBIBYTE)
        index = HOUR * (PARTS + 1) * RECORD_BYTES * len(TRACK_BYTES)
        add("index_hour", index / MEBIBYTE, "MiB")
        add("append_75k", written(Path(folder) / "append", 300, 300_000), "us")
        add("recover_day", recovered_s(Path(folder) / "day"), "s")
    return lines


if __name__ == "__main__":
    harness.main(__doc__, rows)
