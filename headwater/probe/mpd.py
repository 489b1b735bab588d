"""MPDs as players read them (ISO/IEC 23009-1): elements with their lines, segments expanded.

Hostile input: no entities, no network, bounded repeats; a malformed document is NotAnMpd.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from lxml import etree

from headwater.probe.playlist import date_s

NS = "{urn:mpeg:dash:schema:mpd:2011}"
MAX_ENTRIES = 100_000
DURATION = re.compile(
    r"(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
IDENTIFIER = re.compile(r"\$(?:(RepresentationID|Number|Time|Bandwidth)(?:%0(\d{1,3})d)?)?\$")
INTEGER = re.compile(r"-?\d{1,20}")

Element = etree._Element


class NotAnMpd(ValueError):
    """The body is not a readable MPD; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One segment: media time and duration in ticks of the template's timescale."""

    number: int
    start: int
    duration: int


@dataclass(frozen=True, slots=True)
class Track:
    """One Representation of one Period, its template inherited and its URLs resolved."""

    period_id: str
    set_id: str
    id: str
    kind: str
    bandwidth: int
    timescale: int
    offset: int
    period_start_s: float
    ato_s: float
    media: str
    init: str
    timeline: bool
    entries: tuple[Entry, ...]
    node: Element

    def url(self, entry: Entry) -> str:
        return fill(self.media, self.id, self.bandwidth, entry)

    def end_s(self, entry: Entry) -> float:
        """Where a segment ends on the presentation timeline, from AST."""
        return self.period_start_s + (entry.start + entry.duration - self.offset) / self.timescale


@dataclass(frozen=True, slots=True)
class Mpd:
    """One version of a manifest."""

    url: str
    at_s: float
    root: Element
    tracks: tuple[Track, ...]

    def get(self, name: str) -> str | None:
        return self.root.get(name)

    def seconds(self, name: str) -> float | None:
        """A duration attribute of the root."""
        return duration_s(self.root.get(name))

    @property
    def dynamic(self) -> bool:
        return self.root.get("type") == "dynamic"

    @property
    def start_s(self) -> float:
        """availabilityStartTime as epoch seconds; unreadable is 0."""
        return date_s(self.root.get("availabilityStartTime", "")) or 0.0

    @property
    def low_latency(self) -> bool:
        """Whether segments are announced before they are complete."""
        return any("availabilityTimeComplete" in e.attrib for e in self.all("SegmentTemplate")) or (
            any("availabilityTimeComplete" in e.attrib for e in self.all("BaseURL"))
        )

    def all(self, name: str) -> Iterator[Element]:
        return self.root.iter(NS + name)

    def periods(self) -> list[Element]:
        return self.root.findall(NS + "Period")


def parse(url: str, body: bytes, at_s: float = 0.0) -> Mpd:
    """Read an MPD. Raises NotAnMpd."""
    root = document(body)
    if root.tag != NS + "MPD":
        raise NotAnMpd(f"has the root {root.tag!s:.80}, not an MPD")
    mpd = Mpd(url, at_s, root, ())
    return Mpd(url, at_s, root, tuple(_tracks(mpd)))


def document(body: bytes) -> Element:
    """Well-formed XML without a document type. Raises NotAnMpd."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotAnMpd(f"is not well-formed XML: {str(error)[:120]}") from None
    if root.getroottree().docinfo.doctype:
        raise NotAnMpd("has a document type definition")
    return root


def line(node: Element) -> int:
    return node.sourceline or 0


def integer(text: str | None, default: int = 0) -> int:
    """An integer attribute; absent or unreadable is the default."""
    return int(text) if text is not None and INTEGER.fullmatch(text.strip()) else default


def duration_s(text: str | None) -> float | None:
    """xs:duration to seconds; years and months are not accepted (D12). None when unreadable."""
    found = DURATION.fullmatch(text.strip()) if text else None
    if found is None or found[2] or found[3]:
        return None
    scales = (86400.0, 3600.0, 60.0, 1.0)
    total = sum(float(found[4 + i] or 0) * scale for i, scale in enumerate(scales))
    return -total if found[1] else total


def fill(template: str, rep_id: str, bandwidth: int, entry: Entry | None) -> str:
    """Replace the identifiers of a template (5.3.9.4.4)."""

    def value(found: re.Match[str]) -> str:
        name, width = found[1], int(found[2] or 1)
        if name is None:
            return "$"
        if name == "RepresentationID":
            return rep_id
        number = {
            "Bandwidth": bandwidth,
            "Number": entry.number if entry else 0,
            "Time": entry.start if entry else 0,
        }[name]
        return f"{number:0{min(width, 40)}d}"

    return IDENTIFIER.sub(value, template)


def base(node: Element, url: str) -> str:
    """The URL that references in this element start from: BaseURLs from the root down."""
    for level in [*reversed(list(node.iterancestors())), node]:
        found = level.find(NS + "BaseURL")
        if found is not None and found.text:
            url = _join(url, found.text.strip())
    return url


def _join(url: str, reference: str) -> str:
    try:
        return urljoin(url, reference)
    except ValueError:
        return url


def repeats(timeline: Element, until: int | None) -> list[tuple[int, int, int]]:
    """S elements as (t, d, r), t made explicit; an open r runs to `until` ticks."""
    rows: list[tuple[int, int, int]] = []
    at = 0
    nodes = timeline.findall(NS + "S")
    for index, node in enumerate(nodes):
        at = integer(node.get("t"), at)
        length, count = integer(node.get("d")), integer(node.get("r"))
        if count < 0:
            following = nodes[index + 1].get("t") if index + 1 < len(nodes) else None
            end = integer(following) if following else until
            count = max(-(-(end - at) // length) - 1, 0) if end is not None and length > 0 else 0
        rows.append((at, length, count))
        at += length * (count + 1)
    return rows


def _tracks(mpd: Mpd) -> Iterator[Track]:
    start_s = 0.0
    for period in mpd.periods():
        given = duration_s(period.get("start"))
        start_s = start_s if given is None else given
        length_s = duration_s(period.get("duration"))
        end_s = start_s + length_s if length_s is not None else None
        if end_s is None and not mpd.dynamic:
            end_s = mpd.seconds("mediaPresentationDuration")
        for group in period.findall(NS + "AdaptationSet"):
            for node in group.findall(NS + "Representation"):
                track = _track(mpd, period, group, node, start_s, end_s)
                if track is not None:
                    yield track
        start_s = end_s if end_s is not None else start_s


def _track(
    mpd: Mpd, period: Element, group: Element, node: Element, start_s: float, end_s: float | None
) -> Track | None:
    levels = [t for e in (period, group, node) if (t := e.find(NS + "SegmentTemplate")) is not None]
    if not levels:
        return None
    named: dict[str, str] = {}
    for template in levels:
        named.update({str(k): str(v) for k, v in template.attrib.items()})
    timescale = max(integer(named.get("timescale"), 1), 1)
    offset = integer(named.get("presentationTimeOffset"))
    rep_id, bandwidth = node.get("id", ""), integer(node.get("bandwidth"))
    ato = named.get("availabilityTimeOffset", "0")
    lines = [t for e in levels if (t := e.find(NS + "SegmentTimeline")) is not None]
    kind = (group.get("contentType") or group.get("mimeType") or node.get("mimeType") or "") + "/"
    track = Track(
        period.get("id", ""),
        group.get("id", ""),
        rep_id,
        kind.partition("/")[0],
        bandwidth,
        timescale,
        offset,
        start_s,
        float(ato) if re.fullmatch(r"\d{1,6}(\.\d{1,9})?", ato) else 0.0,
        _join(base(node, mpd.url), named.get("media", "")),
        fill(_join(base(node, mpd.url), named.get("initialization", "")), rep_id, bandwidth, None)
        if named.get("initialization")
        else "",
        bool(lines),
        (),
        node,
    )
    first = integer(named.get("startNumber"), 1)
    if lines:
        entries = _listed(mpd, track, lines[-1], first, end_s)
    else:
        entries = _counted(mpd, track, integer(named.get("duration")), first, end_s)
    return replace(track, entries=entries)


def _listed(
    mpd: Mpd, track: Track, timeline: Element, first: int, end_s: float | None
) -> tuple[Entry, ...]:
    horizon_s = end_s
    if horizon_s is None and mpd.dynamic:
        horizon_s = mpd.at_s - mpd.start_s
    until = None
    if horizon_s is not None:
        until = track.offset + int((horizon_s - track.period_start_s) * track.timescale)
    entries: list[Entry] = []
    for at, length, count in repeats(timeline, until):
        for repeat in range(min(count + 1, MAX_ENTRIES - len(entries))):
            entries.append(Entry(first + len(entries), at + repeat * length, length))
    return tuple(entries)


def _counted(
    mpd: Mpd, track: Track, length: int, first: int, end_s: float | None
) -> tuple[Entry, ...]:
    """Segments of one duration: all of a static Period, those available now of a live one."""
    if length <= 0:
        return ()
    step_s = length / track.timescale
    until_s = end_s if end_s is not None else float("inf")
    low = 0
    if mpd.dynamic:
        until_s = min(until_s, mpd.at_s - mpd.start_s + track.ato_s)
        depth_s = mpd.seconds("timeShiftBufferDepth")
        if depth_s is not None:
            low = max(int((until_s - track.period_start_s - depth_s) / step_s), 0)
    if until_s == float("inf"):
        return ()
    span = (until_s - track.period_start_s) / step_s
    high = int(span + 1e-6) if mpd.dynamic else int(-(-span // 1))
    low = max(low, high - MAX_ENTRIES)
    return tuple(
        Entry(first + k, track.offset + k * length, length) for k in range(low, max(high, low))
    )
