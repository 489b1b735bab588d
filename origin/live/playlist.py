"""One live media playlist: rendered after a change, at a cost that the window does not add to.

Theory of operation
1. A published segment's lines never change, but for its parts, which leave the playlist when they
   are PARTS_LISTED target durations from its end (HLS-3, HLS-18). Lines are rendered once.
2. A window of LONG segments or more begins at a multiple of BLOCK and rolls by whole blocks
   (rolling.py); what is behind the last settled block is the tail. A shorter window is all tail.
3. Of the number after the edge, the closed parts are listed once every track has begun it, so that
   it is settled whether it is a break (HLS-16).
4. All of it is a function of the logs and `channel.json`: who follows them renders equal bytes.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from origin.delivery.directives import Position, Skip
from origin.hls import daterange, low_latency
from origin.hls.daterange import DateRange, Selection
from origin.hls.forms import MAP, Form
from origin.hls.low_latency import Report
from origin.hls.media import opening_lines, part_name, segment_lines
from origin.hls.rolling import BLOCK, Run, Text, block
from origin.live.channel import LiveChannel
from origin.live.labels import Name
from origin.live.parts import gaps, spans
from origin.live.presentation import LONG
from origin.live.sealing import Sealing
from origin.live.telling import cue_tags
from origin.live.track import LiveTrack
from origin.tracks import Part, Segment

EPOCH_S = 0  # media time counts from 1970


@dataclass(frozen=True, slots=True)
class View:
    """What a body shows of its surroundings: the number that heads it, the one that headed it
    SKIP_UNTIL target durations ago, and what stands beside the segments.
    """

    first: int
    before: int
    reports: Sequence[Report] = ()
    ranges: Sequence[DateRange] = ()


class LivePlaylist:
    """The media playlist of one track, in one form."""

    def __init__(
        self, channel: LiveChannel, track: LiveTrack, form: Form, sealing: Sealing
    ) -> None:
        self.channel = channel
        self._sealing = sealing
        self.track = track
        self.form = form
        self.coming: tuple[Part, ...] = ()  # listed parts of the number after the edge
        self._sealed = False  # no more of them will come
        self._segments: dict[int, Segment] = {}
        self._parted: dict[int, Segment] = {}
        self._lines: dict[tuple[int, bool], str] = {}
        self._run = Run()
        self._starts: deque[int] = deque()  # of the run's blocks
        self._settled = 0  # the number after the run
        self._oldest = 0  # that is remembered by itself

    def follow(self, opened: bool) -> bool:
        """Look at the number after the edge again, of which parts can be listed if it is `opened`;
        whether they became more, or can no longer.
        """
        before = self.coming, self._sealed
        self.coming, self._sealed = (), False
        if opened and not self.channel.ended:
            self.coming = self._parts(self.channel.edge + 1)
            self._sealed = self.track.whole(self.channel.edge + 1) is not None
        return (self.coming, self._sealed) != before

    @property
    def leaf(self) -> str:
        """Where it is below the channel's folder."""
        return f"{self.track.rendition.name}/{self.form.leaf}"

    @property
    def position(self) -> Position:
        edge, part_s = self.channel.edge, self.channel.part_s
        if part_s is None or not self.form.parts:
            return Position(edge)
        return Position(edge, len(self._with_parts(edge).parts), len(self.coming), part_s)

    @property
    def at_ms(self) -> int:
        """When what ends the playlist could be had first, in ms since 1970."""
        if not self.coming:
            return int((self.channel.edge + 1) * (self.channel.duration_s or 1) * 1000)
        part = self.coming[-1]
        return (part.start + part.duration) * 1000 // self.track.timescale

    @property
    def following(self) -> Name:
        """The media that players of this playlist ask for next."""
        if self.channel.part_s is not None and self.form.parts and not self.channel.ended:
            return Name(*self._next_part())
        return Name(self.channel.edge, None, self.form.suffix)

    def report(self, base: str) -> Report:
        """How far this playlist is, told in another one."""
        at = self.position
        uri = f"{base}{self.leaf}"
        if at.next_parts:
            return Report(uri, at.msn + 1, at.next_parts - 1)
        return Report(uri, at.msn, at.parts - 1 if at.parts else None)

    def text(self, view: View, skip: Skip = "") -> Text:
        """The playlist; `skip` asks for a delta update, which ended ones have none of (HLS-22)."""
        first = view.first
        self._settle(first, long=self.channel.edge + 1 - first >= LONG)
        until = self._skipped_until(first) if skip and not self.channel.ended else first
        if until > first:
            dates = self._dates(view, skip)
            removed = dates.removed if skip == "v2" else None
            head = self._head(first, low_latency.SKIP_VERSION[skip], dates.lines)
            head.append(low_latency.skip_line(until - first, removed))
            head += self._sealing.lines(self.track.rendition, until, self.form, head=True)
            return Run().wrapped(_joined(head), self._tail(until, view.reports))
        head = self._head(first, self.form.version, self._dates(view, "").lines)
        head += self._sealing.lines(self.track.rendition, first, self.form, head=True)
        return self._run.wrapped(_joined(head), self._tail(self._settled, view.reports))

    def _head(self, first: int, version: int, dates: Sequence[str]) -> list[str]:
        channel = self.channel
        kept = channel.kept
        return [
            "#EXTM3U",
            f"#EXT-X-VERSION:{version}",
            f"#EXT-X-TARGETDURATION:{kept.target_s}",
            *low_latency.control_lines(kept.target_s, channel.part_s, end=channel.ended),
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{sum(b < first for b in kept.breaks)}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *(line for line in self.form.head if line != MAP or not self._sealing.on),
            *dates,
        ]

    def _tail(self, first: int, reports: Sequence[Report]) -> bytes:
        """Segments from this number on, the one in the making, and what is about the end."""
        channel, timescale = self.channel, self.track.timescale
        parted = self._parted_from
        lines = [
            self._segment_lines(number, number >= parted)
            for number in range(first, channel.edge + 1)
        ]
        coming = channel.edge + 1
        if self.coming:
            part = self.coming[0]
            broken = coming in channel.kept.breaks
            opening = Segment(coming, part.start, 0, discontinuity=broken, parts=self.coming)
            lines += self._turning(coming) + self._cues(coming)
            lines += opening_lines(opening, timescale, EPOCH_S, self.form.suffix)
        if channel.ended:
            lines.append("#EXT-X-ENDLIST")
        elif channel.part_s is not None and self.form.parts:
            if (header := self._sealing.coming(self.track.rendition)) is not None:
                lines.append(low_latency.map_hint_line(header))
            lines.append(low_latency.hint_line(part_name(*self._next_part())))
        if channel.part_s is not None and not channel.ended:
            lines += [low_latency.report_line(report) for report in reports]
        return _joined(lines)

    def _next_part(self) -> tuple[int, int]:
        """Number and index of the part that comes next; a whole segment has no more."""
        coming = self.channel.edge + 1
        if self.coming and self.track.whole(coming) is not None:
            return coming + 1, 0
        return coming, len(self.coming)

    @property
    def _parted_from(self) -> int:
        """The oldest number that still shows its parts."""
        return self._from_end(low_latency.PARTS_LISTED)

    def _skipped_until(self, first: int) -> int:
        """The oldest number that a delta update shows: all before it lie wholly outside."""
        return max(self._from_end(low_latency.SKIP_UNTIL), first)

    def _from_end(self, targets: int) -> int:
        """The oldest number that reaches into the last `targets` target durations."""
        edge = self.channel.edge
        number, length = edge, targets * self.channel.kept.target_s * self.track.timescale
        bound = self._segment(edge).end - length
        while number > self.channel.kept.first and self._segment(number - 1).end > bound:
            number -= 1
        return number

    def _dates(self, view: View, skip: Skip) -> Selection:
        duration_s = self.channel.duration_s or Fraction(1)
        first_s = view.first * duration_s
        if skip != "v2":
            return daterange.listed(view.ranges, first_s)
        span_s = low_latency.SKIP_UNTIL * self.channel.kept.target_s
        since_s = (self.channel.edge + 1) * duration_s - span_s
        return daterange.recent(view.ranges, first_s, view.before * duration_s, since_s)

    def _settle(self, first: int, *, long: bool) -> None:
        """Bring the run up to date, and forget lines that no body needs."""
        while self._starts and self._starts[0] < first:
            self._starts.popleft()
            self._run.drop()
        if not long or not self._starts or self._starts[0] != first:
            self._run, self._starts, self._settled = Run(), deque(), first
        final = self._parted_from
        while long and (end := self._settled - self._settled % BLOCK + BLOCK) <= final:
            lines = [self._segment_lines(n, False) for n in range(self._settled, end)]
            self._run.append(block(_joined(lines)))
            self._starts.append(self._settled)
            self._settled = end
        oldest = min(self._settled, self._skipped_until(first))
        if oldest != self._oldest:
            self._oldest = oldest
            for cache in (self._segments, self._parted):
                for number in [number for number in cache if number < oldest]:
                    del cache[number]
            for key in [key for key in self._lines if key[0] < oldest]:
                del self._lines[key]

    def trim(self) -> None:
        """Forget segments that only the lines of bodies are made of: nobody may ask for one."""
        oldest = self._from_end(low_latency.SKIP_UNTIL)
        for number in [number for number in self._segments if number < oldest]:
            del self._segments[number]

    def unlisted_parts(self) -> list[str]:
        """Names of parts that were listed and are no longer: the log has them (HLS-18)."""
        parted = self._parted_from
        old = [self._parted.pop(number) for number in sorted(self._parted) if number < parted]
        return [part_name(s.number, index) for s in old for index in range(len(s.parts))]

    def _segment_lines(self, number: int, parted: bool) -> str:
        lines = self._lines.get((number, parted))
        if lines is None:
            segment = self._with_parts(number) if parted else self._segment(number)
            lines = segment_lines(segment, self.track.timescale, EPOCH_S, self.form.suffix)
            lines = "\n".join([*self._turning(number), *self._cues(number), lines])
            self._lines[number, parted] = lines
        return lines

    def _turning(self, number: int) -> list[str]:
        return self._sealing.lines(self.track.rendition, number, self.form)

    def _cues(self, number: int) -> list[str]:
        spans = self.channel.cues
        return cue_tags(spans, number, self.channel.duration_s or Fraction(1)) if spans else []

    def _segment(self, number: int) -> Segment:
        """A published segment without its parts. A gap begins where the parts that came do."""
        segment = self._segments.get(number)
        if segment is None:
            segment = self.channel.listed(self.track, number, number)[0]
            if segment.gap and (parts := self._parts(number)):
                length = segment.end - parts[0].start
                segment = replace(segment, start=parts[0].start, duration=length)
            self._segments[number] = segment
        return segment

    def _with_parts(self, number: int) -> Segment:
        """A published segment. What a lost one lacks behind the parts that came is gap parts."""
        segment = self._parted.get(number)
        if segment is None:
            segment, parts = self._segment(number), self._parts(number)
            if segment.gap and parts and self.channel.part_s is not None:
                end = parts[-1].start + parts[-1].duration
                rest = gaps(end, segment.end, self.channel.part_s, self.track.timescale)
                parts = (*parts, *rest)
            segment = self._parted[number] = replace(segment, parts=parts)
        return segment

    def _parts(self, number: int) -> tuple[Part, ...]:
        part_s = self.channel.part_s if self.form.parts else None
        return tuple(span.part for span in spans(self.track, number, part_s))


def _joined(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
