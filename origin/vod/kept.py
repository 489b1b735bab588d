"""Media that was made a moment ago: CDNs ask in turn for the same objects."""

from collections import OrderedDict

from native.http import Entity

MOST_SHARE = 8  # an object above the budget's eighth is not kept


class Kept:
    """The newest objects under a budget of bytes, least recently used first out."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._held: OrderedDict[tuple[int, str], Entity] = OrderedDict()
        self.held_bytes = 0

    def get(self, title: int, leaf: str) -> Entity | None:
        """`title` is the serial number of an open title: what was opened anew has another."""
        entity = self._held.get((title, leaf))
        if entity is not None:
            self._held.move_to_end((title, leaf))
        return entity

    def put(self, title: int, leaf: str, entity: Entity) -> None:
        size = entity.size_bytes
        if size * MOST_SHARE > self._budget:
            return
        old = self._held.pop((title, leaf), None)
        self.held_bytes += size - (old.size_bytes if old is not None else 0)
        self._held[title, leaf] = entity
        while self.held_bytes > self._budget:
            _, gone = self._held.popitem(last=False)
            self.held_bytes -= gone.size_bytes

    def clear(self) -> None:
        self._held.clear()
        self.held_bytes = 0
