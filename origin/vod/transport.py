"""Segments of a title as MPEG-TS, for devices that read nothing newer (TR-105..110)."""

import struct
from array import array
from functools import lru_cache

from native.bmff import parse_init
from native.bmff.model import SampleEntry
from native.mpegts import AAC, AC3, AVC, EAC3, Stream, mux, tables
from native.mpegts.errors import MuxError
from native.mpegts.model import Coding
from origin.vod.errors import VodError
from origin.vod.served import Lock, Samples, Served

CODINGS: dict[str, Coding] = {"avc1": AVC, "avc3": AVC, "mp4a": AAC, "ac-3": AC3, "ec-3": EAC3}
VIDEO_PID, AUDIO_PID = 0x100, 0x101
CLOCK = 90_000
ORIGIN = 10 * CLOCK  # TR-106: room for decode times before 0
START_CODE = b"\0\0\0\1"
MP3_OTI = (0x6B, 0x69)


def segment(
    track: Served, beside: Served | None, lock: Lock | None, number: int, *, wait: bool
) -> bytes | None:
    """Segment `number` of a track, with the sound `beside` it; None if reading would wait."""
    held = [track]
    if beside is not None and _has(beside, number):
        held.append(beside)
    streams = []
    for served in held:
        stream = _stream(served, served.samples(number), wait)
        if stream is None:
            return None
        streams.append(stream)
    data = _muxed(track, streams, number)
    if lock is None:
        return data
    told = next(s for s in track.segments if s.number == number)
    return lock.close(data, contents(track, beside), told, frame=False)


def frame(track: Served, lock: Lock | None, number: int, *, wait: bool) -> bytes | None:
    """The I frame that segment `number` begins with, alone (TR-95, TR-97)."""
    s = track.samples(number)
    size = s.sizes[:1]
    first = s._replace(
        sizes=size, durations=s.durations[:1], ctos=s.ctos[:1], syncs=s.syncs[:1],
        starts=s.starts[:1], lengths=size,
    )  # fmt: skip
    stream = _stream(track, first, wait)
    if stream is None:
        return None
    data = _muxed(track, [stream], number)
    if lock is None:
        return data
    told = next(s for s in track.frames if s.number == number)
    return lock.close(data, contents(track, None), told, frame=True)


def contents(track: Served, beside: Served | None) -> list[str]:
    """What an object is made of, as locks name it."""
    return [served.name for served in (track, beside) if served is not None]


def _muxed(track: Served, streams: list[Stream], number: int) -> bytes:
    head = tables([(s.pid, s.coding) for s in streams], streams[0].pid, number)
    try:
        return mux(head, streams)
    except MuxError as error:
        raise VodError("unreadable", f"{track.name}: segment {number}", str(error)) from error


def _has(track: Served, number: int) -> bool:
    """Sound may be shorter than the pictures."""
    try:
        track.samples(number)
    except KeyError:
        return False
    return True


def _stream(track: Served, s: Samples, wait: bool) -> Stream | None:
    payload = track.payload(s, wait=wait)
    if payload is None:
        return None
    scale = track.rendition.timescale
    pts, dts = array("q"), array("q")
    time = s.decode_time
    for duration, cto in zip(s.durations, s.ctos, strict=True):
        pts.append(_clock(time + cto, scale))
        dts.append(_clock(time - track.reorder, scale))
        time += duration
    coding, lead, nal_bytes = _setup(track.index.init)
    pid = VIDEO_PID if track.is_video else AUDIO_PID
    return Stream(pid, coding, payload, s.sizes, pts, dts, s.syncs, lead, nal_bytes)


def _clock(ticks: int, timescale: int) -> int:
    """90 kHz of one sample's own time, never summed (TR-106)."""
    return ORIGIN + (2 * ticks * CLOCK + timescale) // (2 * timescale)


@lru_cache(maxsize=256)
def _setup(init: bytes) -> tuple[Coding, bytes, int]:
    """Coding, what samples are given, and the bytes of a NAL length."""
    entry = parse_init(init).tracks[0].entry
    coding = CODINGS[entry.fourcc]
    if coding is AVC:
        return coding, _parameter_sets(entry.config), (entry.config[4] & 3) + 1
    return coding, _adts(entry) if coding is AAC else b"", 0


def _parameter_sets(config: bytes) -> bytes:
    """SPS and PPS of an avcC in Annex B (ISO/IEC 14496-15, 5.3.3.1)."""
    sets = b""
    at = 5
    try:
        for mask in (31, 255):
            count = config[at] & mask
            at += 1
            for _ in range(count):
                (length,) = struct.unpack_from(">H", config, at)
                sets += START_CODE + config[at + 2 : at + 2 + length]
                at += 2 + length
    except (struct.error, IndexError):
        raise VodError("bad_box", "avcC", "a parameter set is cut") from None
    return sets


def _adts(entry: SampleEntry) -> bytes:
    """The header before each frame, of length 0; the core of SBR is LC (ISO/IEC 14496-3, 1.A.3)."""
    bits = int.from_bytes(entry.setup[:8].ljust(8, b"\0"), "big")
    kind, rate, channels = bits >> 59, bits >> 55 & 15, bits >> 51 & 15
    if entry.object_type != 0x40 or kind not in (2, 5, 29) or rate > 12 or channels > 7:
        raise KeyError("ADTS has no form for this sound")
    word = 0xFFF1 << 40 | 1 << 38 | rate << 34 | channels << 30 | 0x7FF << 2  # 1.A.2.2
    return word.to_bytes(7, "big")
