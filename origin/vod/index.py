"""The index of one input file: a compact binary that is mapped, checked and used in place.

Layout (TR-41; little-endian, 8-byte aligned)
    magic "HWVODIDX", u32 format version, u32 CRC-32 of all that follows
    u64 size, u64 mtime_ns, u64 inode of the source (TR-42)
    u32 bytes of the description, u32 reserved, the description (JSON: constants and the byte of
    each column), padding, the columns of native.bmff.columns
A new FORMAT rebuilds, never misreads. Writers race harmlessly: temporary name, fsync, rename.
"""

import contextlib
import json
import mmap
import os
import struct
import zlib
from array import array
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from native.bmff import BoxError
from native.bmff.columns import Column, pack
from native.bmff.fragment import head_sizes
from native.bmff.runs import find_runs
from origin.tracks import Rendition
from origin.vod.errors import VodError
from origin.vod.opened import Seals
from origin.vod.reading import Identity
from origin.vod.source import Source
from origin.vod.timeline import Placed

MAGIC = b"HWVODIDX"
FORMAT = 5
_HEAD = struct.Struct("<8sII3QII")
SAMPLE_COLUMNS = ("size", "duration", "cto", "sync")
RUN_COLUMNS = ("run_samples", "run_gap")
SEGMENT_COLUMNS = (
    "first_sample",
    "decode_time",
    "start",
    "first_run",
    "first_byte",
    "head",  # bytes of a segment before its media
    "bytes",
)


@dataclass(frozen=True, slots=True)
class Cut:
    """One output track: where it is cut and what players are told."""

    rendition: Rendition
    placed: Placed
    bounds: list[int]  # first sample of each segment, and the end
    starts: list[int]  # when each segment that has no sample begins, in ticks
    init: bytes
    note: bytes  # boxes for the moof of the first segment


def pack_track(cut: Cut) -> dict[str, bytes]:
    """The columns of one track, from the first kept sample on. OverflowError when its times fit no
    box.
    """
    placed, samples = cut.placed, cut.placed.edited.samples
    first, stop = placed.first, placed.stop
    bounds = array("q", cut.bounds)
    counts, gaps, first_run, first_byte, sizes = find_runs(samples.offset, samples.size, bounds)
    shift = placed.cto_shift
    cto = samples.cto[first:stop]
    if shift:
        cto = array("i", [value - shift for value in cto])
    base = array("q", [b - first for b in cut.bounds])
    is_video = placed.edited.track.handler == "vide"
    durations, sync = samples.duration[first:stop], samples.sync[first:stop]
    heads = head_sizes(durations, cto, sync, base, is_video)
    if heads and heads[0]:
        heads[0] += len(cut.note)
    filled = [a < b for a, b in pairwise(cut.bounds)]
    decode = [placed.decode_time(b) if ok else 0 for b, ok in zip(bounds, filled, strict=False)]
    end = max(0, placed.end)
    shown = [max(0, at) for at, ok in zip(decode, filled, strict=False) if ok]
    lengths = [b - a for a, b in pairwise([*shown, end])]
    if any(not 0 < ticks < 1 << 32 for ticks in lengths) or any(size >> 31 for size in sizes):
        raise OverflowError("a segment of no ticks, of 2^32 or of 2^31 bytes")  # sidx, 8.16.3
    return {
        "size": pack(samples.size[first:stop]),
        "duration": pack(durations),
        "cto": pack(cto),
        "sync": pack(sync),
        "run_samples": pack(counts),
        "run_gap": pack(gaps),
        "first_sample": pack(base),
        "decode_time": pack(array("q", decode)),
        "start": pack(
            array(
                "q",
                [
                    *(
                        max(0, at) if ok else min(told, end)
                        for at, ok, told in zip(decode, filled, cut.starts, strict=True)
                    ),
                    end,
                ],
            )
        ),
        "first_run": pack(first_run),
        "first_byte": pack(first_byte),
        "head": pack(heads),
        "bytes": pack(sizes),
    }


def write(path: Path, source: Source, cuts: list[Cut]) -> None:
    """Write the index of one source."""
    tracks: list[dict[str, Any]] = []
    body = bytearray()
    for cut in cuts:
        columns: dict[str, int] = {}
        try:
            packed = pack_track(cut)
        except BoxError as error:
            raise VodError.of_box(error, f"{source.name}: {cut.rendition.name}") from error
        except OverflowError as error:
            what = f"{cut.rendition.name}: no box can tell its times ({error})"
            raise VodError("bad_table", source.name, what) from error
        for name, data in packed.items():
            columns[name] = len(body)
            body += data
        rendition = asdict(cut.rendition)
        tracks.append(
            {
                "rendition": rendition,
                "init": cut.init.hex(),
                "note": cut.note.hex(),
                "columns": columns,
            }
        )
    about: dict[str, Any] = {"source": source.reader.location, "digest": source.digest}
    about["tracks"] = tracks
    if source.seals is not None:
        rules, packed = source.seals.save()
        places = {}
        for name, data in packed.items():
            places[name] = len(body)
            body += data
        about["seals"] = {"rules": rules, "columns": places}
    text = json.dumps(about, default=str, separators=(",", ":")).encode()
    i = source.identity
    text += b" " * (-(_HEAD.size + len(text)) % 8)
    tail = struct.pack("<3QII", i.size, i.mtime_ns, i.inode, len(text), 0) + text + bytes(body)
    save(path, struct.pack("<8sII", MAGIC, FORMAT, zlib.crc32(tail)) + tail)


def save(path: Path, data: bytes) -> None:
    """Replace a file as a whole or not at all (TR-42)."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with temporary.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


@dataclass(frozen=True, slots=True)
class TrackIndex:
    """The columns of one track, ready to slice."""

    rendition: Rendition
    init: bytes
    note: bytes
    columns: dict[str, Column]

    @property
    def segments(self) -> int:
        return self.columns["bytes"].rows


@dataclass(frozen=True, slots=True)
class Index:
    """A mapped index."""

    source: str
    digest: str
    identity: Identity
    tracks: list[TrackIndex]
    seals: Seals | None = None  # of a source that came protected


def load(path: Path) -> Index:
    """Map an index; VodError `unreadable` for one that is absent, damaged or of another format."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise VodError("unreadable", path.name, f"the index cannot be mapped: {error}") from error
    view = memoryview(data)
    try:
        magic, version, crc, size, mtime_ns, inode, length, _ = _HEAD.unpack_from(view)
        if (magic, version) != (MAGIC, FORMAT) or zlib.crc32(view[16:]) != crc:
            raise ValueError("another format, or damaged")
        about = json.loads(bytes(view[_HEAD.size : _HEAD.size + length]))
        base = _HEAD.size + length
        tracks = [_track(view, base, item) for item in about["tracks"]]
        seals = _seals(view, base, about["seals"]) if "seals" in about else None
    except (struct.error, ValueError, KeyError, TypeError, BoxError) as error:
        raise VodError("unreadable", path.name, f"the index is unusable: {error}") from error
    identity = Identity(size, mtime_ns, inode)
    return Index(about["source"], about["digest"], identity, tracks, seals)


def _seals(view: memoryview, base: int, item: dict[str, Any]) -> Seals:
    columns = {name: Column(view, base + at) for name, at in item["columns"].items()}
    return Seals.load(item["rules"], columns)


def _track(view: memoryview, base: int, item: dict[str, Any]) -> TrackIndex:
    fields = dict(item["rendition"])
    fields["sample_aspect"] = Fraction(fields["sample_aspect"])
    fields["frame_rate"] = Fraction(fields["frame_rate"]) if fields["frame_rate"] else None
    fields["roles"] = tuple(fields["roles"])
    columns = {name: Column(view, base + at) for name, at in item["columns"].items()}
    if set(columns) != {*SAMPLE_COLUMNS, *RUN_COLUMNS, *SEGMENT_COLUMNS}:
        raise ValueError("columns are missing")
    init, note = bytes.fromhex(item["init"]), bytes.fromhex(item["note"])
    return TrackIndex(Rendition(**fields), init, note, columns)
