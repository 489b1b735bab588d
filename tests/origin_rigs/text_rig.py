"""Text tracks for tests: headers and chunks of wvtt and stpp, written apart from the readers."""

import struct

from origin_rigs.events_rig import chunk as chunk

from native.bmff.write import box, full

TIMESCALE = 1000


def text_header(entry: bytes, handler: bytes, language: str = "eng") -> bytes:
    """A CMAF header of a text track with this sample entry."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = full("mvhd", 0, 0, struct.pack(">4IIH", 0, 0, TIMESCALE, 0, 0x10000, 0), bytes(10),
                matrix, bytes(24), struct.pack(">I", 2))  # fmt: skip
    tkhd = full("tkhd", 0, 7, struct.pack(">5I", 0, 0, 1, 0, 0), bytes(16), matrix, bytes(8))
    packed = 0
    for letter in language:
        packed = packed << 5 | ord(letter) - 0x60
    mdhd = full("mdhd", 0, 0, struct.pack(">4I2H", 0, 0, TIMESCALE, 0, packed, 0))
    hdlr = full("hdlr", 0, 0, bytes(4), handler, bytes(12), b"text\0")
    tables = [full(name, 0, 0, bytes(4)) for name in ("stts", "stsc", "stco")]
    stbl = box("stbl", full("stsd", 0, 0, struct.pack(">I", 1), entry), *tables,
               full("stsz", 0, 0, bytes(8)))  # fmt: skip
    minf = box("minf", full("nmhd" if handler == b"text" else "sthd", 0, 0), stbl)
    trak = box("trak", tkhd, box("mdia", mdhd, hdlr, minf))
    mvex = box("mvex", full("trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0)))
    return box("ftyp", b"cmfc", bytes(4), b"cmfc") + box("moov", mvhd, trak, mvex)


STYLED = "WEBVTT\n\nSTYLE\n::cue { color: yellow }"
WVTT = box("wvtt", bytes(6), struct.pack(">H", 1), box("vttC", STYLED.encode()))
STPP = box("stpp", bytes(6), struct.pack(">H", 1), b"http://www.w3.org/ns/ttml\0\0\0")
WVTT_HEADER = text_header(WVTT, b"text")
STPP_HEADER = text_header(STPP, b"subt", "fra")
NOTHING = box("vtte")


def cue(text: str, *, number: str = "", source: int | None = None, settings: str = "") -> bytes:
    parts = [box("vsid", struct.pack(">i", source))] if source is not None else []
    parts += [box("iden", number.encode())] if number else []
    parts += [box("sttg", settings.encode())] if settings else []
    return box("vttc", *parts, box("payl", text.encode()))


def document(begin_s: float, end_s: float, text: str) -> bytes:
    return (
        '<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="fr"><body><div>'
        f'<p begin="{begin_s:.3f}s" end="{end_s:.3f}s">{text}</p></div></body></tt>'
    ).encode()
