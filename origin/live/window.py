"""The hot window: newest media in memory, answered without a handler."""

from native.http import Entity, Hot


class HotWindow:
    """Media in memory, newest last; the oldest leaves when the budget (bytes) is spent."""

    def __init__(self, hot: Hot, limit_bytes: int) -> None:
        self.hot = hot
        self.held_bytes = 0
        self._limit_bytes = limit_bytes
        self._sizes: dict[str, int] = {}

    def put(self, path: str, entity: Entity) -> None:
        """Keep this until newer media needs its room."""
        self.drop(path)
        self.hot.put(path, entity)
        self._sizes[path] = entity.size_bytes
        self.held_bytes += entity.size_bytes
        while self.held_bytes > self._limit_bytes and len(self._sizes) > 1:
            self.drop(next(iter(self._sizes)))

    def drop(self, path: str) -> None:
        """Forget this; unknown paths are no error."""
        self.hot.drop(path)
        self.held_bytes -= self._sizes.pop(path, 0)
