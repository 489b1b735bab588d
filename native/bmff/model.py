"""The nouns of ISO BMFF as the kernels hand them out (ISO/IEC 14496-12:2022, clause 8)."""

import struct
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple


class Box(NamedTuple):
    """Where one box lies; offsets in bytes from the start of the walked data."""

    kind: str
    start: int
    body: int
    end: int


class Edit(NamedTuple):
    """One elst entry (8.6.6): duration in movie ticks, media_time in media ticks, -1 = empty."""

    duration: int
    media_time: int
    rate: int  # 16.16, 0 = dwell


class Kind(NamedTuple):
    """A udta/kind role (8.10.4)."""

    scheme: str
    value: str


class Defaults(NamedTuple):
    """trex (8.8.3): what tfhd and trun leave out."""

    description: int = 1
    duration: int = 0
    size: int = 0
    flags: int = 0


class Protection(NamedTuple):
    """sinf (8.12): scheme fourcc and default KID (ISO/IEC 23001-7, 8.2)."""

    scheme: str
    kid: bytes


class Colour(NamedTuple):
    """colr nclx/nclc (12.1.5): code points of ISO/IEC 23091-2."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool


NO_DEFAULTS = Defaults()
UNTURNED = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)  # 8.3.2


@dataclass(frozen=True, slots=True)
class SampleEntry:
    """One stsd entry. `config` is the body of the decoder configuration box `config_kind`."""

    fourcc: str  # the clear format: an encrypted entry's frma
    data: bytes  # the whole entry, as stored
    config_kind: str = ""
    config: bytes = b""
    object_type: int = 0  # esds objectTypeIndication (ISO/IEC 14496-1, 7.2.6.6), 0 = no esds
    setup: bytes = b""  # esds DecoderSpecificInfo: AudioSpecificConfig for AAC
    width: int = 0
    height: int = 0
    pixel_aspect: tuple[int, int] = (1, 1)
    colour: Colour | None = None
    channels: int = 0  # as the entry says; the codec record is the truth (TR-55)
    sample_rate: int = 0
    max_bitrate: int = 0  # btrt, bits per second
    avg_bitrate: int = 0
    protection: Protection | None = None

    def alike(self, other: "SampleEntry") -> bool:
        """Whether samples of both are decoded alike, protected or not."""
        bare: dict[str, Any] = {
            "data": b"", "max_bitrate": 0, "avg_bitrate": 0, "protection": None,
        }  # fmt: skip
        return replace(self, **bare) == replace(other, **bare)


@dataclass(frozen=True, slots=True)
class Track:
    """One trak (8.3) with what mvex says of it."""

    id: int
    handler: str
    timescale: int
    duration: int  # mdhd, media ticks: a hint (TR-8)
    language: str  # elng, else mdhd; "und" when unset (TR-11)
    entries: tuple[SampleEntry, ...]
    enabled: bool = True
    alternate_group: int = 0
    width: int = 0  # tkhd, whole pixels
    height: int = 0
    matrix: bytes = UNTURNED
    edits: tuple[Edit, ...] = ()
    kinds: tuple[Kind, ...] = ()
    references: tuple[str, ...] = ()  # tref types
    defaults: Defaults = NO_DEFAULTS
    tables: tuple[int, int] = (0, 0)  # where the body of stbl lies in the parsed data

    @property
    def entry(self) -> SampleEntry:
        return self.entries[0]

    def goes_on(self, description: int) -> bool:
        """Whether samples of a description, numbered from 1, go on as those of the first do."""
        return 0 < description <= len(self.entries) and self.entry.alike(
            self.entries[description - 1]
        )

    @property
    def turned(self) -> bool:
        """Whether the matrix lays the picture on its side: x' = c*y, y' = b*x."""
        a, b, _, c, d = struct.unpack_from(">5i", self.matrix)
        return bool(a == d == 0 != b * c)


@dataclass(frozen=True, slots=True)
class Movie:
    """ftyp and moov. `fragmented` = mvex is there (TR-3)."""

    brands: tuple[str, ...]  # major brand first
    timescale: int
    duration: int
    tracks: tuple[Track, ...]
    fragmented: bool
    pssh: tuple[bytes, ...] = ()  # whole boxes

    def track(self, track_id: int) -> Track | None:
        return next((track for track in self.tracks if track.id == track_id), None)


class Emsg(NamedTuple):
    """Event message (ISO/IEC 23009-1, 5.10.3.3): v1 `time` is absolute, v0 a delta."""

    version: int
    scheme: str
    value: str
    timescale: int
    time: int
    duration: int
    id: int
    data: bytes


class Prft(NamedTuple):
    """Producer reference time (8.16.5)."""

    track_id: int
    ntp: int  # 32.32 seconds since 1900
    media_time: int
    flags: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One CMAF chunk: moof + mdat with what stands before them. Times in media ticks."""

    sequence: int
    track_id: int
    decode_time: int
    duration: int
    samples: int
    earliest_pts: int
    independent: bool  # starts with a sample that needs no other
    size: int  # bytes of the whole unit
    moof: Box
    mdat: Box
    brands: tuple[str, ...] = ()  # styp: "lmsg" last segment, "slat" filler (C7)
    prft: Prft | None = None
    emsgs: tuple[Emsg, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Unit:
    """One complete piece of a CMAF track as it arrives."""

    kind: Literal["header", "chunk", "end"]
    data: bytes
