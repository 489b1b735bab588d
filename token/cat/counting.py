"""A counting filter of revocations for edges that follow a list entry by entry (Fan, Cao, Almeida,
Broder: Summary Cache, 2000): unlike the Bloom filter of a snapshot it can forget.

Cells are of four bits. A full one stays full, so that forgetting never hides an entry.
"""

from collections.abc import Callable
from typing import ClassVar, Final, Literal

from cat.revocation import Revocations, Snapshot, packed, places, shape

MAGIC: Final = b"HWRC\x01"
FULL: Final = 15


class Counting(Snapshot):
    """A snapshot that changes; the same answers and the same rules of age."""

    _magic: ClassVar[bytes] = MAGIC
    _cell_bits: ClassVar[int] = 4

    def __init__(
        self,
        data: bytes,
        *,
        max_age_s: float = float("inf"),
        stale: Literal["kid", "open", "closed"] = "kid",
        exact: Callable[[bytes], bool] | None = None,
    ) -> None:
        super().__init__(data, max_age_s=max_age_s, stale=stale, exact=exact)
        self._nibbles = bytearray(self._table)
        self._max_age_s = max_age_s

    @classmethod
    def of(
        cls, list_: Revocations, now: float, room: int = 0, false_positives: float = 1e-4
    ) -> "Counting":
        """What a list holds now, with room for so many entries in all."""
        names = list_.names(now)
        hashes, cells = shape(max(room, len(names)), false_positives)
        table = bytes((cells + 1) // 2)
        made = cls(packed(MAGIC, hashes, now, cells, table, list_.before))
        for name in names:
            made.add(name, now)
        return made

    def __contains__(self, name: bytes) -> bool:
        return all(self._count(place) for place in places(name, self._hashes, self._cells))

    def add(self, name: bytes, now: float) -> None:
        """An entry joined the list, as we hear at `now`."""
        self._change(name, 1, now)

    def discard(self, name: bytes, now: float) -> None:
        """An entry that was added left the list."""
        if name in self:
            self._change(name, -1, now)

    def heard(self, now: float) -> None:
        """The list is known as of `now`, whether or not it changed."""
        self.made_at = now
        self.epoch.fresh_until = now + self._max_age_s

    def to_bytes(self) -> bytes:
        """The file of this filter."""
        table = bytes(self._nibbles)
        return packed(MAGIC, self._hashes, self.made_at, self._cells, table, self._before)

    def _change(self, name: bytes, step: int, now: float) -> None:
        for place in places(name, self._hashes, self._cells):
            count = self._count(place)
            if count < FULL and count + step >= 0:
                shift = 4 * (place & 1)
                kept = self._nibbles[place >> 1] & ~(FULL << shift)
                self._nibbles[place >> 1] = kept | (count + step) << shift
        self.heard(now)
        self.epoch.move()

    def _count(self, place: int) -> int:
        return self._nibbles[place >> 1] >> 4 * (place & 1) & FULL
