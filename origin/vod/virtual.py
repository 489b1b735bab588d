"""A track as one file that exists in no folder: header, index, and every segment (TR-111..113).

Its length and the place of each byte follow from the index of the source alone; what a range asks
for is made of the segments it touches.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from native.bmff.write import sidx
from origin.vod.served import Served

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
REFERENCES = 65_535  # of one sidx (8.16.3)


@dataclass(frozen=True, slots=True)
class Layout:
    """`head` is ftyp, moov and sidx; `starts` where each segment begins."""

    head: bytes
    starts: list[int]
    size: int


def layout(track: Served) -> Layout:
    """Where everything lies; KeyError for a track too long for one index."""
    segments = track.segments
    if len(segments) > REFERENCES:
        raise KeyError("track.mp4")
    rows = ((s.size_bytes, s.duration, True) for s in segments)
    index = sidx(1, track.rendition.timescale, segments[0].start, rows)
    head = track.index.init + index
    *starts, size = accumulate((s.size_bytes for s in segments), initial=len(head))
    return Layout(head, starts, size)


def read_range(text: str, size: int) -> tuple[int, int] | None:
    """The bytes [start, end) of one satisfiable range; None to ignore the field (RFC 9110, 14.2).
    ValueError for one that cannot be satisfied (416).
    """
    found = RANGE.fullmatch(text.replace(" ", ""))
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        if int(found[2]) == 0:
            raise ValueError(text)
        return max(size - int(found[2]), 0), size
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    if found[2] and int(found[2]) < start:
        return None
    if start >= size:
        raise ValueError(text)
    return start, end


def cut(track: Served, whole: Layout, start: int, end: int, *, wait: bool) -> list[bytes] | None:
    """The bytes [start, end) in pieces; None if reading them would wait."""
    pieces = [whole.head[start:end]] if start < len(whole.head) else []
    k = max(bisect_right(whole.starts, start) - 1, 0)
    while k < len(whole.starts) and whole.starts[k] < end:
        number = track.segments[k].number
        if whole.starts[k] + track.segments[k].size_bytes > start:
            data = track.media(number, wait=wait)
            if data is None:
                return None
            low = max(start - whole.starts[k], 0)
            high = end - whole.starts[k]
            pieces.append(data[low:high] if low or high < len(data) else data)
        k += 1
    return pieces
