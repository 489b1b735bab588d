"""Manifests of a time range: Periods that only ever grow, then end (ISO/IEC 23009-1).

Theory of operation
1. A Period is a run of segment numbers that have media on the same tracks, without a break. Numbers
   without a video or an audio rendition at all are in none: between the Periods around them the
   presentation has a hole, as long as what was lost (D13).
2. The timeline starts at zero with the range's first segment, in the growing form (dynamic, its AST
   is that segment's wall clock, nothing ever leaves) and in the complete one (static), so that the
   step from one to the other moves nothing (D2, DASH-M1, DASH-M7).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from origin.dash.events import EventStream, event_streams
from origin.dash.live import HTTP_ISO
from origin.dash.mpd import DECLARATION, NAMESPACES, PROFILE, template_opening
from origin.dash.pieces import Pieces
from origin.dash.sets import adaptation_sets, representation_opening, set_opening
from origin.dash.text import duration, tag, utc
from origin.dash.timeline import Line
from origin.tracks import Rendition, Segment

DELAY_SEGMENTS = 3  # suggested distance to the edge while it grows

Dressed = Callable[[Rendition, int], Rendition]  # as it is told of where this number is


def _as_it_is(r: Rendition, _: int) -> Rendition:
    return r


@dataclass(slots=True)
class Clip:
    """A Period of the range: segments `first` to `last` and a timeline per track."""

    first: int
    last: int
    lines: dict[str, Line] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """What does not depend on media: the range's first number, the grid, and the clock that is
    named while it grows.
    """

    id: str
    first: int
    segment_s: Fraction
    target_s: int
    time_url: str

    def at(self, number: int) -> Fraction:
        """Where a number begins on the manifest's timeline."""
        return (number - self.first) * self.segment_s


class Clips:
    """The Periods of one range, fed with every number in order."""

    def __init__(self) -> None:
        self._clips: list[Clip] = []

    def append(self, number: int, here: Mapping[str, Segment], *, breaks: bool) -> None:
        """The media of a number by track; none at all where it is lost."""
        if not here:
            return
        clip = self._clips[-1] if self._clips else None
        follows = clip is not None and clip.last == number - 1 and clip.lines.keys() == here.keys()
        if clip is None or breaks or not follows:
            clip = Clip(number, number, {name: Line() for name in here})
            self._clips.append(clip)
        clip.last = number
        for name, segment in here.items():
            clip.lines[name].append(number, segment.start, segment.duration)

    def growing(
        self,
        frame: Frame,
        renditions: Sequence[Rendition],
        publish_ms: int,
        events: Sequence[EventStream] = (),
        dressed: Dressed = _as_it_is,
    ) -> Pieces:
        """The dynamic form: the last Period is open, and without a buffer depth nothing leaves."""
        segment_s = frame.segment_s
        return self._write(
            frame,
            renditions,
            [
                ("type", "dynamic"),
                ("profiles", PROFILE),
                ("availabilityStartTime", utc(int(frame.first * segment_s * 1000))),
                ("publishTime", utc(publish_ms)),
                ("minimumUpdatePeriod", duration(segment_s)),
                ("suggestedPresentationDelay", duration(DELAY_SEGMENTS * segment_s)),
            ],
            events,
            dressed,
            ends=False,
        )

    def complete(
        self,
        frame: Frame,
        renditions: Sequence[Rendition],
        events: Sequence[EventStream] = (),
        dressed: Dressed = _as_it_is,
    ) -> Pieces:
        """The static form (D1)."""
        end_s = frame.at(self._clips[-1].last + 1) if self._clips else Fraction(0)
        root = [
            ("type", "static"),
            ("profiles", PROFILE),
            ("mediaPresentationDuration", duration(end_s)),
        ]
        return self._write(frame, renditions, root, events, dressed, ends=True)

    def _write(
        self,
        frame: Frame,
        renditions: Sequence[Rendition],
        root: Sequence[tuple[str, str]],
        events: Sequence[EventStream],
        dressed: Dressed,
        *,
        ends: bool,
    ) -> Pieces:
        lengths = [
            ("maxSegmentDuration", duration(Fraction(frame.target_s))),
            ("minBufferTime", duration(frame.segment_s)),
        ]
        out = Pieces()
        out.text(DECLARATION + tag("MPD", [*NAMESPACES, ("id", frame.id), *root, *lengths]))
        for clip in self._clips:
            ended = ends or clip is not self._clips[-1]
            shown = [dressed(r, clip.first) for r in renditions if r.folder in clip.lines]
            self._period(frame, clip, shown, events, out, ended=ended)
        if not ends:
            clock = [("schemeIdUri", HTTP_ISO), ("value", frame.time_url)]
            out.text(tag("UTCTiming", clock, close=True))
        out.text("</MPD>\n")
        return out

    def _period(
        self,
        frame: Frame,
        clip: Clip,
        shown: Sequence[Rendition],
        events: Sequence[EventStream],
        out: Pieces,
        *,
        ended: bool,
    ) -> None:
        begins_s = clip.first * frame.segment_s
        length_s = (clip.last + 1 - clip.first) * frame.segment_s
        attributes = [
            ("id", f"p{clip.first}"),
            ("start", duration(frame.at(clip.first))),
            ("duration", duration(length_s) if ended else None),
        ]
        out.text(tag("Period", attributes))
        out.text(event_streams(events, begins_s, begins_s + length_s if ended else None))
        sets = adaptation_sets(shown, lasting=True)
        for number, members in sets:
            out.text(set_opening(number, members, sets))
            for r in members:
                out.text(representation_opening(r))
                out.text(template_opening(r, clip.first, begins_s))
                out.text("<SegmentTimeline>\n")
                clip.lines[r.folder].write(out)
                out.text("</SegmentTimeline>\n</SegmentTemplate>\n</Representation>\n")
            out.text("</AdaptationSet>\n")
        out.text("</Period>\n")
