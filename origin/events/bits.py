"""A bounded reader of bit fields, as MPEG and SCTE syntax tables are written."""

from origin.events.errors import BadEvent


class Bits:
    """Reads from the front; a read past the end is BadEvent."""

    __slots__ = ("_data", "_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    @property
    def left_bytes(self) -> int:
        return self._left // 8

    def take(self, bits: int) -> int:
        if bits > self._left:
            raise BadEvent("the message ends inside a field", code="cut_event")
        self._left -= bits
        return self._value >> self._left & (1 << bits) - 1

    def flag(self) -> bool:
        return self.take(1) == 1

    def take_bytes(self, count: int) -> bytes:
        """Whole bytes; only asked for where the syntax is byte aligned."""
        start = len(self._data) - self.left_bytes
        self.take(8 * count)
        return self._data[start : start + count]
