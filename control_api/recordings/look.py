"""What is there of a range, as its playlists say: the look that ends a recording (CTL-126).

Sources: RFC 8216 sections 4.3.2.1 (EXTINF), 4.3.2.6 (EXT-X-PROGRAM-DATE-TIME), 4.3.4.1, 4.3.4.2;
draft-pantos-hls-rfc8216bis section 4.4.4.7 (EXT-X-GAP). Pure: text in, a report out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urljoin

from control_api.times import epoch_ms

URI = re.compile(r'[:,]URI="([^"]+)"')
TRACKS = 64
SEGMENTS = 200_000
JOIN_MS = 1  # rounding of times in playlists


class Gap(NamedTuple):
    track: str
    start_ms: int
    end_ms: int
    cause: str


class Report(NamedTuple):
    """`first_ms` is where the first segment of all begins; `missing_ms` that of the track that
    lacks the most; `segments` counts by track. `size_bytes` is of all tracks, None where nobody
    told.
    """

    first_ms: int
    missing_ms: int
    gaps: tuple[Gap, ...]
    segments: Mapping[str, int]
    size_bytes: int | None = None


class Segment(NamedTuple):
    start_ms: int
    end_ms: int
    gap: bool


def tracks(master: str, url: str) -> list[str]:
    """The media playlists of a multivariant playlist, each once, as whole URLs."""
    found: dict[str, None] = {}
    lines = master.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("#EXT-X-STREAM-INF:") and after and not after.startswith("#"):
            found[urljoin(url, after.strip())] = None
        elif line.startswith("#EXT-X-MEDIA:") and (named := URI.search(line)):
            found[urljoin(url, named[1])] = None
    return list(found)[:TRACKS]


def report(playlists: Mapping[str, str], start_ms: int, end_ms: int) -> Report:
    """What of [start_ms, end_ms) the tracks lack. A track that says nothing lacks it all, as does
    a range without tracks.
    """
    gaps = [] if playlists else [Gap("", start_ms, end_ms, "absent")]
    firsts, counts = [], {}
    for name, text in playlists.items():
        found = segments(text)
        counts[name] = sum(not each.gap for each in found)
        firsts += [found[0].start_ms] if found else []
        gaps += holes(name, found, start_ms, end_ms)
    missing_ms = lacking(gaps, start_ms, end_ms)
    return Report(min(firsts, default=start_ms), missing_ms, tuple(gaps), counts)


def lacking(gaps: Iterable[Gap], start_ms: int, end_ms: int) -> int:
    """How much of [start_ms, end_ms) the track lacks that lacks the most."""
    by_track: Counter[str] = Counter()
    for gap in gaps:
        by_track[gap.track] += max(0, min(gap.end_ms, end_ms) - max(gap.start_ms, start_ms))
    return max(by_track.values(), default=0)


def holes(track: str, found: list[Segment], start_ms: int, end_ms: int) -> list[Gap]:
    """Where a track has no media: gaps that it tells of, and times that it does not mention."""
    gaps, at_ms = [], start_ms
    for each in found:
        if each.start_ms > at_ms + JOIN_MS:
            gaps.append(Gap(track, at_ms, min(each.start_ms, end_ms), "absent"))
        if each.gap and each.end_ms > at_ms:
            gaps.append(Gap(track, max(at_ms, each.start_ms), min(each.end_ms, end_ms), "gap"))
        at_ms = max(at_ms, each.end_ms)
    if at_ms + JOIN_MS < end_ms:
        gaps.append(Gap(track, at_ms, end_ms, "absent"))
    return [gap for gap in gaps if gap.end_ms > gap.start_ms]


def segments(text: str) -> list[Segment]:
    """The segments of a media playlist in wall clock time, which it must tell of."""
    found: list[Segment] = []
    length_ms, gap, at_ms = 0.0, False, None
    for line in text.splitlines():
        if line.startswith("#EXTINF:"):
            length_ms = 1_000 * _number(line[8:].partition(",")[0])
        elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            at_ms = _moment(line.partition(":")[2]) or at_ms
        elif line.startswith("#EXT-X-GAP"):
            gap = True
        elif line and not line.startswith("#") and at_ms is not None and len(found) < SEGMENTS:
            found.append(Segment(round(at_ms), round(at_ms + length_ms), gap))
            at_ms, gap = at_ms + length_ms, False
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < 86_400 else 0.0


def _moment(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return float(epoch_ms(at)) if at.tzinfo else None
