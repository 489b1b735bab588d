"""Stretches of objects that were read lately, or are on their way (TR-45, TR-46)."""

from collections import OrderedDict
from threading import Lock

Key = tuple[object, ...]  # what names one version of an object


class Spans:
    """The newest stretches of all objects under one budget of bytes; for any thread."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._held: OrderedDict[tuple[Key, int], bytes] = OrderedDict()
        self._lock = Lock()
        self.held_bytes = 0

    def find(self, key: Key, start: int, end: int) -> memoryview | None:
        """The bytes [start, end), if one stretch has them all."""
        with self._lock:
            for (name, at), body in self._held.items():
                if name == key and at <= start and end <= at + len(body):
                    self._held.move_to_end((name, at))
                    return memoryview(body)[start - at : end - at]
        return None

    def put(self, key: Key, start: int, body: bytes) -> None:
        with self._lock:
            self.held_bytes += len(body) - len(self._held.pop((key, start), b""))
            self._held[key, start] = body
            while self.held_bytes > self._budget:
                _, gone = self._held.popitem(last=False)
                self.held_bytes -= len(gone)


class Pace:
    """Whether segments are asked for one after the other: read-ahead begins at the second that
    follows the one before (TR-46).
    """

    def __init__(self) -> None:
        self._number = -1
        self._hits = 0

    def goes_on(self, number: int) -> bool:
        if number == self._number + 1:
            self._hits += 1
        elif number != self._number:
            self._hits = 0
        self._number = number
        return self._hits >= 2
