"""A track's segments by number, small enough for a day of sixty tracks.

Theory of operation
1. The newest segments are objects that may still grow. A whole one that is LIVE numbers behind the
   newest never changes again: it is shelved as a packed row of 36 bytes.
2. A shelved segment names its chunks by where their records stand in the index of one volume; the
   records stay on disk until somebody looks at its `parts`.
3. Segments that cannot be told that way (over two volumes, or mixed with records that look like
   their own) stay objects; so do those that never became whole.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from struct import Struct
from typing import overload

from native.http.heads import tagging
from origin.live.records import Record
from origin.tracks import Segment

LIVE = 8  # newest numbers kept as objects
_ROW = Struct("<qIIIIII")  # start, length, bytes, volume, first row, span of rows, chunks

Chunk = tuple[int, Record]
ReadRows = Callable[[int, int, int], Sequence[Record]]  # volume, first row, count


@dataclass(slots=True)
class Stored:
    """One segment in the log: its chunks in decode order as (volume, record).

    `digest` is of its octets, where all of them passed through this process.
    """

    number: int
    start: int
    end: int
    size_bytes: int = 0
    whole: bool = False
    broken: bool = False
    parts: Sequence[Chunk] = ()
    digest: blake2b | None = field(default=None, compare=False, repr=False)

    @property
    def tag(self) -> str | None:
        """The entity tag of a whole segment (O17), where it is known without reading it."""
        return None if self.digest is None else self.digest.hexdigest()

    def take(self, volume: int, record: Record, data: bytes | None = None) -> None:
        """The next chunk, with its octets if they are at hand; one that does not touch the last
        breaks the segment.
        """
        if data is not None and not self.parts:
            self.digest = tagging()
        if self.digest is not None and data is not None:
            self.digest.update(data)
        else:
            self.digest = None
        self.broken = self.broken or record.decode_time != self.end
        self.end = max(self.end, record.end)
        self.size_bytes += record.size
        self.parts = (*self.parts, (volume, record))

    def segment(self, *, discontinuity: bool = False) -> Segment:
        length = self.end - self.start
        return Segment(
            self.number, self.start, length, self.size_bytes, discontinuity=discontinuity
        )


class ShelvedChunks(Sequence[Chunk]):
    """The chunks of a shelved segment, read from the index when first looked at."""

    __slots__ = ("_chunks", "_load", "volume")

    def __init__(self, volume: int, load: Callable[[], Sequence[Record]]) -> None:
        self.volume = volume
        self._load = load
        self._chunks: Sequence[Chunk] | None = None

    def _loaded(self) -> Sequence[Chunk]:
        if self._chunks is None:
            self._chunks = [(self.volume, record) for record in self._load()]
        return self._chunks

    def __len__(self) -> int:
        return len(self._loaded())

    @overload
    def __getitem__(self, at: int) -> Chunk: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Chunk]: ...
    def __getitem__(self, at: int | slice) -> Chunk | Sequence[Chunk]:
        return self._loaded()[at]


class Shelf(MutableMapping[int, Stored]):
    """Segments by number; iteration is by number of the shelved, then of the live ones.

    `read_rows` reads records of a volume's index (TrackLog.rows).
    """

    def __init__(self, read_rows: ReadRows) -> None:
        self._read_rows = read_rows
        self._live: dict[int, Stored] = {}
        self._numbers = array("q")
        self._rows = bytearray()

    @property
    def first_whole(self) -> int:
        """The lowest number that is whole, -1 without any."""
        shelved = self._numbers[:1]
        live = [n for n, s in self._live.items() if s.whole]
        return min((*shelved, *live), default=-1)

    @property
    def last_whole(self) -> int:
        """The highest number that is whole, -1 without any."""
        live = [n for n, s in self._live.items() if s.whole]
        return max((*self._numbers[-1:], *live), default=-1)

    def whole_until(self, number: int) -> int:
        """The highest number up to this one that is whole, -1 without any."""
        at = bisect_right(self._numbers, number)
        live = [n for n, s in self._live.items() if s.whole and n <= number]
        return max((*self._numbers[max(at - 1, 0) : at], *live), default=-1)

    def drop(self, volumes: set[int]) -> list[int]:
        """Forget every segment with media in these volumes; returns their numbers."""
        gone = [n for n, s in self._live.items() if any(v in volumes for v, _ in s.parts)]
        for number in gone:
            del self._live[number]
        kept_numbers, kept_rows = array("q"), bytearray()
        for at, number in enumerate(self._numbers):
            row = self._rows[at * _ROW.size : (at + 1) * _ROW.size]
            if _ROW.unpack(row)[3] in volumes:
                gone.append(number)
            else:
                kept_numbers.append(number)
                kept_rows += row
        self._numbers, self._rows = kept_numbers, kept_rows
        return sorted(gone)

    def __getitem__(self, number: int) -> Stored:
        if (stored := self._live.get(number)) is not None:
            return stored
        at = self._at(number)
        if at < 0:
            raise KeyError(number)
        return self._unpacked(at)

    def __setitem__(self, number: int, stored: Stored) -> None:
        if (at := self._at(number)) >= 0:
            self._remove(at)
        self._live[number] = stored
        for old in [n for n, s in self._live.items() if n <= number - LIVE and s.whole]:
            self._shelve(self._live[old])

    def __delitem__(self, number: int) -> None:
        if number in self._live:
            del self._live[number]
        elif (at := self._at(number)) >= 0:
            self._remove(at)
        else:
            raise KeyError(number)

    def __contains__(self, number: object) -> bool:
        return number in self._live or (isinstance(number, int) and self._at(number) >= 0)

    def __iter__(self) -> Iterator[int]:
        return chain(list(self._numbers), list(self._live))

    def __len__(self) -> int:
        return len(self._numbers) + len(self._live)

    def _at(self, number: int) -> int:
        """Where the row of this number is, or -1."""
        at = bisect_left(self._numbers, number)
        return at if at < len(self._numbers) and self._numbers[at] == number else -1

    def _remove(self, at: int) -> None:
        del self._numbers[at]
        del self._rows[at * _ROW.size : (at + 1) * _ROW.size]

    def _shelve(self, stored: Stored) -> None:
        """Turn an object into a row, if the row tells the same."""
        volume, first = stored.parts[0]
        span = stored.parts[-1][1].row + 1 - first.row
        row = (
            *(stored.start, stored.end - stored.start, stored.size_bytes),
            *(volume, first.row, span, len(stored.parts)),
        )
        if any(part[0] != volume for part in stored.parts) or span < 1:
            return
        if span != len(stored.parts) and self._chunks(*row) != [r for _, r in stored.parts]:
            return
        at = bisect_left(self._numbers, stored.number)
        self._numbers.insert(at, stored.number)
        self._rows[at * _ROW.size : at * _ROW.size] = _ROW.pack(*row)
        del self._live[stored.number]

    def _unpacked(self, at: int) -> Stored:
        row = _ROW.unpack_from(self._rows, at * _ROW.size)
        start, length, size_bytes, volume = row[:4]
        parts = ShelvedChunks(volume, lambda: self._chunks(*row))
        return Stored(self._numbers[at], start, start + length, size_bytes, True, False, parts)

    def _chunks(
        self, start: int, length: int, _: int, volume: int, first: int, span: int, chunks: int
    ) -> list[Record]:
        """The records of a shelved segment: those among its rows that lie in its time."""
        found = self._read_rows(volume, first, span)
        if span != chunks:
            found = [r for r in found if r.size and 0 <= r.decode_time - start < length]
        return list(found)
