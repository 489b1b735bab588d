"""Sample entries as they are served: what old players ask for, and nothing that CMAF does not know
(TR-53, TR-54).
"""

import struct
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from native.bmff import BoxError, walk
from native.bmff.model import Colour, SampleEntry, Track
from native.bmff.tables import Samples
from native.bmff.write import box
from native.cenc import SampleError, avc, hevc
from origin.codecs import VISUAL_BYTES

AUDIO_BYTES = 36  # an audio sample entry of version 0 before its boxes (ISO/IEC 14496-12, 12.2.3)
LEFT_OUT = frozenset(["btrt", "chan", "clef", "fiel", "gama"])  # QuickTime's, and what is made anew
# Parameter sets may lie in the samples too, and change there (ISO/IEC 14496-15, 5.4.2 and 8.4.1).
# Where the record is complete, the name that says so plays on Apple's devices as well.
COMPLETE = {"avc3": "avc1", "hev1": "hvc1", "dvhe": "dvh1"}
_MOST = 0xFFFFFFFF
# AVCProfileIndication of High 10, High 4:2:2, High 4:4:4 Predictive (ISO/IEC 14496-10, A.2)
_UNUSUAL = (b"\x6e", b"\x7a", b"\xf4")
PARAMETER_SETS = frozenset([32, 33, 34])  # VPS, SPS, PPS (ISO/IEC 23008-2, table 7-1)
AVC_SETS = (7, 8)  # SPS, PPS (ISO/IEC 14496-10, table 7-1)
UNTOLD = (2, 2, 2)  # colour (ISO/IEC 23091-2)
EXTENDED = 255  # aspect_ratio_idc with a width and a height of its own
# aspect_ratio_idc -> shape of a pixel (ISO/IEC 23091-2, table 8; H.264, table E-1)
ASPECTS = {
    2: (12, 11), 3: (10, 11), 4: (16, 11), 5: (40, 33), 6: (24, 11), 7: (20, 11), 8: (32, 11),
    9: (80, 33), 10: (18, 11), 11: (15, 11), 12: (64, 33), 13: (160, 99), 14: (4, 3), 15: (3, 2),
    16: (2, 1),
}  # fmt: skip


def served(track: Track, samples: Samples, first: int, stop: int) -> Track:
    """The track with the entry that its header gets."""
    entry = track.entry
    fixed = VISUAL_BYTES if track.handler == "vide" else AUDIO_BYTES
    if len(entry.data) < fixed or (fixed == AUDIO_BYTES and entry.data[16:18] != b"\0\0"):
        return track  # QuickTime's own versions of sound
    try:
        children = [(b.kind, entry.data[b.start : b.end]) for b in walk(entry.data, fixed)]
    except BoxError:
        return track
    fourcc = entry.fourcc
    if fourcc in COMPLETE and _complete(entry):
        fourcc = COMPLETE[fourcc]
        children = [(kind, _closed(kind, data)) for kind, data in children]
    kept = [_colour(data) if kind == "colr" else data for kind, data in children
            if kind not in LEFT_OUT]  # fmt: skip
    peak, average = _rates(samples, first, stop, track.timescale)
    kept.append(box("btrt", struct.pack(">3I", 0, peak, average)))
    whole = replace(entry, fourcc=fourcc, data=box(fourcc, entry.data[8:fixed], *kept))
    return replace(track, entries=(whole, *track.entries[1:]))


def completed(entry: SampleEntry, sets: Sequence[bytes]) -> SampleEntry:
    """The entry with what its record lacks, from the parameter sets of its samples, and with the
    colour and the shape of pixels that only they tell (TR-53, TR-54).
    """
    if sets and entry.config_kind in _RECORDS and not _complete(entry):
        record = _RECORDS[entry.config_kind](entry.config, sets)
        entry = replace(_with(entry, {entry.config_kind: box(entry.config_kind, record)}),
                        config=record)  # fmt: skip
    try:
        told = _SHOWN[entry.config_kind](entry.config) if entry.config_kind in _SHOWN else None
    except SampleError:
        return entry
    if told is None:
        return entry
    aspect, width, height, primaries, transfer, matrix, full_range = told
    more: dict[str, bytes] = {}
    shape = (width, height) if aspect == EXTENDED else ASPECTS.get(aspect, (1, 1))
    if entry.pixel_aspect == (1, 1) != shape and all(shape):
        more["pasp"] = box("pasp", struct.pack(">2I", *shape))
        entry = replace(entry, pixel_aspect=shape)
    colour = Colour(primaries, transfer, matrix, full_range)
    if entry.colour is None and colour[:3] != UNTOLD:
        code = struct.pack(">3HB", *colour[:3], full_range << 7)
        more["colr"] = box("colr", b"nclx", code)
        entry = replace(entry, colour=colour)
    return _with(entry, more) if more else entry


def _with(entry: SampleEntry, boxes: dict[str, bytes]) -> SampleEntry:
    """The entry with these boxes instead of those of their names; new ones come last."""
    try:
        old = {b.kind: entry.data[b.start : b.end] for b in walk(entry.data, VISUAL_BYTES)}
    except BoxError:
        return entry
    return replace(
        entry, data=box(entry.fourcc, entry.data[8:VISUAL_BYTES], *(old | boxes).values())
    )


def _avcc(config: bytes, sets: Sequence[bytes]) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    lists = [[unit for unit in sets if unit[0] & 31 == kind] for kind in AVC_SETS]
    out = config[:5]
    for units, mark in zip(lists, (0xE0, 0), strict=True):
        out += bytes([mark | len(units)]) + b"".join(map(_counted, units))
    return out


def _hvcc(config: bytes, sets: Sequence[bytes]) -> bytes:
    """HEVCDecoderConfigurationRecord (8.3.3.1), its arrays complete."""
    out, kinds = config[:22], sorted({unit[0] >> 1 & 63 for unit in sets})
    out += bytes([len(kinds)])
    for kind in kinds:
        units = [unit for unit in sets if unit[0] >> 1 & 63 == kind]
        out += struct.pack(">BH", 0x80 | kind, len(units)) + b"".join(map(_counted, units))
    return out


def _counted(unit: bytes) -> bytes:
    return struct.pack(">H", len(unit)) + unit


_RECORDS = {"avcC": _avcc, "hvcC": _hvcc}
_SHOWN = {"avcC": avc.shown, "hvcC": hevc.shown}


def warning(entry: SampleEntry) -> str:
    """What many players cannot show, though it is packaged; empty for the usual (TR-74)."""
    if entry.config_kind == "avcC" and entry.config[1:2] in _UNUSUAL:
        return "AVC of 10 bits, 4:2:2 or 4:4:4, which browsers do not decode"
    return ""


def _complete(entry: SampleEntry) -> bool:
    """Whether the record has every kind of parameter set."""
    c = entry.config
    if entry.config_kind == "avcC":
        return _avc_sets(c) > 1
    return entry.config_kind == "hvcC" and {kind for _, kind in _arrays(c)} >= PARAMETER_SETS


def _avc_sets(config: bytes) -> int:
    """Of the two kinds of parameter sets, how many an avcC has (5.3.3.1)."""
    at, kinds = 5, 0
    for mask in (31, 255):
        count = config[at] & mask if at < len(config) else 0
        at += 1
        for _ in range(count):
            at += 2 + int.from_bytes(config[at : at + 2], "big")
        kinds += count > 0 and at <= len(config)
    return kinds


def _arrays(config: bytes) -> list[tuple[int, int]]:
    """Where each array of an hvcC begins, and its kind of NAL (ISO/IEC 14496-15, 8.3.3.1)."""
    found, at = [], 23
    for _ in range(config[22] if len(config) > 22 else 0):
        if at + 3 > len(config):
            return []
        found.append((at, config[at] & 63))
        count = int.from_bytes(config[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            at += 2 + int.from_bytes(config[at : at + 2], "big")
    return found if at <= len(config) else []


def _closed(kind: str, data: bytes) -> bytes:
    """hvcC whose arrays say that there are no sets elsewhere."""
    if kind != "hvcC":
        return data
    out = bytearray(data)
    for at, _ in _arrays(data[8:]):
        out[8 + at] |= 0x80
    return bytes(out)


def _colour(data: bytes) -> bytes:
    """colr of QuickTime as that of ISO, which also tells the range (12.1.5)."""
    if data[8:12] != b"nclc" or len(data) < 18:
        return data
    return box("colr", b"nclx", data[12:18], b"\0")


def _rates(samples: Samples, first: int, stop: int, timescale: int) -> tuple[int, int]:
    """Bits a second: in the dearest second, and on average (btrt, 8.5.2.2)."""
    dts = samples.dts[first:stop]
    before = list(accumulate(samples.size[first:stop], initial=0))
    ticks = dts[-1] - dts[0] + samples.duration[stop - 1]
    edges = [bisect_left(dts, at) for at in range(dts[0], dts[0] + ticks + timescale, timescale)]
    most = max((before[b] - before[a] for a, b in pairwise(edges)), default=0)
    average = 8 * before[-1] * timescale // max(ticks, 1)
    return min(max(8 * most, average), _MOST), min(average, _MOST)
