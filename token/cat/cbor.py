"""Bounded CBOR (RFC 8949): a strict decoder (CAT-5, CAT-11, CAT-120) and a deterministic encoder
(section 4.2.1).

Arrays become tuples so that they can be map keys; tags become `Tag`. Map order is kept and not
checked (CAT-5).
"""

import math
import struct
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from cat.errors import CatError
from cat.tables import LIMITS


class Tag(NamedTuple):
    number: int
    value: "Value"


Value: TypeAlias = (
    int | float | str | bytes | bool | tuple["Value", ...] | dict["Value", "Value"] | Tag | None
)


class CborError(CatError):
    """Not one well-formed, shortest-form item within the limits."""


_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE: dict[int, bool | None] = {20: False, 21: True, 22: None}


def decode(data: bytes) -> Value:
    """The one item that `data` holds."""
    reader = _Reader(data)
    value = reader.item(0)
    if reader.at != len(data):
        raise CborError("trailing bytes")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.items = 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise CborError("declared length is beyond the end")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def argument(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise CborError("indefinite or reserved length")
        size = 1 << (info - 24)
        value = int.from_bytes(self.take(size), "big")
        if value < 24 or (size > 1 and value >> (4 * size) == 0):
            raise CborError("not the shortest form")
        return value

    def item(self, depth: int) -> Value:
        self.items += 1
        if depth > LIMITS.depth or self.items > LIMITS.items:
            raise CborError("too deep or too many items")
        head = self.take(1)[0]
        major, info = head >> 5, head & 31
        if major == 7:
            return self.simple(info)
        argument = self.argument(info)
        return _MAJORS[major](self, argument, depth)

    def text(self, size: int, _depth: int) -> str:
        if size > LIMITS.text_bytes:
            raise CborError("text too long")
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise CborError("text is not UTF-8") from None

    def array(self, count: int, depth: int) -> tuple[Value, ...]:
        if count > min(LIMITS.array_items, len(self.data) - self.at):
            raise CborError("array too long")
        return tuple(self.item(depth + 1) for _ in range(count))

    def map(self, count: int, depth: int) -> dict[Value, Value]:
        if count > min(LIMITS.map_pairs, (len(self.data) - self.at) // 2):
            raise CborError("map too long")
        result: dict[Value, Value] = {}
        for _ in range(count):
            key = self.item(depth + 1)
            if not _can_be_key(key) or key in result:
                raise CborError("map key is doubled or of a kind that labels nothing")
            result[key] = self.item(depth + 1)
        return result

    def simple(self, info: int) -> Value:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info not in _FLOATS:
            raise CborError("reserved or unassigned simple value")
        value: float = struct.unpack(_FLOATS[info], self.take(1 << (info - 24)))[0]
        if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
            raise CborError("not a finite number, or negative zero")
        if _float_info(value) != info:
            raise CborError("float is not in its shortest form")
        return value


_MAJORS: dict[int, Callable[[_Reader, int, int], Value]] = {
    0: lambda reader, argument, depth: argument,
    1: lambda reader, argument, depth: -1 - argument,
    2: lambda reader, argument, depth: reader.take(argument),
    3: _Reader.text,
    4: _Reader.array,
    5: _Reader.map,
    6: lambda reader, argument, depth: Tag(argument, reader.item(depth + 1)),
}


def _can_be_key(value: Value) -> bool:
    """Ints, texts, byte strings and arrays of them: kinds that never compare equal across kinds."""
    if type(value) is tuple:
        return all(type(item) in (int, str, bytes) for item in value)
    return type(value) in (int, str, bytes)


def _float_info(value: float) -> int:
    for info in (25, 26):
        try:
            if struct.unpack(_FLOATS[info], struct.pack(_FLOATS[info], value))[0] == value:
                return info
        except OverflowError:
            continue
    return 27


def encode(value: object) -> bytes:
    """Deterministic form: shortest heads, map keys in bytewise order of their encodings."""
    if value is None or isinstance(value, bool):
        return bytes([0xF6 if value is None else 0xF5 if value else 0xF4])
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CborError("not a finite number")
        if value.is_integer() and abs(value) <= 2**53:
            return encode(int(value))
        info = _float_info(value)
        return bytes([0xE0 | info]) + struct.pack(_FLOATS[info], value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return _head(3, len(data)) + data
    if isinstance(value, Tag):
        return _head(6, value.number) + encode(value.value)
    if isinstance(value, list | tuple):
        return _head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise CborError(f"{type(value).__name__} has no CBOR form here")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise CborError("number above 64 bits")
