"""The hot window: media in memory, answered without a handler.

Rules
1. In each of two queues the first that came leaves first, when the budget is spent.
2. Media in the making is in memory too (fresh.py): it takes room, and never leaves.
3. Old media that somebody asked for has a queue of its own, which gets one part in OLD_SHARE of the
   budget at most: however much of the past is read, the rest stays with the newest.
"""

from collections import OrderedDict

from native.http import Entity, Hot

OLD_SHARE = 4


class HotWindow:
    """Media in memory, within a budget in bytes."""

    def __init__(self, hot: Hot, limit_bytes: int) -> None:
        self.hot = hot
        self._limit_bytes = limit_bytes
        self._new = _Queue(hot)
        self._old = _Queue(hot)
        self._making: dict[str, int] = {}
        self._making_bytes = 0

    @property
    def held_bytes(self) -> int:
        return self._new.held_bytes + self._old.held_bytes + self._making_bytes

    def make(self, path: str, size_bytes: int) -> None:
        """So much is in memory of what will be put there."""
        self._making_bytes += size_bytes - self._making.get(path, 0)
        self._making[path] = size_bytes
        self._fit()

    def made(self, path: str) -> None:
        """It was put, or never will be."""
        self._making_bytes -= self._making.pop(path, 0)

    def put(self, path: str, entity: Entity, *, old: bool = False) -> None:
        """Keep this until other media needs its room."""
        self.drop(path)
        self.hot.put(path, entity)
        (self._old if old else self._new).add(path, entity.size_bytes)
        self._fit()

    def drop(self, path: str) -> None:
        """Forget this; unknown paths are no error."""
        self.hot.drop(path)
        self._new.forget(path)
        self._old.forget(path)
        self.made(path)

    def _fit(self) -> None:
        while self._old.held_bytes > self._limit_bytes // OLD_SHARE:
            self._old.shift()
        while self.held_bytes > self._limit_bytes and len(self._new.sizes) > 1:
            self._new.shift()


class _Queue:
    """Sizes of what is hot by path, in the order of arrival."""

    def __init__(self, hot: Hot) -> None:
        self.held_bytes = 0
        self.sizes: OrderedDict[str, int] = OrderedDict()
        self._hot = hot

    def add(self, path: str, size_bytes: int) -> None:
        self.sizes[path] = size_bytes
        self.held_bytes += size_bytes

    def shift(self) -> None:
        """The first leaves the hot table."""
        path, size_bytes = self.sizes.popitem(last=False)
        self._hot.drop(path)
        self.held_bytes -= size_bytes

    def forget(self, path: str) -> None:
        self.held_bytes -= self.sizes.pop(path, 0)
