"""Copies of a segment that another source owns: kept aside in memory, within a budget."""

from dataclasses import dataclass, field

from native.bmff.model import Chunk
from origin.live.shelf import Stored
from origin.live.sources import Source


@dataclass(slots=True)
class Budget:
    """Bytes that all copies of a process may take."""

    limit_bytes: int
    used_bytes: int = 0


@dataclass(slots=True)
class Copy:
    """What one body sent of one segment; times in ticks."""

    number: int
    source: Source
    start: int
    end: int
    size_bytes: int = 0
    whole: bool = False
    chunks: list[tuple[Chunk, bytes, int]] = field(default_factory=list)  # and CRC-32

    def agrees(self, stored: Stored) -> bool:
        """Whether it is byte for byte what the log holds of the segment, and goes on from there."""
        mine = [(c.decode_time, len(data), crc) for c, data, crc in self.chunks]
        theirs = [(r.decode_time, r.size, r.crc) for _, r in stored.parts]
        return mine[: len(theirs)] == theirs


class Spares:
    """The copies of one track."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._copies: dict[tuple[int, Source], Copy] = {}

    def __len__(self) -> int:
        return len(self._copies)

    @property
    def numbers(self) -> list[int]:
        return sorted({number for number, _ in self._copies})

    def of(self, number: int) -> list[Copy]:
        """Copies of this segment, the furthest first."""
        found = [c for (n, _), c in self._copies.items() if n == number]
        return sorted(found, key=lambda copy: -copy.end)

    def by(self, source: Source) -> list[Copy]:
        return [c for (_, s), c in self._copies.items() if s is source]

    def continued(self, number: int, chunk: Chunk, source: Source) -> Copy | None:
        """The source's own copy that this chunk belongs to."""
        if (copy := self._copies.get((number, source))) is not None:
            return copy
        before = self._copies.get((number - 1, source))
        goes_on = before is not None and not chunk.independent and before.end == chunk.decode_time
        return before if goes_on else None

    def add(self, number: int, chunk: Chunk, data: bytes, crc: int, source: Source) -> Copy | None:
        """Keep a chunk that continues or begins a copy; None when it does neither."""
        copy = self.continued(number, chunk, source)
        if copy is None:
            if not chunk.independent:
                return None
            copy = Copy(number, source, chunk.decode_time, chunk.decode_time)
            self._copies[number, source] = copy
        if chunk.decode_time != copy.end:
            return copy if chunk.decode_time < copy.end else None
        copy.chunks.append((chunk, data, crc))
        copy.end += chunk.duration
        copy.size_bytes += len(data)
        self._budget.used_bytes += len(data)
        while self._budget.used_bytes > self._budget.limit_bytes and self._copies:
            self.drop(min(number for number, _ in self._copies))
        return self._copies.get((copy.number, source))

    def discard(self, copy: Copy) -> None:
        """Forget one copy."""
        if self._copies.pop((copy.number, copy.source), None) is not None:
            self._budget.used_bytes -= copy.size_bytes

    def drop(self, number: int) -> None:
        """Forget every copy of this segment."""
        for copy in self.of(number):
            self.discard(copy)
