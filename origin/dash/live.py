"""Live manifests: what an edition of a channel's MPD says, and its text (ISO/IEC 23009-1).

Theory of operation
1. An edition is a snapshot of small facts: Periods, renditions, marks into timelines. It is made at
   each step of the edge, and publishTime is the end of the newest media: two origins fed alike
   publish equal editions (P5), and a later one can be told from an earlier one (patch.py).
2. The regular form lists segments in a SegmentTimeline per Representation; it names no segment
   before it is whole, so it needs no availabilityTimeOffset (D16).
3. The low-latency form counts segments on the channel's grid (@duration), so it is not news when
   there is one more; media is announced from its first chunk on (L6).
4. A Period begins where the timeline breaks or the set of renditions changes (D3, D13), and ends
   where the last segment of all its renditions does, told once the next one begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from origin.dash.events import EventStream, event_streams
from origin.dash.mpd import DECLARATION, NAMESPACES, PROFILE, names, template_opening
from origin.dash.pieces import Pieces
from origin.dash.sets import Sets, adaptation_sets, representation_opening, set_opening
from origin.dash.text import decimal, duration, element, tag, utc
from origin.dash.timeline import Line, Mark
from origin.tracks import Rendition

LOW_LATENCY = "http://www.dashif.org/guidelines/low-latency-live-v5"  # L1
HTTP_ISO = "urn:mpeg:dash:utc:http-iso:2014"
RATE_RANGE = ("0.96", "1.04")  # PlaybackRate within which nobody hears a change
LATENCY_RANGE = (Fraction(1, 2), Fraction(2))  # of the target
RESYNC_TYPE = 2  # every CMAF chunk can be parsed from its start, not every one decoded
PRESENTATION_SEGMENTS = 3  # suggested distance to the edge of the regular form


@dataclass(frozen=True, slots=True)
class LowLatency:
    """What the low-latency form promises: target latency and chunk duration (L2, L6)."""

    target_s: Fraction
    chunk_s: Fraction


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all editions of one manifest. `stem` is its file name without extension."""

    channel: str
    stem: str
    segment_s: Fraction
    max_segment_s: int
    window_s: int
    time_url: str
    patch_ttl_s: int
    low: LowLatency | None = None

    @property
    def id(self) -> str:
        return f"{self.channel}.{self.stem}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A rendition of a Period, with its timeline and what of it is listed."""

    rendition: Rendition
    line: Line
    mark: Mark


@dataclass(frozen=True, slots=True)
class Span:
    """A Period from segment `first` to `last`; `closed` once nothing more can follow.

    `lag_ms`: how far the encoder's wall clock was behind media time (negative: ahead) when the
    Period began, as its prft said; None without prft. `until`: the last segment of a Period that
    is not over, where that is known; who counts segments is told, lest they count on (PR-51).
    """

    first: int
    last: int
    shown: tuple[Shown, ...]
    closed: bool = False
    lag_ms: int | None = None
    events: tuple[EventStream, ...] = ()
    until: int | None = None

    def end(self, terms: Terms) -> int | None:
        """The number behind its last, None while that is open."""
        if terms.low is not None and self.until is not None:
            return self.until + 1
        return self.last + 1 if self.closed else None

    @property
    def id(self) -> str:
        return f"p{self.first}"

    def sets(self, terms: Terms) -> Sets:
        """Without trick renditions in the low-latency form: they follow whole segments only."""
        members = [s.rendition for s in self.shown if not (terms.low and s.rendition.trick_of)]
        return adaptation_sets(members, lasting=True)

    def find(self, r: Rendition) -> Shown:
        return next(s for s in self.shown if s.rendition.name == r.name)


@dataclass(frozen=True, slots=True)
class Edition:
    """One published version of a manifest."""

    publish_ms: int
    spans: tuple[Span, ...]
    ended: bool = False
    coming: tuple[Span, ...] = ()  # Periods that have no media yet (PR-53)

    def listed(self, terms: Terms) -> tuple[Span, ...]:
        """The Periods of one form: one without media has a place where segments are counted."""
        return self.spans + self.coming if terms.low is not None else self.spans


def write(terms: Terms, edition: Edition) -> Pieces:
    """The whole manifest."""
    out = Pieces()
    out.text(DECLARATION + tag("MPD", [*NAMESPACES, *root(terms, edition)]))
    out.text(patch_location(terms, edition) + _service(terms))
    for span in edition.listed(terms):
        period(terms, span, out)
    out.text(_clock(terms) + _LEAP + "</MPD>\n")
    return out


def root(terms: Terms, edition: Edition) -> list[tuple[str, str | None]]:
    """MPD attributes (D1, D4, D10)."""
    low = terms.low
    delay_s = min(PRESENTATION_SEGMENTS * terms.segment_s, Fraction(terms.window_s, 2))
    return [
        ("id", terms.id),
        ("type", "dynamic"),
        ("profiles", f"{PROFILE},{LOW_LATENCY}" if low else PROFILE),
        ("availabilityStartTime", utc(0)),
        ("publishTime", utc(edition.publish_ms)),
        ("minimumUpdatePeriod", None if edition.ended else duration(terms.segment_s)),
        ("timeShiftBufferDepth", duration(Fraction(terms.window_s))),
        ("suggestedPresentationDelay", duration(low.target_s if low else delay_s)),
        ("maxSegmentDuration", duration(Fraction(terms.max_segment_s))),
        ("minBufferTime", duration(low.chunk_s if low else terms.segment_s)),
    ]


def patch_location(terms: Terms, edition: Edition) -> str:
    """Where the difference to a later edition will be; nowhere once there is none (P6)."""
    if edition.ended:
        return ""
    name = f"{terms.stem}-{edition.publish_ms}.mpp"
    return element("PatchLocation", [("ttl", terms.patch_ttl_s)], name)


def period(terms: Terms, span: Span, out: Pieces) -> None:
    out.text(tag("Period", period_attributes(terms, span)))
    out.text(events(terms, span))
    sets = span.sets(terms)
    for number, members in sets:
        adaptation_set(terms, span, (number, members), sets, out)
    out.text("</Period>\n")


def period_attributes(terms: Terms, span: Span) -> list[tuple[str, str | None]]:
    """D2. Length and start lie on the grid, so that Periods without a hole between them touch."""
    end = span.end(terms)
    length = None if end is None else duration((end - span.first) * terms.segment_s)
    start = duration(span.first * terms.segment_s)
    return [("id", span.id), ("start", start), ("duration", length)]


def events(terms: Terms, span: Span) -> str:
    end = span.end(terms)
    end_s = None if end is None else end * terms.segment_s
    return event_streams(span.events, span.first * terms.segment_s, end_s)


def adaptation_set(
    terms: Terms, span: Span, own: tuple[int, Sequence[Rendition]], sets: Sets, out: Pieces
) -> None:
    number, members = own
    producer = _producer(terms, span, number) if terms.low else ""
    out.text(set_opening(number, members, sets, producer))
    if terms.low is not None:
        out.text(_template(terms, terms.low, span, members[0]))
    for r in members:
        representation(terms, span, span.find(r), out)
    out.text("</AdaptationSet>\n")


def representation(terms: Terms, span: Span, shown: Shown, out: Pieces) -> None:
    """Without its own template in the low-latency form: ATO belongs higher up (D9)."""
    r = shown.rendition
    out.text(representation_opening(r))
    if terms.low is not None:
        out.text(_resync(terms, terms.low))
    else:
        start_s = span.first * terms.segment_s
        out.text(template_opening(r, shown.mark.number, start_s) + "<SegmentTimeline>\n")
        shown.line.write(out)
        out.text("</SegmentTimeline>\n</SegmentTemplate>\n")
    out.text("</Representation>\n")


def _template(terms: Terms, low: LowLatency, span: Span, r: Rendition) -> str:
    """$Number$ on the grid (L6): segment n begins at n times the segment duration, exactly.

    The timescale is one in which that duration is whole.
    """
    timescale = grid_timescale(terms.segment_s)
    attributes = [
        ("timescale", timescale),
        ("presentationTimeOffset", int(span.first * terms.segment_s * timescale)),
        ("duration", int(terms.segment_s * timescale)),
        ("startNumber", span.first),
        ("availabilityTimeOffset", decimal(max(terms.segment_s - low.chunk_s, Fraction(0)))),
        ("availabilityTimeComplete", "false"),
        *names(r),
    ]
    return tag("SegmentTemplate", attributes, close=True)


def grid_timescale(segment_s: Fraction) -> int:
    """Ticks per second that divide a segment, about a microsecond long."""
    return segment_s.denominator * max(1, 10**6 // segment_s.denominator)


def _resync(terms: Terms, low: LowLatency) -> str:
    """L7: every chunk starts with marked boxes; @dT is in ticks of the template."""
    ticks = int(low.chunk_s * grid_timescale(terms.segment_s))
    attributes = [("type", RESYNC_TYPE), ("dT", ticks), ("dImin", 0), ("dImax", 1)]
    return tag("Resync", [*attributes, ("marker", "true")], close=True)


def _producer(terms: Terms, span: Span, number: int) -> str:
    """L4: the wall clock at the start of the Period, as the encoder's prft had it there.

    Without prft media time is taken for it: sources on the epoch say so themselves (AB1), and the
    others were put there by the clock. Either way it follows from media alone, equally on all
    origins (P5).
    """
    start_s = span.first * terms.segment_s
    wall_ms = int(start_s * 1000) - (span.lag_ms or 0)
    opening = tag(
        "ProducerReferenceTime",
        [
            ("id", number),
            ("inband", "false" if span.lag_ms is None else "true"),
            ("type", "encoder"),
            ("wallClockTime", utc(wall_ms)),
            ("presentationTime", int(start_s * grid_timescale(terms.segment_s))),
        ],
    )
    return f"{opening}{_clock(terms)}</ProducerReferenceTime>\n"


def _service(terms: Terms) -> str:
    """L2: the latency to aim for, in milliseconds."""
    if terms.low is None:
        return ""
    target_ms = int(terms.low.target_s * 1000)
    least, most = (int(target_ms * part) for part in LATENCY_RANGE)
    latency = tag("Latency", [("min", least), ("max", most), ("target", target_ms)], close=True)
    rate = tag("PlaybackRate", [("min", RATE_RANGE[0]), ("max", RATE_RANGE[1])], close=True)
    return f"{tag('ServiceDescription', [('id', 0)])}{latency}{rate}</ServiceDescription>\n"


def _clock(terms: Terms) -> str:
    return tag("UTCTiming", [("schemeIdUri", HTTP_ISO), ("value", terms.time_url)], close=True)


# D5: media time counts POSIX seconds, which leap seconds do not move
_LEAP = tag("LeapSecondInformation", [("availabilityStartLeapOffset", 0)], close=True)
