"""CODECS strings (RFC 6381) from codec configuration records: one table, one reader a codec.

Sources: specs/tracks.md section 5 with its worked examples; ISO/IEC 14496-15 Annex E for AVC and
HEVC, AV1 codec ISO media file format binding section 5, VP codec ISO media file format binding.
"""

from collections.abc import Callable

from origin.errors import UnsupportedCodec

_Reader = Callable[[str, bytes], str]


def codec_string(fourcc: str, config: bytes) -> str:
    """The CODECS member of a track from its sample entry type and its configuration record.

    `config` is the payload of the record's box (avcC, hvcC, av1C, vpcC, esds, ...). A sample entry
    without a reader, or a record too short for it, is `UnsupportedCodec` (I5: 415).
    """
    reader = READERS.get(fourcc)
    if reader is None:
        raise UnsupportedCodec(f"sample entry {fourcc!r} is not supported")
    try:
        return reader(fourcc, config)
    except IndexError:
        raise UnsupportedCodec(f"the {fourcc} configuration record is cut short") from None


def _avc(fourcc: str, c: bytes) -> str:
    return f"{fourcc}.{c[1]:02x}{c[2]:02x}{c[3]:02x}"


def _hevc(fourcc: str, c: bytes) -> str:
    space = ("", "A", "B", "C")[c[1] >> 6]
    compatibility = int(f"{int.from_bytes(c[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if c[1] & 0x20 else "L"
    constraints = [f"{byte:x}" for byte in c[6:12].rstrip(b"\0")]
    level = f"{tier}{c[12]}"
    return ".".join([fourcc, f"{space}{c[1] & 31}", f"{compatibility:x}", level, *constraints])


def _av1(fourcc: str, c: bytes) -> str:
    profile, level, tier = c[1] >> 5, c[1] & 31, "H" if c[2] & 0x80 else "M"
    depth = 8 if not c[2] & 0x40 else 12 if profile == 2 and c[2] & 0x20 else 10
    return f"{fourcc}.{profile}.{level:02d}{tier}.{depth:02d}"


def _vp9(fourcc: str, c: bytes) -> str:
    tail = (c[6] >> 4, c[6] >> 1 & 7, c[7], c[8], c[9], c[6] & 1)
    return ".".join([fourcc, f"{c[4]:02d}", f"{c[5]:02d}", *(f"{value:02d}" for value in tail)])


MP3_OTI = (0x6B, 0x69)


def _aac(fourcc: str, c: bytes) -> str:
    oti, asc = _decoder_config(c)
    if oti in MP3_OTI:
        return f"{fourcc}.40.34"
    if oti != 0x40:
        raise UnsupportedCodec(f"MPEG-4 object type {oti:#x} is not supported")
    return f"{fourcc}.40.{audio_object_type(asc)}"


def audio_object_type(asc: bytes) -> int:
    """AOT with explicit SBR and PS signalling only (ISO/IEC 14496-3 section 1.6.2.1, TR-62)."""
    bits = int.from_bytes(asc, "big")
    left = len(asc) * 8

    def take(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise IndexError
        return bits >> left & (1 << count) - 1

    aot = take(5)
    if aot == 31:
        aot = 32 + take(6)
    if aot != 2:
        return aot
    if take(4) == 15:
        take(24)
    take(4)
    take(3)  # GASpecificConfig: frameLengthFlag, dependsOnCoreCoder, extensionFlag (all 0 for LC)
    if left < 16 or take(11) != 0x2B7 or take(5) != 5 or not take(1):
        return aot
    if left >= 4 and take(4) == 15 and left >= 24:
        take(24)
    return 29 if left >= 12 and take(11) == 0x548 and take(1) else 5


def _decoder_config(esds: bytes) -> tuple[int, bytes]:
    """objectTypeIndication and AudioSpecificConfig (ISO/IEC 14496-1 section 7.2.6)."""
    at = 4 if esds[0] == 0 else 0  # the full box header may or may not be there
    found: dict[int, bytes] = {}
    while at < len(esds):
        tag, size, at = esds[at], 0, at + 1
        for _ in range(4):
            size = size << 7 | esds[at] & 0x7F
            at += 1
            if not esds[at - 1] & 0x80:
                break
        found[tag] = esds[at : at + size]
        at += {3: 3, 4: 13}.get(tag, size)  # ES and DecoderConfig descriptors hold descriptors
        if tag == 3:
            flags = found[tag][2]
            at += 2 * bool(flags & 0x80) + (1 + found[tag][3] if flags & 0x40 else 0)
            at += 2 * bool(flags & 0x20)
        if tag == 5:
            break
    if 4 not in found:
        raise IndexError
    return found[4][0], found.get(5, b"")


def _fixed(text: str) -> _Reader:
    return lambda _fourcc, _config: text


READERS: dict[str, _Reader] = {  # TR-60..TR-63
    "avc1": _avc,
    "avc3": _avc,
    "hvc1": _hevc,
    "hev1": _hevc,
    "av01": _av1,
    "vp09": _vp9,
    "mp4a": _aac,
    "ac-3": _fixed("ac-3"),
    "ec-3": _fixed("ec-3"),
    "Opus": _fixed("Opus"),
    "fLaC": _fixed("fLaC"),
    "alac": _fixed("alac"),
    "wvtt": _fixed("wvtt"),
    "stpp": _fixed("stpp.ttml.im1t"),
}
