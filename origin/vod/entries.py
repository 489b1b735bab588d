"""Sample entries as they are served: what old players ask for, and nothing that CMAF does not know
(TR-53, TR-54).
"""

import struct
from bisect import bisect_left
from dataclasses import replace
from itertools import accumulate, pairwise

from native.bmff import BoxError, walk
from native.bmff.model import SampleEntry, Track
from native.bmff.tables import Samples
from native.bmff.write import box
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
