"""Making thumbnails: ffmpeg draws sheets from the title's own samples (TR-98, TR-103, TR-104).

Theory of operation
1. ffmpeg is fed through a pipe with what the packager serves, so that edits, fragments and objects
   in S3 are all read once, by one reader, and tile k shows the title at k intervals.
2. Where a key frame stands at every interval, to within a frame, only those samples are read and
   decoded. Else the lowest rung is decoded whole while that is cheap, and for long films each tile
   shows the last key frame before its time, which the operator is told.
3. ffmpeg is bounded in time; its sheets are bounded in bytes by coarser quantisers.
"""

import contextlib
import subprocess
import tempfile
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from native.bmff.write import fragment
from origin.hls.media import half_up
from origin.tracks import Rendition
from origin.vod.errors import VodError
from origin.vod.index import save
from origin.vod.served import STYP, Served
from origin.vod.sheets import Saved

WIDTH = 160
COLUMNS = ROWS = 10
INTERVAL_S = 2
MOST_TILES = 1800  # above, the interval grows
MOST_SIDE = 2048  # pixels of a sheet
MOST_BYTES = 300 << 10  # of a sheet
QUANTISERS = (4, 8, 16, 31)  # ffmpeg's -q:v, the first that keeps every sheet below MOST_BYTES
DECODED_PIXELS = 640 * 360 * 24 * 1800  # half an hour of the usual lowest rung
LIMIT_S = 900.0  # of one run of ffmpeg


class _Frame(NamedTuple):
    """A key frame: its time in ticks, and the segment and sample that hold it."""

    time: int
    segment: int
    sample: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How a title is drawn. `keys` are the frames to feed, empty for all of them."""

    saved: Saved
    count: int
    keys: Sequence[_Frame]
    exact: bool


def plan(track: Served, source: str, duration_s: Fraction) -> Plan:
    """What to draw of a title whose lowest rung is `track`."""
    r = track.rendition
    interval_s = max(INTERVAL_S, -(-duration_s // MOST_TILES))
    height = tile_height(r)
    rows = min(ROWS, MOST_SIDE // height)
    count = int(-(-duration_s // interval_s))
    saved = Saved("", source, WIDTH, height, COLUMNS, rows, interval_s, [])
    keys, exact = _keys(track, interval_s, count)
    samples = track.index.columns["size"].rows
    if not exact and samples * r.width * r.height <= DECODED_PIXELS:
        return Plan(saved, count, (), True)
    return Plan(saved, count, keys, exact)


def tile_height(r: Rendition) -> int:
    """Of a picture WIDTH wide, even, after the sample aspect (TR-103)."""
    aspect = Fraction(r.height, max(r.width, 1)) / r.sample_aspect
    return min(max(2, 2 * half_up(WIDTH * aspect / 2)), MOST_SIDE)


def _keys(track: Served, interval_s: int, count: int) -> tuple[list[_Frame], bool]:
    """The last key frame at or before each tile's time, and whether all are within a frame."""
    found = list(_key_frames(track))
    scale = track.rendition.timescale
    zero = found[0].time
    frame = Fraction(scale) / (track.rendition.frame_rate or 24)
    end = track.segments[-1].end
    kept: list[_Frame] = []
    exact, at = True, 0
    for k in range(count):
        wanted = zero + k * interval_s * scale
        while at + 1 < len(found) and found[at + 1].time <= wanted + frame / 2:
            at += 1
        exact = exact and (wanted >= end or abs(wanted - found[at].time) < frame)
        if not kept or kept[-1] is not found[at]:
            kept.append(found[at])
    return kept, exact


def _key_frames(track: Served) -> Iterator[_Frame]:
    for segment in track.segments:
        s = track.samples(segment.number)
        times = accumulate(s.durations, initial=s.decode_time)
        for n, (time, cto, sync) in enumerate(zip(times, s.ctos, s.syncs, strict=False)):
            if sync or n == 0:
                yield _Frame(time + cto, segment.number, n)


def draw(home: Path, planned: Plan, track: Served, ffmpeg: str) -> Saved:
    """Write the sheets into `home`; VodError `no_pictures` when ffmpeg cannot draw them."""
    for quantiser in QUANTISERS:
        sheets, frames = _run(planned, track, ffmpeg, quantiser)
        if max(map(len, sheets)) <= MOST_BYTES:
            break
    singles = structs.replace(planned.saved, columns=1, rows=1)
    kept = _kept(home, "frames", singles, frames)
    return structs.replace(_kept(home, "tiles", planned.saved, sheets), frames=kept)


def _kept(home: Path, stem: str, saved: Saved, pictures: Sequence[bytes]) -> Saved:
    """Pictures end to end in a file whose name tells its content."""
    data = b"".join(pictures)
    name = f"{stem}-{sha256(data).hexdigest()[:20]}.bin"
    save(home / name, data)
    return structs.replace(saved, file=name, sizes=[len(picture) for picture in pictures])


def _run(
    planned: Plan, track: Served, ffmpeg: str, quantiser: int
) -> tuple[list[bytes], list[bytes]]:
    """Sheets, and the pictures one by one."""
    whole, rest = divmod(planned.count, planned.saved.columns * planned.saved.rows)
    with tempfile.TemporaryDirectory() as folder:
        command = [ffmpeg, "-v", "error", "-y", "-threads", "2", "-f", "mov", "-i", "pipe:0"]
        command += ["-filter_complex", _graph(planned, whole, rest)]
        for label in ["frames", *(["whole"] if whole else []), *(["rest"] if rest else [])]:
            command += ["-map", f"[{label}]", "-c:v", "mjpeg", "-q:v", str(quantiser)]
            command += ["-fps_mode", "passthrough", "-f", "image2", f"{folder}/{label}-%04d.jpg"]
        told = _piped(command, _feed(planned, track))
        paths = [Path(folder) / f"whole-{n:04d}.jpg" for n in range(1, whole + 1)]
        paths += [Path(folder) / "rest-0001.jpg"] if rest else []
        singles = [Path(folder) / f"frames-{n:04d}.jpg" for n in range(1, planned.count + 1)]
        try:
            return [p.read_bytes() for p in paths], [p.read_bytes() for p in singles]
        except OSError:
            why = told.decode(errors="replace").strip().splitlines() or ["it drew too few sheets"]
            raise VodError("no_pictures", track.name, f"ffmpeg: {why[-1][:200]}") from None


def _graph(planned: Plan, whole: int, rest: int) -> str:
    """Frames at multiples of the interval, the last one repeated, tiled; the last sheet with as
    many rows as it needs. `round=up` is the frame that is shown at each time (TR-104).
    """
    s = planned.saved
    per_sheet = s.columns * s.rows
    picked = f"setpts=PTS-STARTPTS,fps=1/{s.interval_s}:round=up:start_time=0"
    picked += f",tpad=stop_mode=clone:stop={planned.count},trim=end_frame={planned.count}"
    scaled = f"{picked},scale={s.width}:{s.height},setsar=1,format=yuvj420p"
    drawn = f"[0:v]{scaled},split"
    if not rest:
        return f"{drawn}[frames][a];[a]tile={s.columns}x{s.rows}[whole]"
    last = f"tile={s.columns}x{-(-rest // s.columns)}[rest]"
    if not whole:
        return f"{drawn}[frames][a];[a]{last}"
    cut = whole * per_sheet
    return (
        f"{drawn}=3[frames][a][b];[a]trim=end_frame={cut},tile={s.columns}x{s.rows}[whole];"
        f"[b]trim=start_frame={cut},{last}"
    )


def _piped(command: list[str], pieces: Iterator[bytes]) -> bytes:
    """Run ffmpeg on the pieces; what it said."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        bound = threading.Timer(LIMIT_S, process.kill)
        bound.start()
        assert process.stdin is not None
        try:
            for piece in pieces:
                process.stdin.write(piece)
            process.stdin.close()
        except BrokenPipeError:  # it has all that it wants, or says why not
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
            bound.cancel()
        said.seek(0)
        return said.read(1 << 16)


def _feed(planned: Plan, track: Served) -> Iterator[bytes]:
    yield track.index.init
    if not planned.keys:
        for segment in track.segments:
            yield track.media(segment.number, wait=True) or b""
    keys = planned.keys
    end = track.segments[-1].end
    for number, key in enumerate(keys, 1):
        until = keys[number].time if number < len(keys) else max(end, key.time + 1)
        yield STYP + fragment(1, number, key.time, [(until - key.time, _sample(track, key))])


def _sample(track: Served, key: _Frame) -> bytes:
    s = track.samples(key.segment)
    size, before = s.sizes[key.sample], sum(s.sizes[: key.sample])
    ends = list(accumulate(s.lengths))
    run = bisect_right(ends, before)
    at = s.starts[run] + before - (ends[run] - s.lengths[run])
    place, extent = array("q", [at]), array("q", [size])
    return track.reader.runs(bytes(size), 0, place, extent, True) or b""
