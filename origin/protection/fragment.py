"""The boxes of one clear fragment, read for protection (ISO/IEC 14496-12, 8.8; PR-5..9, PR-152).

A fragment is a moof with one traf and the mdat behind it, whose samples lie end to end: what our
own packager and CMAF encoders write (ISO/IEC 23000-19, 7.3). Anything else is refused.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from native.bmff import Box, walk
from native.bmff.model import Defaults
from native.bmff.write import box
from origin.protection.errors import ProtectionError

BASE_DATA_OFFSET, DESCRIPTION, DURATION, SIZE, FLAGS = 0x1, 0x2, 0x8, 0x10, 0x20  # tfhd, 8.8.7
DATA_OFFSET, FIRST_FLAGS = 0x1, 0x4  # trun, 8.8.8
ROW_FIELDS = (0x100, 0x200, 0x400, 0x800)  # duration, size, flags, composition offset
_AUXILIARY = frozenset(["senc", "saiz", "saio"])


@dataclass(frozen=True, slots=True)
class Fragment:
    """Where a fragment's samples are, and the pieces of its moof."""

    sizes: tuple[int, ...]
    durations: tuple[int, ...]
    decode_time: int
    media: int  # offset of the first sample in the data
    before: bytes  # children of moof in front of traf
    track: bytes  # children of traf, their data offsets as they were
    runs: tuple[int, ...]  # where the data offsets are in `track`
    behind: bytes  # children of moof behind traf

    @property
    def media_bytes(self) -> int:
        return sum(self.sizes)

    @property
    def times(self) -> list[int]:
        """Decode time of each sample, in ticks."""
        return list(accumulate(self.durations[:-1], initial=self.decode_time))

    def moof(self, extra: bytes, behind: Sequence[bytes], aux_at: int) -> bytes:
        """The moof with `extra` at the end of traf and `behind` at its own end.

        `aux_at` is where in `extra` saio keeps an offset from the start of `extra`, which becomes
        one from the start of the moof; -1: there is none.
        """
        tail = b"".join(behind)
        growth = len(extra) + len(tail)
        track = bytearray(self.track)
        for at in self.runs:
            (offset,) = struct.unpack_from(">i", track, at)
            struct.pack_into(">i", track, at, offset + growth)
        inner = bytearray(extra)
        if aux_at >= 0:
            (offset,) = struct.unpack_from(">I", inner, aux_at)
            start = 8 + len(self.before) + 8 + len(track)
            struct.pack_into(">I", inner, aux_at, start + offset)
        return box("moof", self.before, box("traf", bytes(track), bytes(inner)), self.behind, tail)


def read(data: bytes, moof: Box, mdat: Box, defaults: Defaults) -> Fragment:
    """ProtectionError `bad_box` or `double`."""
    try:
        return _read(data, moof, mdat, defaults)
    except (struct.error, IndexError) as error:
        raise ProtectionError("bad_box", f"a fragment's box is cut: {error}") from error


def _read(data: bytes, moof: Box, mdat: Box, defaults: Defaults) -> Fragment:
    children = walk(data, moof.body, moof.end)
    tracks = [child for child in children if child.kind == "traf"]
    if len(tracks) != 1 or moof.body - moof.start != 8:
        raise ProtectionError("bad_box", "a fragment with one traf is wanted")
    traf = tracks[0]
    inner = walk(data, traf.body, traf.end)
    if any(child.kind in _AUXILIARY for child in inner):
        raise ProtectionError("double", "the fragment is protected already (PR-153)")
    duration, size, decode_time = defaults.duration, defaults.size, 0
    sizes: list[int] = []
    durations: list[int] = []
    runs: list[int] = []
    for child in inner:
        flags = int.from_bytes(data[child.body + 1 : child.body + 4], "big")
        if child.kind == "tfhd":
            duration, size = _tfhd(data, child, flags, duration, size)
        elif child.kind == "tfdt":
            layout = ">Q" if data[child.body] else ">I"
            (decode_time,) = struct.unpack_from(layout, data, child.body + 4)
        elif child.kind == "trun":
            if not flags & DATA_OFFSET:
                raise ProtectionError("bad_box", "a trun without data offset")
            (offset,) = struct.unpack_from(">i", data, child.body + 8)
            if offset != mdat.body - moof.start + sum(sizes):
                raise ProtectionError("bad_box", "samples do not lie end to end in mdat")
            runs.append(child.body + 8 - traf.body)
            _trun(data, child, flags, (duration, size), durations, sizes)
    if sum(sizes) > mdat.end - mdat.body:
        raise ProtectionError("bad_box", "samples leave mdat")
    return Fragment(
        tuple(sizes), tuple(durations), decode_time, mdat.body,
        data[moof.body : traf.start], data[traf.body : traf.end], tuple(runs),
        data[traf.end : moof.end],
    )  # fmt: skip


def _tfhd(data: bytes, child: Box, flags: int, duration: int, size: int) -> tuple[int, int]:
    """8.8.7; base-data-offset is not for CMAF."""
    if flags & BASE_DATA_OFFSET:
        raise ProtectionError("bad_box", "a fragment with a base data offset")
    at = child.body + 8 + (4 if flags & DESCRIPTION else 0)
    if flags & DURATION:
        (duration,) = struct.unpack_from(">I", data, at)
        at += 4
    if flags & SIZE:
        (size,) = struct.unpack_from(">I", data, at)
    return duration, size


def _trun(
    data: bytes,
    child: Box,
    flags: int,
    defaults: tuple[int, int],
    durations: list[int],
    sizes: list[int],
) -> None:
    """8.8.8; rows are read as columns."""
    (count,) = struct.unpack_from(">I", data, child.body + 4)
    at = child.body + 12 + (4 if flags & FIRST_FLAGS else 0)
    width = sum(1 for field in ROW_FIELDS if flags & field)
    if 4 * width * count > child.end - at or count > child.end:
        raise ProtectionError("bad_box", f"a trun of {count} samples in {child.end - at} bytes")
    rows = struct.unpack_from(f">{width * count}I", data, at)
    column = 0
    for field, default, into in zip(ROW_FIELDS, defaults, (durations, sizes), strict=False):
        if flags & field:
            into.extend(rows[column::width])
            column += 1
        else:
            into.extend([default] * count)
