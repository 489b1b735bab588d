"""Static manifests of CMAF renditions, as a pure function (ISO/IEC 23009-1; DASH-IF timing model).

Rule ids D* are those of specs/dash.md. Segments are addressed by $Number$ over a SegmentTimeline
per Representation: exact for every ladder, and the same names as in the HLS playlists (TR-56).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from origin.dash.events import EventStream, event_streams
from origin.dash.images import image_set
from origin.dash.sets import adaptation_sets, representation_opening, set_opening
from origin.dash.text import duration, tag
from origin.dash.timeline import timeline_lines
from origin.tiles import Tiles
from origin.tracks import Rendition, Segment

CONTENT_TYPE = "application/dash+xml"
PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACES = (
    ("xmlns", "urn:mpeg:dash:schema:mpd:2011"),
    ("xmlns:scte214", "urn:scte:dash:scte214-extensions"),
)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A rendition's segments within one Period."""

    rendition: Rendition
    segments: Sequence[Segment]


@dataclass(frozen=True, slots=True)
class Period:
    """Unbroken media. `start_s` is on the manifest's timeline; the media time `start_s` + `media_s`
    plays at it.
    """

    id: str
    start_s: Fraction
    timelines: Sequence[Timeline]
    duration_s: Fraction | None = None
    media_s: Fraction = Fraction(0)
    events: Sequence[EventStream] = ()
    images: Sequence[Tiles] = ()


def static_mpd(*periods: Period, min_buffer_s: Fraction) -> str:
    """A VOD manifest; the presentation ends with the last Period (D1, DASH-M7)."""
    last = periods[-1]
    root = [
        *NAMESPACES,
        ("type", "static"),
        ("profiles", PROFILE),
        ("mediaPresentationDuration", duration(last.start_s + (last.duration_s or 0))),
        ("maxSegmentDuration", duration(max(map(_longest_s, periods)))),
        ("minBufferTime", duration(min_buffer_s)),
    ]
    return f"{DECLARATION}{tag('MPD', root)}{''.join(map(_period, periods))}</MPD>\n"


def template_opening(r: Rendition, number: int, start_s: Fraction) -> str:
    """SegmentTemplate of one Representation with a SegmentTimeline (D6)."""
    return tag(
        "SegmentTemplate",
        [
            ("timescale", r.timescale),
            ("presentationTimeOffset", int(start_s * r.timescale)),
            ("startNumber", number),
            *names(r),
        ],
    )


def names(r: Rendition) -> list[tuple[str, object]]:
    """How media and header are addressed (D6): one template for every set of renditions that are
    folders themselves.
    """
    folder = r.trick_of or "$RepresentationID$"
    return [
        ("initialization", f"{folder}/{r.header}"),
        ("media", f"{folder}/$Number${r.suffix}"),
    ]


def _period(period: Period) -> str:
    length_s = period.duration_s
    length = duration(length_s) if length_s else None
    text = tag(
        "Period", [("id", period.id), ("start", duration(period.start_s)), ("duration", length)]
    )
    zero_s = period.start_s + period.media_s
    text += event_streams(period.events, zero_s, zero_s + length_s if length_s else None)
    segments = {t.rendition.name: t.segments for t in period.timelines}
    sets = adaptation_sets([t.rendition for t in period.timelines])
    for number, members in sets:
        text += set_opening(number, members, sets)
        for r in members:
            text += representation_opening(r) + _template(r, segments[r.name], zero_s)
            text += "</Representation>\n"
        text += "</AdaptationSet>\n"
    for number, tiles in enumerate(period.images, len(sets) + 1):
        text += image_set(number, tiles, zero_s, zero_s + (length_s or tiles.duration_s))
    return text + "</Period>\n"


def _template(r: Rendition, segments: Sequence[Segment], start_s: Fraction) -> str:
    lines = "\n".join(timeline_lines(segments))
    opening = template_opening(r, segments[0].number if segments else 0, start_s)
    return f"{opening}<SegmentTimeline>\n{lines}\n</SegmentTimeline>\n</SegmentTemplate>\n"


def _longest_s(period: Period) -> Fraction:
    lengths = [
        Fraction(s.duration, t.rendition.timescale) for t in period.timelines for s in t.segments
    ]
    return max(
        [*lengths, *(Fraction(tiles.sheet_s) for tiles in period.images)], default=Fraction()
    )
