"""Boxes from values: what a header, an index or an event is written with (ISO/IEC 14496-12:2022).

A track is written as one CMAF header: ftyp and moov with one trak and mvex (ISO/IEC 23000-19, C1).
"""

import struct
from collections.abc import Iterable, Sequence

from native.bmff.model import UNTURNED, Emsg, Prft, Track

_MEDIA_HEADER = {  # media information header by handler, 12.1.2, 12.2.2, 12.6.2
    "vide": ("vmhd", 1, bytes(8)),
    "soun": ("smhd", 0, bytes(4)),
    "subt": ("sthd", 0, b""),
    "text": ("nmhd", 0, b""),
}
_LONGEST = (1 << 32) - 9


def box(kind: str, *parts: bytes) -> bytes:
    """One box around its parts."""
    size = 8 + sum(map(len, parts))
    if size > _LONGEST:
        raise ValueError(f"{kind} of {size} bytes")
    return b"".join((struct.pack(">I4s", size, kind.encode("latin-1")), *parts))


def full(kind: str, version: int, flags: int, *parts: bytes) -> bytes:
    """One full box: version and flags first (4.2)."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def styp(*brands: str) -> bytes:
    """Segment type; the first brand is the major one (8.16.2)."""
    return _brands("styp", brands)


def _brands(kind: str, brands: Sequence[str]) -> bytes:
    names = [brand.encode("latin-1") for brand in brands]
    return box(kind, names[0], bytes(4), *names)


def header(track: Track, brands: Sequence[str] = ()) -> bytes:
    """The CMAF header of one track, renumbered to track 1 with media timescale everywhere and no
    edit list (TR-29). `brands` are those of what is in it, beside CMAF's own.
    """
    moov = box(
        "moov",
        _movie_header(track.timescale),
        box("trak", _track_header(track), _media(track), _roles(track)),
        box("mvex", full("trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0))),
    )
    return _brands("ftyp", ("cmf2", "cmf2", "cmfc", "iso6", "mp41", *brands)) + moov  # TR-52


def _movie_header(timescale: int) -> bytes:
    """8.2.2"""
    fixed = struct.pack(">IH", 0x10000, 0x100) + bytes(10) + UNTURNED + bytes(24)
    return full("mvhd", 0, 0, struct.pack(">4I", 0, 0, timescale, 0), fixed, struct.pack(">I", 2))


def _track_header(track: Track) -> bytes:
    """8.3.2"""
    volume = 0x100 if track.handler == "soun" else 0
    head = struct.pack(">5I", 0, 0, 1, 0, 0) + bytes(8)
    place = struct.pack(">4H", 0, 0, volume, 0)
    size = struct.pack(">2I", track.width << 16, track.height << 16)
    return full("tkhd", 0, 7, head, place, track.matrix, size)


def _media(track: Track) -> bytes:
    """8.4"""
    kind, flags, body = _MEDIA_HEADER[track.handler]
    packed = 0
    language = track.language if len(track.language) == 3 else "und"
    for letter in language:
        packed = packed << 5 | ord(letter) - 0x60 & 31
    tables = (full(name, 0, 0, bytes(4)) for name in ("stts", "stsc", "stco"))
    entry = struct.pack(">I", 1) + track.entry.data
    stbl = box("stbl", full("stsd", 0, 0, entry), *tables, full("stsz", 0, 0, bytes(8)))
    reference = full("dref", 0, 0, struct.pack(">I", 1), full("url ", 0, 1))
    minf = box("minf", full(kind, 0, flags, body), box("dinf", reference), stbl)
    handler = bytes(4) + track.handler.encode() + bytes(12) + b"Headwater\0"
    mdhd = full("mdhd", 0, 0, struct.pack(">4I2H", 0, 0, track.timescale, 0, packed, 0))
    extended = b""
    if language != track.language:
        extended = full("elng", 0, 0, track.language.encode() + b"\0")  # 8.4.6
    return box("mdia", mdhd, full("hdlr", 0, 0, handler), extended, minf)


def _roles(track: Track) -> bytes:
    """8.10.4"""
    if not track.kinds:
        return b""
    kinds = (
        full("kind", 0, 0, kind.scheme.encode(), b"\0", kind.value.encode(), b"\0")
        for kind in track.kinds
    )
    return box("udta", *kinds)


def gapless(priming: int, padding: int, samples: int) -> bytes:
    """A udta with iTunes' gapless note: samples that a decoder drops first and last, and between.

    Readers: ffmpeg, AVFoundation; format as in Apple's "iTunSMPB" metadata item (8.10 and 8.11 for
    the boxes around it).
    """
    numbers = f" 00000000 {priming:08X} {padding:08X} {samples:016X}" + " 00000000" * 8
    item = box(
        "----",
        full("mean", 0, 0, b"com.apple.iTunes"),
        full("name", 0, 0, b"iTunSMPB"),
        box("data", struct.pack(">II", 1, 0), numbers.encode()),
    )
    handler = full("hdlr", 0, 0, bytes(4), b"mdirappl", bytes(9))
    return box("udta", full("meta", 0, 0, handler, box("ilst", item)))


def sidx(
    track_id: int, timescale: int, earliest: int, references: Iterable[tuple[int, int, bool]]
) -> bytes:
    """Segment index (8.16.3): (bytes, ticks, starts with SAP 1) of each fragment behind it."""
    rows = [
        struct.pack(">3I", size & 0x7FFFFFFF, ticks, 0x90000000 if sap else 0)
        for size, ticks, sap in references
    ]
    head = struct.pack(">IIQQHH", track_id, timescale, earliest, 0, 0, len(rows))
    return full("sidx", 1, 0, head, *rows)


def fragment(
    track_id: int, sequence: int, decode_time: int, samples: Sequence[tuple[int, bytes]]
) -> bytes:
    """moof and mdat of samples that each stand alone, as (duration, data) (8.8; TR-49)."""
    rows = b"".join(struct.pack(">II", duration, len(data)) for duration, data in samples)
    head = full("mfhd", 0, 0, struct.pack(">I", sequence))
    track = full("tfhd", 0, 0x020020, struct.pack(">II", track_id, 0x02000000))
    time = full("tfdt", 1, 0, struct.pack(">Q", decode_time))
    offset = 8 + len(head) + 8 + len(track) + len(time) + 20 + len(rows) + 8
    run = full("trun", 0, 0x301, struct.pack(">Ii", len(samples), offset), rows)
    return box("moof", head, box("traf", track, time, run)) + box("mdat", *(d for _, d in samples))


def emsg(event: Emsg) -> bytes:
    """Event message, version 1 whatever came in (TR-114)."""
    numbers = struct.pack(">IQII", event.timescale, event.time, event.duration, event.id)
    names = f"{event.scheme}\0{event.value}\0".encode()
    return full("emsg", 1, 0, numbers, names, event.data)


def prft(reference: Prft) -> bytes:
    """Producer reference time, version 1 (8.16.5)."""
    body = struct.pack(">IQQ", reference.track_id, reference.ntp, reference.media_time)
    return full("prft", 1, reference.flags, body)
