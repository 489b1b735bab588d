"""Event messages of fragmented inputs: what emsg boxes before fragments tell (TR-114, TR-115).

They go out as EventStream and DATERANGE, one id in both.
"""

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from zlib import crc32

import msgspec

from native.bmff import BoxError, walk
from native.bmff.events import read_events
from origin.dash.events import Event, EventStream
from origin.events import SPLICE, BadEvent, message
from origin.hls.media import date_time
from origin.vod.source import Source
from origin.vod.timeline import Placed

TIMESCALE = 90_000  # of the saved times: SCTE 35's clock


class Saved(msgspec.Struct, frozen=True):
    """One event on the title's clock, in ticks of TIMESCALE."""

    scheme: str
    value: str
    id: int
    start: int
    duration: int | None
    data: bytes

    @property
    def name(self) -> str:
        """ID of its date range, made as a live channel makes it."""
        kind = crc32(f"{self.scheme} {self.value}".encode())
        return f"event-{kind:08X}-{self.id:08X}-{self.start * 1000 // TIMESCALE}"


def find(source: Source, placed: Placed) -> list[Saved]:
    """The events of a file, repeats told once; those that no manifest could carry are noted."""
    found: dict[tuple[str, str, int], Saved] = {}
    scale = placed.edited.track.timescale
    zero = placed.edited.shift + placed.zero
    lost = 0
    for moof, piece in source.messages:
        try:
            told = [message(m) for m in read_events(piece, _earliest(moof, placed), scale)]
        except (BoxError, BadEvent):
            lost += 1
            continue
        for m in told:
            start = round((m.start_s - Fraction(zero, scale)) * TIMESCALE)
            length = None if m.duration_s is None else round(m.duration_s * TIMESCALE)
            if start + (length or 0) >= 0:
                event = Saved(m.scheme, m.value, m.id, max(start, 0), length, m.data)
                found.setdefault(m.key, event)
    if lost:
        source.notes.append(f"{source.name}: {lost} event messages cannot be read")
    return sorted(found.values(), key=lambda e: e.start)


def _earliest(moof: bytes, placed: Placed) -> int:
    """When the fragment is first presented, in ticks of the track: what version 0 counts from."""
    samples = placed.edited.samples
    for traf in (b for b in walk(moof, 8) if b.kind == "traf"):
        boxes = {b.kind: moof[b.body : b.end] for b in walk(moof, traf.body, traf.end)}
        if boxes.get("tfhd", b"")[4:8] != placed.edited.track.id.to_bytes(4, "big"):
            continue
        time = int.from_bytes(boxes.get("tfdt", b"")[4:12], "big")
        n = min(bisect_left(samples.dts, time), len(samples) - 1)
        return time + samples.cto[n]
    return 0


def inside(events: Sequence[Saved], start: int, end: int) -> list[Saved]:
    """Those of a clip, clipped to it (TR-117); ticks of TIMESCALE."""
    cut = []
    for e in events:
        until = e.start + (e.duration or 0)
        if e.start < end and (until > start or e.start >= start):
            low = max(e.start, start)
            length = None if e.duration is None else min(until, end) - low
            cut.append(Saved(e.scheme, e.value, e.id, low, length, e.data))
    return cut


def event_streams(events: Sequence[Saved]) -> list[EventStream]:
    """One for each scheme and value."""
    streams: dict[tuple[str, str], list[Event]] = {}
    for e in events:
        row = Event(e.id, e.start, e.duration, e.data)
        streams.setdefault((e.scheme, e.value), []).append(row)
    return [EventStream(s, v, TIMESCALE, tuple(rows)) for (s, v), rows in streams.items()]


def date_ranges(events: Sequence[Saved]) -> list[str]:
    """Lines of a playlist whose media time 0 is the first instant of 1970."""
    lines = []
    for e in events:
        attributes = [f'ID="{e.name}",CLASS="{_quoted(e.scheme)}"']
        attributes.append(f'START-DATE="{date_time(e.start, TIMESCALE, 0)}"')
        if e.duration is not None:
            attributes.append(f"DURATION={e.duration / TIMESCALE:.3f}")
        attributes += [f'X-VALUE="{_quoted(e.value)}"'] if e.value else []
        name = "SCTE35-CMD" if e.scheme in SPLICE else "X-MESSAGE-DATA"
        attributes += [f"{name}=0x{e.data.hex().upper()}"] if e.data else []
        lines.append(f"#EXT-X-DATERANGE:{','.join(attributes)}")
    return lines


def _quoted(text: str) -> str:
    return text.replace('"', "'")
