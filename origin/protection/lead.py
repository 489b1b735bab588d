"""Clear media in a protected track (specs/protection.md PR-33): its header has a second, plain
sample entry, and clear fragments name it (ISO/IEC 14496-12, 8.8.7).
"""

import struct
from dataclasses import replace

from native.bmff import Track, walk
from native.bmff.write import box
from origin.protection.fragment import BASE_DATA_OFFSET, DESCRIPTION, Fragment, read

CLEAR_ENTRY = 2  # index of the unprotected sample entry, from 1


def clear_lead(data: bytes, track: Track) -> bytes:
    """A clear segment, part or chunk whose fragments name CLEAR_ENTRY. ProtectionError."""
    out = []
    boxes = walk(data)
    for found, following in zip(boxes, [*boxes[1:], None], strict=True):
        if found.kind == "moof" and following is not None:
            out.append(_described(read(data, found, following, track.defaults)))
        elif found.kind != "sidx":
            out.append(data[found.start : found.end])
    return b"".join(out)


def _described(fragment: Fragment) -> bytes:
    """The moof with sample_description_index in its tfhd."""
    track = fragment.track
    tfhd = next(child for child in walk(track) if child.kind == "tfhd")
    flags = int.from_bytes(track[tfhd.body : tfhd.body + 4], "big")
    at = tfhd.body + 8 + (8 if flags & BASE_DATA_OFFSET else 0)
    behind = at + (4 if flags & DESCRIPTION else 0)
    grown = 4 - (behind - at)
    head = struct.pack(">I", flags | DESCRIPTION) + track[tfhd.body + 4 : at]
    named = box("tfhd", head, struct.pack(">I", CLEAR_ENTRY), track[behind : tfhd.end])
    moved = bytearray(track[: tfhd.start] + named + track[tfhd.end :])
    runs = tuple(run + grown for run in fragment.runs)
    for run in runs:
        (offset,) = struct.unpack_from(">i", moved, run)
        struct.pack_into(">i", moved, run, offset + grown)
    return replace(fragment, track=bytes(moved), runs=runs).moof(b"", (), -1)
