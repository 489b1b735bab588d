"""The samples of a chunk, one by one: for tracks that are read rather than only passed on: text,
events, I frames.
"""

import struct
from typing import NamedTuple

from native.bmff.boxes import walk
from native.bmff.chunk import parse_chunk
from native.bmff.errors import BoxError
from native.bmff.model import Box, Chunk, Track

NON_SYNC = 0x00010000  # sample_is_non_sync_sample, ISO/IEC 14496-12:2022, 8.8.3.1
_DURATION, _SIZE, _FLAGS, _CTO = 0x100, 0x200, 0x400, 0x800  # trun, 8.8.8
_DATA_OFFSET, _FIRST_FLAGS = 0x1, 0x4
MAX_SAMPLES = 4096


class Sample(NamedTuple):
    """Times in media ticks; `start`..`end` is where its bytes lie in the chunk."""

    decode_time: int
    duration: int
    cto: int
    sync: bool
    start: int
    end: int


def read_chunk_samples(
    data: bytes, track: Track, *, limit: int = MAX_SAMPLES, chunk: Chunk | None = None
) -> list[Sample]:
    """The first `limit` samples in decode order; `chunk` is what parse_chunk made of `data`.

    Raises BoxError as parse_chunk does; zero-sized samples count.
    """
    chunk = chunk or parse_chunk(data, track)
    traf = _child(data, chunk.moof, "traf")
    at = chunk.mdat.body
    time = chunk.decode_time
    found: list[Sample] = []
    defaults = _defaults(data, _child(data, traf, "tfhd"), track)
    for box in walk(data, traf.body, traf.end):
        if box.kind != "trun":
            continue
        for duration, size, flags, cto, offset in _rows(data, box, defaults, limit - len(found)):
            at = at if offset is None else chunk.moof.start + offset
            if not chunk.mdat.body <= at <= chunk.mdat.end - size:
                raise BoxError("offset_out_of_file", box.start, "a sample outside of its mdat")
            found.append(Sample(time, duration, cto, not flags & NON_SYNC, at, at + size))
            time += duration
            at += size
    return found


def _rows(
    data: bytes, box: Box, defaults: tuple[int, int, int], limit: int
) -> list[tuple[int, int, int, int, int | None]]:
    """(duration, size, flags, cto, new place) of a trun whose length parse_chunk has checked."""
    flags, count = struct.unpack_from(">II", data, box.body)
    at = box.body + 8
    offset: int | None = None
    first: int | None = None
    if flags & _DATA_OFFSET:
        (offset,) = struct.unpack_from(">i", data, at)
        at += 4
    if flags & _FIRST_FLAGS:
        (first,) = struct.unpack_from(">I", data, at)
        at += 4
    rows = []
    for _ in range(min(count, limit)):
        values = list(defaults)
        cto = 0
        for place, bit in enumerate((_DURATION, _SIZE, _FLAGS)):
            if flags & bit:
                (values[place],) = struct.unpack_from(">I", data, at)
                at += 4
        if flags & _CTO:
            (cto,) = struct.unpack_from(">i", data, at)
            at += 4
        rows.append((values[0], values[1], values[2] if first is None else first, cto, offset))
        offset = first = None
    return rows


def _defaults(data: bytes, tfhd: Box, track: Track) -> tuple[int, int, int]:
    """tfhd over trex (8.8.7)."""
    (head,) = struct.unpack_from(">I", data, tfhd.body)
    values = [track.defaults.duration, track.defaults.size, track.defaults.flags]
    at = tfhd.body + 8 + (8 if head & 0x1 else 0) + (4 if head & 0x2 else 0)
    for place, bit in enumerate((0x8, 0x10, 0x20)):
        if head & bit:
            (values[place],) = struct.unpack_from(">I", data, at)
            at += 4
    return values[0], values[1], values[2]


def _child(data: bytes, parent: Box, kind: str) -> Box:
    return next(box for box in walk(data, parent.body, parent.end) if box.kind == kind)
