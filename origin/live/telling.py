"""How manifests tell a channel's events: HLS date ranges, DASH event streams (TM9, TR-115)."""

from collections.abc import Sequence
from fractions import Fraction
from zlib import crc32

from origin.dash.events import Event, EventStream
from origin.events import ID3, Span
from origin.hls.daterange import DateRange
from origin.hls.media import date_time
from origin.live.channel import LiveChannel
from origin.live.events import Heard, Shown

SCALE = 90_000  # of event streams
NEAR_S = Fraction(1, 20)  # a splice this little behind a boundary is at the boundary
MESSAGE_BYTES = 1024  # of a message that a date range carries


class Telling:
    """What one channel's events are in the manifests of its edge."""

    def __init__(self, channel: LiveChannel) -> None:
        self._channel = channel
        self._made: tuple[Shown, list[DateRange], list[EventStream]] = (Shown(), [], [])

    def ranges(self) -> list[DateRange]:
        return self._now()[1]

    def streams(self) -> list[EventStream]:
        return self._now()[2]

    def _now(self) -> tuple[Shown, list[DateRange], list[EventStream]]:
        shown = self._channel.shown
        if shown is not self._made[0]:
            segment_s = self._channel.duration_s or Fraction(1)
            self._made = (shown, date_ranges(shown, segment_s), event_streams(shown))
        return self._made


def date_ranges(shown: Shown, segment_s: Fraction) -> list[DateRange]:
    """Splice spans, and every other message with its scheme as CLASS; ID3 stays in the media."""
    ranges = [_span(span, segment_s) for span in shown.spans]
    told: dict[str, DateRange] = {}
    for heard in shown.heard:
        message = heard.message
        if not message.is_splice and not (message.source and message.scheme == ID3):
            found = _message(heard, segment_s)
            told.setdefault(found.id, found)
    return sorted([*ranges, *told.values()], key=lambda r: (r.start_s, r.id))


def event_streams(shown: Shown) -> list[EventStream]:
    """Messages of event tracks; what media carries is announced where the media is (InbandEvent-
    Stream), and not told twice.
    """
    streams: dict[tuple[str, str], list[Event]] = {}
    for heard in shown.heard:
        message = heard.message
        if message.source:
            continue
        start = round(message.start_s * SCALE)
        duration = None if message.duration_s is None else round(message.duration_s * SCALE)
        number = crc32(f"{message.id} {start}".encode()) if heard.reused else message.id
        event = Event(number, start, duration, message.data)
        streams.setdefault((message.scheme, message.value), []).append(event)
    return [
        EventStream(scheme, value, SCALE, tuple(sorted(events, key=lambda e: (e.start, e.id))))
        for (scheme, value), events in sorted(streams.items())
    ]


def cue_tags(spans: Sequence[Span], number: int, segment_s: Fraction) -> list[str]:
    """EXT-X-CUE-OUT and EXT-X-CUE-IN in front of the segment of this number: breaks that begin or
    end there, or inside of the one before it (TM7, TM9). Older ad inserters read these.

    An end that was heard of after the segment was published is told by the date range alone, for
    the lines of a segment never change (HLS-3).
    """
    tags = []
    after_s, until_s = (number - 1) * segment_s + NEAR_S, number * segment_s + NEAR_S
    for span in spans:
        if not span.out:
            continue
        if after_s < span.start_s <= until_s:
            length = "" if span.planned_s is None else f":{_seconds(span.planned_s)}"
            tags.append(f"#EXT-X-CUE-OUT{length}")
        in_time = span.by_plan or span.number <= number
        if span.end_s is not None and in_time and after_s < span.end_s <= until_s:
            tags.append("#EXT-X-CUE-IN")
    return tags


def _span(span: Span, segment_s: Fraction) -> DateRange:
    """What opens and, once the end is known, another tag of the same ID that closes (HLS-42)."""
    name = f'ID="{span.id}",START-DATE="{_date(span.start_s)}"'
    moment = span.cmd and span.end_s == span.start_s
    opening = [name]
    opening += [f"PLANNED-DURATION={_seconds(span.planned_s)}"] if span.planned_s else []
    opening += ["DURATION=0.000"] if moment else []
    opening += [f'X-UPID="{_quoted(" ".join(span.upids))}"'] if span.upids else []
    opening += [f"SCTE35-OUT=0x{span.out.hex().upper()}"] if span.out else []
    opening += [f"SCTE35-CMD=0x{span.cmd.hex().upper()}"] if span.cmd else []
    lines = [f"#EXT-X-DATERANGE:{','.join(opening)}"]
    number = span.number
    if span.end_s is not None and not moment:
        closing = [name, f"DURATION={_seconds(span.end_s - span.start_s)}"]
        ending = "SCTE35-IN" if span.out else "X-SCTE35-END"
        closing += [f"{ending}=0x{span.back.hex().upper()}"] if span.back else []
        lines.append(f"#EXT-X-DATERANGE:{','.join(closing)}")
        if span.by_plan:
            number = max(number, -(-span.end_s // segment_s) - 1)
    return DateRange(
        span.id, span.start_s, span.known_end_s, (number + 1) * segment_s, tuple(lines)
    )


def _message(heard: Heard, segment_s: Fraction) -> DateRange:
    message = heard.message
    kind = crc32(f"{message.scheme} {message.value}".encode())
    name = f"event-{kind:08X}-{message.id:08X}-{int(message.start_s * 1000)}"
    attributes = [f'ID="{name}",CLASS="{_quoted(message.scheme)}"']
    attributes.append(f'START-DATE="{_date(message.start_s)}"')
    end_s = message.start_s + (message.duration_s or 0)
    if message.duration_s is not None:
        attributes.append(f"DURATION={_seconds(message.duration_s)}")
    attributes += [f'X-VALUE="{_quoted(message.value)}"'] if message.value else []
    if 0 < len(message.data) <= MESSAGE_BYTES:
        attributes.append(f"X-MESSAGE-DATA=0x{message.data.hex().upper()}")
    lines = (f"#EXT-X-DATERANGE:{','.join(attributes)}",)
    return DateRange(name, message.start_s, end_s, (heard.number + 1) * segment_s, lines)


def _date(time_s: Fraction) -> str:
    return date_time(time_s.numerator, time_s.denominator, 0)


def _seconds(value_s: Fraction) -> str:
    ms = round(value_s * 1000)
    return f"{ms // 1000}.{ms % 1000:03d}"


def _quoted(text: str) -> str:
    return text.replace('"', "'")
