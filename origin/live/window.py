"""The hot window: newest media in memory, answered without a handler."""

from collections import deque

from native.http import Entity, Hot


class HotWindow:
    """Media in memory, newest last; the oldest leaves when the budget (bytes) is spent."""

    def __init__(self, hot: Hot, limit_bytes: int) -> None:
        self.hot = hot
        self.held_bytes = 0
        self._limit_bytes = limit_bytes
        self._order: deque[tuple[str, int]] = deque()

    def put(self, path: str, entity: Entity) -> None:
        self.hot.put(path, entity)
        self._order.append((path, len(entity.body)))
        self.held_bytes += len(entity.body)
        while self.held_bytes > self._limit_bytes and len(self._order) > 1:
            oldest, size = self._order.popleft()
            self.hot.drop(oldest)
            self.held_bytes -= size
