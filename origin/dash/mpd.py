"""DASH manifests of CMAF renditions, as pure functions (ISO/IEC 23009-1; DASH-IF timing model).

Rule ids D* are those of specs/dash.md. Segments are addressed by $Number$ over a SegmentTimeline
per Representation: exact for every ladder, and the same names as in the HLS playlists (TR-56).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from xml.sax.saxutils import quoteattr

from origin.tracks import Rendition, Segment

CONTENT_TYPE = "application/dash+xml"
PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
BLOCK = 16  # segments that one S may stand for
MIME = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}
# TR-72: channel count -> ISO/IEC 23091-3 ChannelConfiguration index
CHANNEL_CONFIGURATION = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 12}


@dataclass(frozen=True, slots=True)
class Timeline:
    """A rendition's segments within one Period."""

    rendition: Rendition
    segments: Sequence[Segment]


@dataclass(frozen=True, slots=True)
class Period:
    """Unbroken media. `start_s` is on the manifest's timeline; media time `start_s` plays at it."""

    id: str
    start_s: Fraction
    timelines: Sequence[Timeline]
    duration_s: Fraction | None = None


def static_mpd(period: Period, *, min_buffer_s: Fraction) -> str:
    """A VOD manifest of one Period; its duration is the presentation's (D1, DASH-M7)."""
    duration_s = period.duration_s or Fraction(0)
    root = (
        f'type="static" profiles="{PROFILE}" '
        f'mediaPresentationDuration="{duration(duration_s)}" '
        f'maxSegmentDuration="{duration(_longest_s([period]))}" '
        f'minBufferTime="{duration(min_buffer_s)}"'
    )
    return _document(root, [_period(period)])


def dynamic_mpd(
    periods: Sequence[Period],
    *,
    epoch_s: int,
    publish_s: int,
    segment_s: Fraction,
    max_segment_s: int,
    window_s: int,
    time_url: str,
) -> str:
    """A live manifest. `epoch_s`: wall clock of media time 0 (AST), `publish_s` of its end.

    publishTime comes from media time, so that two origins fed alike publish equal bytes (P5).
    """
    root = (
        f'id="live" type="dynamic" profiles="{PROFILE}" '
        f'availabilityStartTime="{_utc(epoch_s)}" publishTime="{_utc(publish_s)}" '
        f'minimumUpdatePeriod="{duration(segment_s)}" '
        f'timeShiftBufferDepth="{duration(Fraction(window_s))}" '
        f'suggestedPresentationDelay="{duration(min(3 * segment_s, Fraction(window_s, 2)))}" '
        f'maxSegmentDuration="{duration(Fraction(max_segment_s))}" '
        f'minBufferTime="{duration(segment_s)}"'
    )
    clock = (
        f'<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value={quoteattr(time_url)}/>'
    )
    return _document(root, [*(_period(p) for p in periods), clock])


def _document(root: str, children: Sequence[str]) -> str:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return "\n".join(
        [head, f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {root}>', *children, "</MPD>", ""]
    )


def _period(period: Period) -> str:
    length = f' duration="{duration(period.duration_s)}"' if period.duration_s else ""
    lines = [f'<Period id={quoteattr(period.id)} start="{duration(period.start_s)}"{length}>']
    sets: dict[tuple[object, ...], list[Timeline]] = {}
    for timeline in period.timelines:
        sets.setdefault(_set_key(timeline.rendition), []).append(timeline)
    for number, members in enumerate(sets.values(), 1):
        lines += _adaptation_set(number, members, period)
    return "\n".join([*lines, "</Period>"])


def _set_key(r: Rendition) -> tuple[object, ...]:
    """What must be equal for players to switch between renditions (C5, D11, TR-73)."""
    family = r.codecs.split(".")[0]
    if r.kind == "video":
        return (r.kind, family, r.timescale, r.video_range)
    return (r.kind, family, r.timescale, r.language, r.channels, r.roles, r.label)


def _adaptation_set(number: int, members: Sequence[Timeline], period: Period) -> list[str]:
    first = members[0].rendition
    attributes = [f'id="{number}" contentType="{first.kind}" mimeType="{MIME[first.kind]}"']
    attributes.append('segmentAlignment="true" startWithSAP="1"')
    if first.kind != "video" or first.language != "und":
        attributes.append(f"lang={quoteattr(first.language)}")
    if first.kind == "video":
        par = Fraction(first.width, first.height or 1) * first.sample_aspect
        attributes.append(f'par="{par.numerator}:{par.denominator}"')
    lines = [f"<AdaptationSet {' '.join(attributes)}>"]
    lines += [
        f'<Role schemeIdUri="urn:mpeg:dash:role:2011" value={quoteattr(role)}/>'
        for role in first.roles
    ]
    lines += [f"<Label>{_text(first.label)}</Label>"] if first.label else []
    for timeline in members:
        lines += _representation(timeline, period)
    return [*lines, "</AdaptationSet>"]


def _representation(timeline: Timeline, period: Period) -> list[str]:
    r = timeline.rendition
    attributes = [f"id={quoteattr(r.name)} codecs={quoteattr(r.codecs)}"]
    attributes.append(f'bandwidth="{max(r.bandwidth, 1)}"')
    if r.kind == "video":
        sar = r.sample_aspect
        attributes.append(f'width="{r.width}" height="{r.height}"')
        attributes.append(f'sar="{sar.numerator}:{sar.denominator}"')
        attributes += [f'frameRate="{r.frame_rate}"'] if r.frame_rate else []
    if r.kind == "audio" and r.sample_rate:
        attributes.append(f'audioSamplingRate="{r.sample_rate}"')
    lines = [f"<Representation {' '.join(attributes)}>"]
    if r.kind == "audio" and r.channels in CHANNEL_CONFIGURATION:
        lines.append(
            '<AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" '
            f'value="{CHANNEL_CONFIGURATION[r.channels]}"/>'
        )
    return [*lines, *_template(timeline, period), "</Representation>"]


def _template(timeline: Timeline, period: Period) -> list[str]:
    r = timeline.rendition
    number = timeline.segments[0].number if timeline.segments else 0
    shift = period.start_s * r.timescale
    return [
        f'<SegmentTemplate timescale="{r.timescale}" startNumber="{number}" '
        f'presentationTimeOffset="{shift.numerator // shift.denominator}" '
        'initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s">',
        "<SegmentTimeline>",
        *timeline_lines(timeline.segments, BLOCK),
        "</SegmentTimeline>",
        "</SegmentTemplate>",
    ]


def timeline_lines(segments: Sequence[Segment], block: int) -> list[str]:
    """S elements: @t == tfdt, @d the real duration, @t again where time jumps (D6).

    Repeats never cross a multiple of `block` segment numbers: S elements then only ever leave the
    head whole, as D7 demands of a live timeline.
    """
    runs: list[tuple[Segment, int]] = []
    end = -1
    for s in segments:
        if runs and s.start == end and runs[-1][0].duration == s.duration and s.number % block:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((s, 0))
        end = s.end
    lines = []
    end = -1
    for s, repeats in runs:
        t = f't="{s.start}" ' if s.start != end else ""
        r = f' r="{repeats}"' if repeats else ""
        lines.append(f'<S {t}d="{s.duration}"{r}/>')
        end = s.start + s.duration * (repeats + 1)
    return lines


def duration(seconds: Fraction) -> str:
    """xs:duration in seconds with microseconds at most (D12)."""
    micros = (2 * 10**6 * seconds.numerator + seconds.denominator) // (2 * seconds.denominator)
    text = f"{micros // 10**6}.{micros % 10**6:06d}".rstrip("0").rstrip(".")
    return f"PT{text}S"


def _longest_s(periods: Sequence[Period]) -> Fraction:
    return max(
        (
            Fraction(s.duration, t.rendition.timescale)
            for p in periods
            for t in p.timelines
            for s in t.segments
        ),
        default=Fraction(0),
    )


def _utc(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat().replace("+00:00", "Z")


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
