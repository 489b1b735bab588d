"""Chapters of a title: a chap text track, a chpl box, or a file beside it (TR-116, TR-117)."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from native.bmff import Box, BoxError, walk
from origin.dash.events import Event, EventStream
from origin.hls.media import date_time
from origin.text import tx3g
from origin.text.errors import BadText
from origin.vod.errors import VodError
from origin.vod.inside import spans
from origin.vod.source import Source

SCHEME = "urn:headwater:chapter:2026"  # of EventStream; CLASS of DATERANGE
CLASS = "headwater.chapter"
LEAF = "chapters.json"
SESSION_DATA = "com.apple.hls.chapters"
MOST = 1000
TITLE_CHARACTERS = 200
TICKS = 10_000_000  # chpl counts 100 ns
TIMESCALE = 1000


class Chapter(msgspec.Struct, frozen=True):
    """From `start_ms` to `end_ms` of the title's clock."""

    id: int
    start_ms: int
    end_ms: int
    title: str


@dataclass(frozen=True, slots=True)
class Found:
    """What an input tells: times in milliseconds of its presentation."""

    starts: Sequence[tuple[int, str]]
    tracks: frozenset[int] = frozenset()  # text tracks that hold chapters

    def chapters(self, shift_s: Fraction, duration_s: Fraction) -> list[Chapter]:
        """One after the other, each until the next. Time 0 of the input is `shift_s`."""
        shift, end = round(shift_s * 1000), int(duration_s * 1000)
        times = sorted((max(at + shift, 0) if at else 0, title) for at, title in self.starts)
        inside = [(at, title) for at, title in times if at < end][:MOST]
        ends = [*(at for at, _ in inside), end][1:]
        return [
            Chapter(n, at, until, title[:TITLE_CHARACTERS] or f"Chapter {n}")
            for n, ((at, title), until) in enumerate(zip(inside, ends, strict=True), 1)
            if at < until
        ]


NONE = Found(())


def find(source: Source) -> Found:
    """Chapters of a file; where both are, the track wins (TR-116)."""
    moov = source.moov
    try:
        tracks = frozenset(_referenced(moov))
        titles = _track(source, tracks) or _chpl(moov)
    except BoxError as error:
        raise VodError.of_box(error, source.name) from error
    except (BadText, struct.error) as error:
        source.notes.append(f"{source.name}: its chapters cannot be read: {error}")
        return Found((), tracks)
    return Found(titles, tracks)


def _children(data: bytes, path: str) -> list[Box]:
    """Boxes at a path below moov."""
    found = [Box("moov", 0, 8, len(data))]
    for kind in path.split("/"):
        found = [b for parent in found for b in walk(data, parent.body, parent.end)]
        found = [b for b in found if b.kind == kind]
    return found


def _referenced(moov: bytes) -> list[int]:
    """Tracks that others name in tref/chap."""
    return [
        number
        for box in _children(moov, "trak/tref/chap")
        for (number,) in struct.iter_unpack(">I", moov[box.body : box.end][: 4 * MOST])
    ]


def _track(source: Source, tracks: frozenset[int]) -> list[tuple[int, str]]:
    track = next((t for t in source.text_tracks() if t.id in tracks), None)
    if track is None:
        return []
    return [(at, tx3g.plain(data).strip()) for at, _, data in spans(source, track)[:MOST]]


def _chpl(moov: bytes) -> list[tuple[int, str]]:
    """Nero's chapter list: version and flags, four reserved bytes in version 1, a count, and rows
    of time and title.
    """
    rows: list[tuple[int, str]] = []
    for box in _children(moov, "udta/chpl")[:1]:
        body = moov[box.body : box.end]
        at = 9 if body[:1] == b"\1" else 5
        for _ in range(body[at - 1] if len(body) >= at else 0):
            (ticks,) = struct.unpack_from(">Q", body, at)
            (size,) = struct.unpack_from(">B", body, at + 8)
            title = body[at + 9 : at + 9 + size].decode("utf-8", "replace")
            rows.append((ticks * 1000 // TICKS, title))
            at += 9 + size
    return rows


def inside(chapters: Sequence[Chapter], start_s: Fraction, end_s: Fraction) -> list[Chapter]:
    """Those of a clip, clipped to it (TR-117)."""
    low, high = int(start_s * 1000), int(end_s * 1000)
    cut = [Chapter(c.id, max(c.start_ms, low), min(c.end_ms, high), c.title) for c in chapters]
    return [c for c in cut if c.start_ms < c.end_ms]


def event_stream(chapters: Sequence[Chapter]) -> EventStream:
    events = (Event(c.id, c.start_ms, c.end_ms - c.start_ms, c.title.encode()) for c in chapters)
    return EventStream(SCHEME, "", TIMESCALE, tuple(events))


def date_ranges(chapters: Sequence[Chapter]) -> list[str]:
    """Lines of a playlist whose media time 0 is the first instant of 1970 (TR-116)."""
    return [
        f'#EXT-X-DATERANGE:ID="chapter-{c.id}",CLASS="{CLASS}",'
        f'START-DATE="{date_time(c.start_ms, TIMESCALE, 0)}",'
        f'DURATION={(c.end_ms - c.start_ms) / 1000:.3f},X-TITLE="{_quoted(c.title)}"'
        for c in chapters
    ]


def _quoted(text: str) -> str:
    """rfc8216bis, 4.2: no quote and no line break."""
    return "".join("'" if c == '"' else c for c in text if c.isprintable())


def document(chapters: Sequence[Chapter], start_s: Fraction) -> str:
    """The JSON behind Apple's session data; times from the playlist's beginning."""
    rows = [
        {
            "chapter": c.id,
            "start-time": max(c.start_ms - int(start_s * 1000), 0) / 1000,
            "duration": (c.end_ms - c.start_ms) / 1000,
            "titles": [{"language": "und", "title": c.title}],
        }
        for c in chapters
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
