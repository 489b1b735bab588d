"""CODECS strings (RFC 6381) from codec configuration records: one table, one reader a codec.

Dolby Vision stands beside the base codec (SUPPLEMENTAL-CODECS) or, without a base layer that others
could play, is the codec itself (TR-66).

Sources: specs/tracks.md section 5 with its worked examples; ISO/IEC 14496-15 Annex E for AVC and
HEVC, AV1 codec ISO media file format binding section 5, VP codec ISO media file format binding.
"""

from collections.abc import Callable
from typing import NamedTuple

from native.bmff import BoxError, walk
from native.bmff.model import SampleEntry
from origin.errors import UnsupportedCodec
from origin.tracks import Rendition

_Reader = Callable[[SampleEntry], str]


def codec_string(entry: SampleEntry) -> str:
    """The CODECS member of a track. A sample entry without a reader, or with a record too short for
    it, is `UnsupportedCodec` (I5: 415).
    """
    reader = READERS.get(entry.fourcc)
    if reader is None:
        raise UnsupportedCodec(f"sample entry {entry.fourcc!r} is not supported")
    try:
        return reader(entry)
    except IndexError:
        raise UnsupportedCodec(f"the {entry.fourcc} configuration record is cut short") from None


def _avc(entry: SampleEntry) -> str:
    c = entry.config
    return f"{entry.fourcc}.{c[1]:02x}{c[2]:02x}{c[3]:02x}"


def _hevc(entry: SampleEntry) -> str:
    c = entry.config
    space = ("", "A", "B", "C")[c[1] >> 6]
    compatibility = int(f"{int.from_bytes(c[2:6], 'big'):032b}"[::-1], 2)
    level = f"{'H' if c[1] & 0x20 else 'L'}{c[12]}"
    constraints = [f"{byte:x}" for byte in c[6:12].rstrip(b"\0")]
    return ".".join(
        [entry.fourcc, f"{space}{c[1] & 31}", f"{compatibility:x}", level, *constraints]
    )


def _av1(entry: SampleEntry) -> str:
    """The short form, or all six tail fields when one is not the default (TR-61)."""
    c = entry.config
    profile, level, tier = c[1] >> 5, c[1] & 31, "H" if c[2] & 0x80 else "M"
    depth = 8 if not c[2] & 0x40 else 12 if profile == 2 and c[2] & 0x20 else 10
    text = f"av01.{profile}.{level:02d}{tier}.{depth:02d}"
    mono, x, y = c[2] >> 4 & 1, c[2] >> 3 & 1, c[2] >> 2 & 1
    subsampling = f"{x}{y}{c[2] & 3 if x and y else 0}"
    colour = entry.colour
    points = (colour.primaries, colour.transfer, colour.matrix) if colour else (1, 1, 1)
    points = (1, 1, 1) if points == (2, 2, 2) else points
    full = bool(colour and colour.full_range)
    if (mono, subsampling, points, full) == (0, "110", (1, 1, 1), False):
        return text
    return ".".join([text, str(mono), subsampling, *(f"{p:02d}" for p in points), f"{full:d}"])


def _vp9(entry: SampleEntry) -> str:
    c = entry.config
    fields = (c[4], c[5], c[6] >> 4, c[6] >> 1 & 7, c[7], c[8], c[9], c[6] & 1)
    return ".".join([entry.fourcc, *(f"{value:02d}" for value in fields)])


MP3_OTI = (0x6B, 0x69)


def _mp4a(entry: SampleEntry) -> str:
    if entry.object_type in MP3_OTI:
        return "mp4a.40.34"
    if entry.object_type != 0x40:
        raise UnsupportedCodec(f"MPEG-4 object type {entry.object_type:#x} is not supported")
    return f"mp4a.40.{audio_object_type(entry.setup)}"


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


AAC_CORE = frozenset(["mp4a.40.2", "mp4a.40.5", "mp4a.40.29"])
VISUAL_BYTES = 86  # a visual sample entry before its boxes (ISO/IEC 14496-12, 12.1.3)
# TR-66: (base codec, bl_signal_compatibility_id) -> codec, brand
DOLBY: dict[tuple[str, int], tuple[str, str]] = {
    ("hvc1", 1): ("dvh1", "db1p"),
    ("hvc1", 2): ("dvh1", "db2g"),
    ("hvc1", 4): ("dvh1", "db4h"),
    ("av01", 1): ("dav1", "db1p"),
    ("av01", 4): ("dav1", "db4h"),
}


def dolby_vision(entry: SampleEntry) -> tuple[int, int, int] | None:
    """(profile, level, bl_signal_compatibility_id) of dvcC or dvvC (Dolby Vision Streams Within the
    ISO Base Media File Format, 3.2); None without one.
    """
    try:
        boxes = walk(entry.data, VISUAL_BYTES) if len(entry.data) >= VISUAL_BYTES else []
    except BoxError:
        return None
    for box in boxes:
        if box.kind in ("dvcC", "dvvC") and box.end - box.body >= 5:
            word = int.from_bytes(entry.data[box.body + 2 : box.body + 5], "big")
            return word >> 17, word >> 11 & 63, word >> 4 & 15
    return None


def supplemental(entry: SampleEntry) -> str:
    """`codec/brand` of SUPPLEMENTAL-CODECS, empty for a track without an enhancement."""
    found = dolby_vision(entry)
    if found is None:
        return ""
    profile, level, compatibility = found
    codec, brand = DOLBY.get((entry.fourcc, compatibility), ("", ""))
    return f"{codec}.{profile:02d}.{level:02d}/{brand}" if codec else ""


class Profile(NamedTuple):
    """A CMAF media profile's brand, and the most that it takes."""

    brand: str
    profiles: frozenset[int]
    level: int
    width: int
    height: int


# ISO/IEC 23000-19, annexes A and B, as DASH-IF-Conformance checks them (TR-52); 60 frames a second
PICTURES: dict[str, tuple[Profile, ...]] = {
    "avcC": (
        Profile("cfsd", frozenset([66, 77, 100]), 31, 864, 576),
        Profile("cfhd", frozenset([66, 77, 100]), 40, 1920, 1080),
        Profile("chdf", frozenset([66, 77, 100]), 42, 1920, 1080),
    ),
    "hvcC": (
        Profile("chhd", frozenset([1]), 123, 1920, 1080),
        Profile("cud8", frozenset([1]), 150, 3840, 2160),
        Profile("chh1", frozenset([2]), 123, 1920, 1080),
        Profile("cud1", frozenset([2]), 153, 3840, 2160),
    ),
}
FASTEST = 60


def brands(entry: SampleEntry, r: Rendition) -> tuple[str, ...]:
    """What a header's ftyp names beside CMAF's structure: Dolby Vision (TR-58), else the media
    profile that the stream fits (TR-52).
    """
    found = dolby_vision(entry)
    if found is not None:
        _, brand = DOLBY.get((entry.fourcc, found[2]), ("", ""))
        brand = "dby1" if found[0] == 5 else brand
        return (brand,) if brand else ()
    if entry.config_kind in PICTURES:
        c = entry.config
        profile, level = (c[1], c[3]) if entry.config_kind == "avcC" else (c[1] & 31, c[12])
        usual = r.video_range == "SDR" and not r.interlaced and (r.frame_rate or 0) <= FASTEST
        for each in PICTURES[entry.config_kind] if usual else ():
            if (
                profile in each.profiles
                and level <= each.level
                and r.width <= each.width
                and r.height <= each.height
            ):
                return (each.brand,)
        return ()
    core = entry.fourcc == "mp4a" and 0 < r.channels <= 2 and 0 < r.sample_rate <= 48_000
    return ("caac",) if core and codec_string(entry) in AAC_CORE else ()


def _dolby(entry: SampleEntry) -> str:
    found = dolby_vision(entry)
    if found is None:
        raise UnsupportedCodec(f"{entry.fourcc} without a Dolby Vision record")
    return f"{entry.fourcc}.{found[0]:02d}.{found[1]:02d}"


def _stpp(entry: SampleEntry) -> str:
    """The IMSC 1 profile that the mime box names, else text (ISO/IEC 14496-30, 5.5; TR-87)."""
    return "stpp.ttml.im1i" if b"im1i" in entry.data else "stpp.ttml.im1t"


def _fixed(text: str) -> _Reader:
    return lambda _: text


READERS: dict[str, _Reader] = {  # TR-60..TR-63
    "avc1": _avc,
    "avc3": _avc,
    "hvc1": _hevc,
    "hev1": _hevc,
    "dvh1": _dolby,
    "dvhe": _dolby,
    "av01": _av1,
    "vp09": _vp9,
    "mp4a": _mp4a,
    "ac-3": _fixed("ac-3"),
    "ec-3": _fixed("ec-3"),
    "Opus": _fixed("Opus"),
    "fLaC": _fixed("fLaC"),
    "alac": _fixed("alac"),
    "wvtt": _fixed("wvtt"),
    "stpp": _stpp,
    "urim": _fixed("urim"),
    "evte": _fixed("evte"),
}
