"""Subtitles of a title: cues read once, segments cut to those of the pictures (TR-80..TR-93)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from hashlib import sha256
from itertools import pairwise

import msgspec

from native.bmff.model import SampleEntry, Track
from native.bmff.write import box, fragment, header, styp
from origin.text import imsc, webvtt, wvtt
from origin.text.wvtt import Cue
from origin.tracks import Rendition, Segment, average_bps, peak_bps
from origin.vod.served import Served
from origin.vod.transport import ORIGIN

TIMESCALE = 1000
TRANSPORT = ".ts.vtt"  # beside MPEG-TS, whose clock shows 10 s at time 0 (TR-82, TR-106)
WHOLE = "all.vtt"  # all cues in one file (TR-93)
STYP = styp("msdh", "msdh", "msix", "cmfs")


class Saved(msgspec.Struct, frozen=True):
    """A text track as the title's record keeps it; times in milliseconds of the title's clock."""

    name: str
    language: str
    roles: list[str]
    label: str
    header: str
    cues: list[tuple[int, int, str, str, str]]  # start, end, text, id, settings


@dataclass(frozen=True)
class Text:
    """A text track that is served."""

    rendition: Rendition
    segments: Sequence[Segment]
    cues: Sequence[Cue]
    head: str

    @classmethod
    def of(cls, saved: Saved, reference: Served) -> "Text":
        """Cut where the reference track is cut (TR-93)."""
        scale = reference.rendition.timescale
        edges = [_ms(s.start, scale) for s in reference.played]
        edges[:1] = [0]
        edges.append(_ms(reference.played[-1].end, scale))
        cues = [
            Cue(start, end, text, ident, settings, number)
            for number, (start, end, text, ident, settings) in enumerate(saved.cues, 1)
        ]
        rendition = Rendition(
            saved.name,
            "text",
            "wvtt",
            TIMESCALE,
            saved.language,
            label=saved.label,
            roles=tuple(saved.roles),
        )
        bare = [
            Segment(s.number, a, b - a)
            for s, (a, b) in zip(reference.played, pairwise(edges), strict=True)
        ]
        text = cls(rendition, bare, cues, saved.header)
        sized = [replace(s, size_bytes=len(text.vtt(s))) for s in bare]
        longest_s = max(-(-s.duration // TIMESCALE) for s in sized)
        measured = replace(
            rendition,
            bandwidth=peak_bps(sized, TIMESCALE, longest_s),
            average_bandwidth=average_bps(sized, TIMESCALE),
        )
        return cls(measured, sized, cues, saved.header)

    @cached_property
    def tag(self) -> str:
        said = repr((self.head, self.cues, [s.start for s in self.segments]))
        return f"{sha256(said.encode()).hexdigest()[:20]}-{self.rendition.name}"

    @cached_property
    def init(self) -> bytes:
        """The CMAF header of the wvtt track (ISO/IEC 14496-30, 7.5)."""
        config = box("vttC", self.head.encode())
        entry = box("wvtt", bytes(6), struct.pack(">H", 1), config)
        language = self.rendition.language
        return header(Track(1, "text", TIMESCALE, 0, language, (SampleEntry("wvtt", entry),)))

    def segment(self, number: int, suffix: str) -> tuple[bytes, str]:
        """A segment and its type: a WebVTT file or a fragment; KeyError when there is none."""
        found = next((s for s in self.segments if s.number == number), None)
        if found is None or suffix not in (".vtt", ".m4s", TRANSPORT):
            raise KeyError(number)
        if suffix == ".m4s":
            return self._fragment(found), "application/mp4"
        return self.vtt(found, ORIGIN if suffix == TRANSPORT else 0), webvtt.CONTENT_TYPE

    def vtt(self, segment: Segment, mpegts: int = 0) -> bytes:
        """Every cue that overlaps, with its whole times (TR-80)."""
        return webvtt.segment(self.head, self.during(segment), TIMESCALE, -1, mpegts)

    @property
    def whole(self) -> bytes:
        return webvtt.whole(self.head, self.cues, TIMESCALE)

    def during(self, segment: Segment) -> list[Cue]:
        """The cues that overlap a segment."""
        return [c for c in self.cues if c.start < segment.end and c.end > segment.start]

    def _fragment(self, segment: Segment) -> bytes:
        """Samples that partition the segment's time (TR-86)."""
        cues = self.during(segment)
        inner = {t for c in cues for t in (c.start, c.end) if segment.start < t < segment.end}
        samples = []
        for a, b in pairwise(sorted({segment.start, segment.end} | inner)):
            samples.append((b - a, wvtt.write_sample([c for c in cues if c.start <= a < c.end])))
        return STYP + fragment(1, segment.number, segment.start, samples)


@dataclass(frozen=True)
class Imsc:
    """The same cues as documents of IMSC 1 Text, for players that read no WebVTT (TR-87)."""

    text: Text
    segments: Sequence[Segment] = field(init=False)
    rendition: Rendition = field(init=False)

    def __post_init__(self) -> None:
        sized = [replace(s, size_bytes=len(self._fragment(s))) for s in self.text.segments]
        longest_s = max(-(-s.duration // TIMESCALE) for s in sized)
        rendition = replace(
            self.text.rendition,
            name=f"{self.text.rendition.name}.imsc",
            codecs=imsc.CODECS,
            bandwidth=peak_bps(sized, TIMESCALE, longest_s),
            average_bandwidth=average_bps(sized, TIMESCALE),
        )
        object.__setattr__(self, "segments", sized)
        object.__setattr__(self, "rendition", rendition)

    @property
    def tag(self) -> str:
        return f"{self.text.tag}-imsc"

    @cached_property
    def init(self) -> bytes:
        """The CMAF header of the stpp track."""
        language = self.rendition.language
        return header(Track(1, "subt", TIMESCALE, 0, language, (imsc.sample_entry(),)))

    def segment(self, number: int, suffix: str) -> tuple[bytes, str]:
        """KeyError when there is none."""
        found = next((s for s in self.segments if s.number == number), None)
        if found is None or suffix != ".m4s":
            raise KeyError(number)
        return self._fragment(found), "application/mp4"

    def _fragment(self, segment: Segment) -> bytes:
        """One document, one sample."""
        cues = self.text.during(segment)
        said = imsc.document(cues, TIMESCALE, self.text.rendition.language)
        return STYP + fragment(1, segment.number, segment.start, [(segment.duration, said)])


def _ms(ticks: int, timescale: int) -> int:
    return int(Fraction(ticks * TIMESCALE, timescale))
