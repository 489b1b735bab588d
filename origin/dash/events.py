"""Timed events of a Period (ISO/IEC 23009-1, 5.10), as EventStream elements of an MPD."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from origin.dash.text import element, tag


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `start` and `duration` are in the stream's ticks, `start` on the media timeline.

    Without a duration it lasts until something else says so. `data`: a whole splice_info_section
    for SCTE 35 (TM2), or anything else as UTF-8 text or base64.
    """

    id: int
    start: int
    duration: int | None
    data: bytes


@dataclass(frozen=True, slots=True)
class EventStream:
    """The events of one scheme and value."""

    scheme: str
    value: str
    timescale: int
    events: tuple[Event, ...] = ()


SCTE35_BIN = "urn:scte:scte35:2014:xml+bin"
SCTE35_NAMESPACE = "http://www.scte.org/schemas/35/2016"
SPLICE_SCHEMES = frozenset(["urn:scte:scte35:2013:bin", SCTE35_BIN])


def event_streams(streams: Sequence[EventStream], start_s: Fraction, end_s: Fraction | None) -> str:
    """EventStream elements of a Period: what overlaps it, on its timeline.

    @presentationTimeOffset is the Period's start, so @presentationTime stays the media time.
    """
    return "".join(_stream(stream, start_s, end_s) for stream in streams)


def _stream(stream: EventStream, start_s: Fraction, end_s: Fraction | None) -> str:
    splice = stream.scheme in SPLICE_SCHEMES
    shift = int(start_s * stream.timescale)
    inside = [e for e in stream.events if _overlaps(e, stream.timescale, start_s, end_s)]
    if not inside:
        return ""
    opening = tag(
        "EventStream",
        [
            ("schemeIdUri", SCTE35_BIN if splice else stream.scheme),
            ("value", stream.value or None),
            ("timescale", stream.timescale),
            ("presentationTimeOffset", shift or None),
        ],
    )
    return opening + "".join(_event(e, splice=splice) for e in inside) + "</EventStream>\n"


def _overlaps(event: Event, timescale: int, start_s: Fraction, end_s: Fraction | None) -> bool:
    begin = Fraction(event.start, timescale)
    end = begin + Fraction(event.duration or 0, timescale)
    return (end > start_s or begin >= start_s) and (end_s is None or begin < end_s)


def _event(event: Event, *, splice: bool) -> str:
    attributes = [("presentationTime", event.start), ("duration", event.duration), ("id", event.id)]
    text = b64encode(event.data).decode()
    if splice:
        signal = f'<Signal xmlns="{SCTE35_NAMESPACE}"><Binary>{text}</Binary></Signal>'
        return f"{tag('Event', attributes)}{signal}\n</Event>\n"
    try:
        plain = event.data.decode()
    except UnicodeDecodeError:
        plain = ""
    if event.data and (not plain.isprintable() or not plain):
        return element("Event", [*attributes, ("contentEncoding", "base64")], text)
    return element("Event", attributes, plain)
