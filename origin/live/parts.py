"""Parts: the partial segments of LL-HLS, as a pure function of a segment's chunks.

Every process that reads the same log groups alike, and more chunks never change a part that was
closed (HLS-3). A part is closed as soon as it is long enough, when the next chunk no longer fits,
or by the end of its segment (HLS-14).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from origin.live.records import INDEPENDENT, Record
from origin.live.track import LiveTrack
from origin.tracks import SPARSE, Part

LEAST = Fraction(85, 100)  # of the part target (HLS-14)
LEAST_S = Fraction(1, 5)  # a shorter target costs players a request for every few frames
MOST = Fraction(3, 4)  # of a segment: a longer target is no lower latency


@dataclass(frozen=True, slots=True)
class Span:
    """A part and which chunks of its segment it is made of: those from `first` up to `end`."""

    part: Part
    first: int
    end: int


def spans(track: LiveTrack, number: int, part_s: Fraction | None) -> list[Span]:
    """The closed parts of a segment, as far as it is there and will be shown."""
    stored = track.segments.get(number)
    if stored is None or part_s is None or track.rendition.kind in SPARSE:
        return []
    if not stored.whole and track.away(number):
        return []
    chunks = [record for _, record in stored.parts]
    return group(chunks, part_s, track.timescale, whole=stored.whole)


def group(
    chunks: Sequence[Record], target_s: Fraction, timescale: int, *, whole: bool
) -> list[Span]:
    """The closed parts of a segment, of which `whole` says whether it will have more chunks.

    A chunk longer than the target makes a part of its own, too long but honest; one that begins a
    segment says that this segment comes without parts. Media behind a hole is in no part.
    """
    limit = int(target_s * timescale)
    enough = -int(-LEAST * target_s * timescale // 1)
    spans: list[Span] = []
    if not chunks or chunks[0].duration > limit:
        return spans
    first = 0
    for at, chunk in enumerate(chunks):
        if at and chunk.decode_time != chunks[at - 1].end:
            return spans
        if at > first and chunk.end - chunks[first].decode_time > limit:
            spans.append(_span(chunks, first, at))
            first = at
        if chunk.end - chunks[first].decode_time >= enough:
            spans.append(_span(chunks, first, at + 1))
            first = at + 1
    if whole and first < len(chunks):
        spans.append(_span(chunks, first, len(chunks)))
    return spans


def gaps(start: int, end: int, target_s: Fraction, timescale: int) -> Iterator[Part]:
    """Parts that never came (HLS-9), as few as may be."""
    limit = int(target_s * timescale)
    for at in range(start, end, limit):
        yield Part(at, min(limit, end - at), gap=True)


def learned(tracks: Sequence[LiveTrack], number: int, segment_s: Fraction) -> Fraction | None:
    """The least part target (seconds) that the chunks of this segment fit in on every track; None
    where a track's chunks are no finer than segments.
    """
    ranges = []
    for track in tracks:
        stored = track.whole(number)
        chunks = [record for _, record in stored.parts] if stored is not None else []
        if len(chunks) < 2:
            return None
        ranges.append(_range(track, chunks[:-1]))
    return fitting(ranges, segment_s)


def fitting(ranges: Sequence[tuple[Fraction, Fraction]], segment_s: Fraction) -> Fraction | None:
    """The least target that whole numbers of chunks fill to LEAST, given the shortest and longest
    chunk (seconds) of each track; without one, the longest chunk of all.
    """
    most_s = MOST * segment_s
    candidates = sorted(
        {
            times * longest
            for _, longest in ranges
            for times in range(1, int(most_s / longest) + 1)
            if times * longest >= LEAST_S
        }
    )
    for target_s in candidates:
        if all(_fills(low, high, target_s) for low, high in ranges):
            return target_s
    longest_s = max((high for _, high in ranges), default=most_s)
    return max(longest_s, LEAST_S) if longest_s < most_s else None


def _fills(low_s: Fraction, high_s: Fraction, target_s: Fraction) -> bool:
    """Whether chunks of these lengths always add up to enough before one no longer fits."""
    fine = high_s <= (1 - LEAST) * target_s
    return fine or int(target_s / high_s) * low_s >= LEAST * target_s


def _range(track: LiveTrack, chunks: Sequence[Record]) -> tuple[Fraction, Fraction]:
    """Shortest and longest chunk in seconds. Audio is cut between packets, so that chunks of equal
    intent differ by one packet, whether or not these do.
    """
    low, high = min(c.duration for c in chunks), max(c.duration for c in chunks)
    if track.rendition.kind == "audio" and low == high:
        high += _packet(low)
    return Fraction(low, track.timescale), Fraction(high, track.timescale)


def _packet(ticks: int) -> int:
    """The most probable packet: the longest that codecs use of which these ticks are a multiple."""
    return next((size for size in (2048, 1536, 1024, 960) if ticks % size == 0), 1024)


def _span(chunks: Sequence[Record], first: int, end: int) -> Span:
    members = chunks[first:end]
    start = members[0].decode_time
    part = Part(
        start,
        members[-1].end - start,
        any(c.flags & INDEPENDENT for c in members),
        sum(c.size for c in members),
    )
    return Span(part, first, end)
