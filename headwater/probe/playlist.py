"""HLS playlists read line by line (draft-pantos-hls-rfc8216bis-22), with the line of each tag.

A reader of the probe's own: a judge shares no code with the writers it judges.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

MAX_LINES = 600_000
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)(?:,|$)')
NUMBER = re.compile(r"\d{1,9}(\.\d{1,18})?")
DATE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?")
STATE = ("EXT-X-MAP", "EXT-X-KEY")


class NotAPlaylist(ValueError):
    """The body is not an HLS playlist; the text says why."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag line; `line` counts from 1."""

    name: str
    value: str
    line: int

    def attributes(self) -> dict[str, str]:
        return attributes(self.value)


@dataclass(frozen=True, slots=True)
class Part:
    """One EXT-X-PART."""

    uri: str
    duration_s: float
    independent: bool
    gap: bool
    line: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A media segment with the tags of its own; map and keys as in force for it."""

    number: int
    uri: str
    duration_s: float
    line: int
    tags: tuple[Tag, ...]
    parts: tuple[Part, ...]
    map_uri: str
    keys: tuple[str, ...]

    def tag(self, name: str) -> Tag | None:
        return next((tag for tag in self.tags if tag.name == name), None)

    @property
    def gap(self) -> bool:
        return self.tag("EXT-X-GAP") is not None

    @property
    def date_s(self) -> float | None:
        """EXT-X-PROGRAM-DATE-TIME as epoch seconds."""
        tag = self.tag("EXT-X-PROGRAM-DATE-TIME")
        return date_s(tag.value) if tag else None


@dataclass(frozen=True, slots=True)
class Playlist:
    """Tags in file order; segments and `loose` parts (of the next segment) of a media playlist."""

    url: str
    at_s: float
    tags: tuple[Tag, ...]
    segments: tuple[Segment, ...] = ()
    loose: tuple[Part, ...] = ()
    variants: tuple[tuple[Tag, str], ...] = ()
    stray: tuple[Tag, ...] = field(default=())

    def all(self, name: str) -> Iterator[Tag]:
        return (tag for tag in self.tags if tag.name == name)

    def tag(self, name: str) -> Tag | None:
        return next(self.all(name), None)

    def value(self, name: str) -> str | None:
        tag = self.tag(name)
        return tag.value if tag else None

    def number(self, name: str) -> int:
        """A decimal tag; absent or unreadable is 0."""
        return integer(self.value(name) or "")

    @property
    def target_s(self) -> int:
        return self.number("EXT-X-TARGETDURATION")

    @property
    def part_target_s(self) -> float:
        tag = self.tag("EXT-X-PART-INF")
        return seconds(tag.attributes().get("PART-TARGET", "")) if tag else 0.0

    @property
    def control(self) -> dict[str, str]:
        return attributes(self.value("EXT-X-SERVER-CONTROL") or "")

    @property
    def ended(self) -> bool:
        return self.tag("EXT-X-ENDLIST") is not None

    @property
    def skipped(self) -> int:
        tag = self.tag("EXT-X-SKIP")
        return integer(tag.attributes().get("SKIPPED-SEGMENTS", "")) if tag else 0

    @property
    def first(self) -> int:
        """Media sequence number of the first segment written or skipped."""
        return self.number("EXT-X-MEDIA-SEQUENCE")

    @property
    def last(self) -> int:
        """Number of the newest whole segment."""
        return self.first + self.skipped + len(self.segments) - 1

    @property
    def edge(self) -> tuple[int, int]:
        """(number, parts) of the segment in progress."""
        return self.last + 1, len(self.loose)

    @property
    def low_latency(self) -> bool:
        return bool(self.loose) or any(segment.parts for segment in self.segments)

    @property
    def length_s(self) -> float:
        return sum(s.duration_s for s in self.segments)

    def parts_of(self, number: int) -> tuple[Part, ...]:
        """Parts listed for a segment, whole or in progress."""
        if number == self.last + 1:
            return self.loose
        at = number - self.first - self.skipped
        return self.segments[at].parts if 0 <= at < len(self.segments) else ()


def attributes(value: str) -> dict[str, str]:
    """An attribute list (section 4.2), quotes removed."""
    return {name: text.strip('"') for name, text in ATTRIBUTE.findall(value)}


def seconds(text: str) -> float:
    """A decimal-floating-point; unreadable is 0."""
    return float(text) if NUMBER.fullmatch(text) else 0.0


def integer(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def date_s(text: str) -> float | None:
    """ISO 8601 date and time to epoch seconds; None when unreadable."""
    found = DATE.fullmatch(text.strip().strip('"'))
    if found is None:
        return None
    try:
        base = datetime.fromisoformat(found[1] + (found[3] or "Z")).timestamp()
    except (ValueError, OverflowError):
        return None
    return base + float(found[2] or 0)


def parse(url: str, body: bytes, at_s: float = 0.0) -> Playlist:
    """Read a playlist; unknown tags are kept. Raises NotAPlaylist."""
    try:
        lines = body.decode("utf-8").removeprefix("\ufeff").splitlines()
    except UnicodeDecodeError:
        raise NotAPlaylist("is not UTF-8") from None
    if not lines or lines[0].strip() != "#EXTM3U":
        raise NotAPlaylist("does not start with #EXTM3U")
    if len(lines) > MAX_LINES:
        raise NotAPlaylist(f"has more than {MAX_LINES} lines")
    return _Reader(url, at_s).read(lines)


class _Reader:
    """State between the lines of one playlist."""

    def __init__(self, url: str, at_s: float) -> None:
        self.url, self.at_s = url, at_s
        self.tags: list[Tag] = []
        self.segments: list[Segment] = []
        self.variants: list[tuple[Tag, str]] = []
        self.own: list[Tag] = []
        self.parts: list[Part] = []
        self.map_uri = ""
        self.keys: dict[str, str] = {}
        self.base = 0

    def read(self, lines: list[str]) -> Playlist:
        for at, line in enumerate((line.strip() for line in lines[1:]), 2):
            if line.startswith("#EXT"):
                name, _, value = line[1:].partition(":")
                self._tag(Tag(name, value, at))
            elif line and not line.startswith("#"):
                self._uri(line, at)
        return Playlist(
            self.url,
            self.at_s,
            tuple(self.tags),
            tuple(self.segments),
            tuple(self.parts),
            tuple(self.variants),
            tuple(self.own),
        )

    def _tag(self, tag: Tag) -> None:
        self.tags.append(tag)
        self.own.append(tag)
        match tag.name:
            case "EXT-X-PART":
                self.parts.append(_part(tag.attributes(), tag.line))
            case "EXT-X-MEDIA-SEQUENCE":
                self.base = integer(tag.value)
            case "EXT-X-SKIP":
                self.base += integer(tag.attributes().get("SKIPPED-SEGMENTS", ""))
            case "EXT-X-MAP":
                self.map_uri = tag.attributes().get("URI", "")
            case "EXT-X-KEY":
                named = tag.attributes()
                if named.get("METHOD") == "NONE":
                    self.keys.clear()
                else:
                    self.keys[named.get("KEYFORMAT", "identity")] = tag.value

    def _uri(self, uri: str, at: int) -> None:
        stream = next((t for t in self.own if t.name == "EXT-X-STREAM-INF"), None)
        if stream is not None:
            self.variants.append((stream, uri))
        else:
            extinf = next((t.value for t in self.own if t.name == "EXTINF"), "")
            self.segments.append(
                Segment(
                    self.base + len(self.segments),
                    uri,
                    seconds(extinf.partition(",")[0].strip()),
                    at,
                    tuple(self.own),
                    tuple(self.parts),
                    self.map_uri,
                    tuple(self.keys.values()),
                )
            )
        self.own, self.parts = [], []


def _part(named: Mapping[str, str], line: int) -> Part:
    return Part(
        named.get("URI", ""),
        seconds(named.get("DURATION", "")),
        named.get("INDEPENDENT") == "YES",
        named.get("GAP") == "YES",
        line,
    )
