"""Move a chunk along the timeline: its decode time, and whatever else names that time.

The media is copied once and not looked at. A tfdt of version 0 that cannot hold the new time
becomes version 1 (ISO/IEC 14496-12:2022, 8.8.12); what counts from the start of the moof then moves
on by the four bytes that it grew: data_offset of trun (8.8.8) and the offsets of saio (8.7.9).
"""

import struct

from native.bmff.boxes import walk
from native.bmff.errors import BoxError
from native.bmff.model import Box
from native.bmff.write import box

GROWTH = 4  # bytes between the two versions of tfdt
DATA_OFFSET = 0x1  # trun flags, 8.8.8
AUX_TYPE = 0x1  # saio flags, 8.7.9
_U32, _U64 = 1 << 32, 1 << 64


def rebase(data: bytes, ticks: int, timescale: int) -> bytes:
    """A unit that `parse_chunk` accepted, moved by `ticks` of the track's timescale.

    prft and emsg version 1 move along (emsg version 0 counts from the segment); sidx is left out:
    it is optional (8.16.3), and its sizes and times would lie.
    """
    view = memoryview(data)
    pieces: list[bytes | bytearray | memoryview] = []
    for found in walk(data):
        piece = view[found.start : found.end]
        if found.kind == "moof":
            pieces.append(_moof(bytearray(piece), ticks))
        elif found.kind == "prft":
            pieces.append(_prft(piece, found.body - found.start, ticks))
        elif found.kind == "emsg" and data[found.body] == 1:
            pieces.append(_emsg(bytearray(piece), found.body - found.start, ticks, timescale))
        elif found.kind != "sidx":
            pieces.append(piece)
    return b"".join(pieces)


def _moof(moof: bytearray, ticks: int) -> bytearray:
    whole = walk(moof)[0]
    traf = _child(moof, whole, "traf")
    tfdt = _child(moof, traf, "tfdt")
    wide = moof[tfdt.body] == 1
    layout = ">Q" if wide else ">I"
    time = struct.unpack_from(layout, moof, tfdt.body + 4)[0] + ticks
    if not 0 <= time < _U64:
        raise BoxError("bad_box", tfdt.start, f"decode time {time}")
    if wide or time < _U32:
        struct.pack_into(layout, moof, tfdt.body + 4, time)
        return moof
    for child in walk(moof, traf.body, traf.end):
        if child.kind == "trun" and moof[child.body + 3] & DATA_OFFSET:
            _add(moof, child.body + 8, ">i")
        elif child.kind == "saio":
            _saio(moof, child, tfdt.end)
    for grown in (whole, traf, tfdt):
        large = grown.body - grown.start == 16
        _add(moof, grown.start + (8 if large else 0), ">Q" if large else ">I")
    moof[tfdt.body] = 1
    moof[tfdt.body + 4 : tfdt.body + 8] = struct.pack(">Q", time)
    return moof


def _saio(moof: bytearray, saio: Box, moved: int) -> None:
    """Offsets from the start of the moof that point behind the tfdt."""
    at = saio.body + (12 if moof[saio.body + 3] & AUX_TYPE else 4)
    layout, width = (">Q", 8) if moof[saio.body] else (">I", 4)
    if at + 4 > saio.end:
        raise BoxError("bad_box", saio.start, "saio is shorter than its fields")
    (count,) = struct.unpack_from(">I", moof, at)
    if count * width > saio.end - at - 4:
        raise BoxError("bad_table", saio.start, f"saio of {count} offsets")
    for offset in range(at + 4, at + 4 + count * width, width):
        if struct.unpack_from(layout, moof, offset)[0] >= moved:
            _add(moof, offset, layout)


def _prft(prft: memoryview, body: int, ticks: int) -> bytes:
    """Version 1, whatever came in (8.16.5)."""
    layout = ">Q" if prft[body] else ">I"
    time = struct.unpack_from(layout, prft, body + 16)[0] + ticks
    head = b"\1" + bytes(prft[body + 1 : body + 16])
    return box("prft", head, struct.pack(">Q", time % _U64))


def _emsg(emsg: bytearray, body: int, ticks: int, timescale: int) -> bytearray:
    """presentation_time in the event's own timescale (ISO/IEC 23009-1, 5.10.3.3)."""
    event_scale, time = struct.unpack_from(">IQ", emsg, body + 4)
    struct.pack_into(">Q", emsg, body + 8, (time + ticks * event_scale // timescale) % _U64)
    return emsg


def _child(data: bytearray, parent: Box, kind: str) -> Box:
    return next(child for child in walk(data, parent.body, parent.end) if child.kind == kind)


def _add(data: bytearray, at: int, layout: str) -> None:
    value = struct.unpack_from(layout, data, at)[0] + GROWTH
    try:
        struct.pack_into(layout, data, at, value)
    except struct.error as error:
        raise BoxError("bad_box", at, f"{value} does not fit") from error
