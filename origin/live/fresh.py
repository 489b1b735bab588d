"""The newest chunks of a log in memory: what was just written is not read back, and answers that
are made of it share its octets.
"""


class Fresh:
    """Chunks by volume and offset, oldest first; more than `limit_bytes` are not kept."""

    def __init__(self, limit_bytes: int) -> None:
        self.held_bytes = 0
        self._limit_bytes = limit_bytes
        self._chunks: dict[tuple[int, int], tuple[int, bytes]] = {}

    def put(self, volume: int, offset: int, decode_time: int, data: bytes) -> None:
        """Keep a chunk that begins at this time (ticks)."""
        self._chunks[volume, offset] = (decode_time, data)
        self.held_bytes += len(data)
        while self.held_bytes > self._limit_bytes:
            self._forget(next(iter(self._chunks)))

    def get(self, volume: int, offset: int) -> bytes | None:
        """The octets of a chunk, unless they have left."""
        found = self._chunks.get((volume, offset))
        return None if found is None else found[1]

    def drop(self, before: int) -> None:
        """Forget chunks that begin before this time (ticks)."""
        for key in [key for key, (begins, _) in self._chunks.items() if begins < before]:
            self._forget(key)

    def _forget(self, key: tuple[int, int]) -> None:
        self.held_bytes -= len(self._chunks.pop(key)[1])
