"""CBOR (RFC 8949): the kernel's decoders at our limits (CAT-5, CAT-11, CAT-120) and a
deterministic encoder (section 4.2.1).
"""

import math
import struct
from collections.abc import Mapping
from typing import Final

from cat.tables import LIMITS
from native.cat import CborError, Decoder, Tag, Value


def _decoder(lenient: bool) -> Decoder:
    return Decoder(
        depth=LIMITS.depth,
        items=LIMITS.items,
        map_pairs=LIMITS.map_pairs,
        array_items=LIMITS.array_items,
        text_bytes=LIMITS.text_bytes,
        lenient=lenient,
    )


DECODERS: Final = {"strict": _decoder(False), "lenient": _decoder(True)}  # CAT-5
decode = DECODERS["strict"].decode

_FLOATS = {25: ">e", 26: ">f", 27: ">d"}


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


def items(data: bytes) -> dict[bytes, bytes]:
    """The pairs of a map that was decoded before, each side in its own bytes."""
    count, at = _argument(data, 0)
    pairs: dict[bytes, bytes] = {}
    for _ in range(count):
        middle = _skip(data, at)
        end = _skip(data, middle)
        pairs[data[at:middle]] = data[middle:end]
        at = end
    return pairs


def join(pairs: Mapping[bytes, bytes]) -> bytes:
    """A map in deterministic order of pairs that are encoded."""
    return _head(5, len(pairs)) + b"".join(key + pairs[key] for key in sorted(pairs))


def _argument(data: bytes, at: int) -> tuple[int, int]:
    """The argument of the head at `at`, and where the head ends."""
    info = data[at] & 31
    size = 0 if info < 24 else 1 << (info - 24)
    return int.from_bytes(data[at + 1 : at + 1 + size], "big") if size else info, at + 1 + size


def _skip(data: bytes, at: int) -> int:
    """Where the item at `at` ends."""
    major = data[at] >> 5
    argument, at = _argument(data, at)
    if major in (2, 3):
        return at + argument
    for _ in range({4: argument, 5: 2 * argument, 6: 1}.get(major, 0)):
        at = _skip(data, at)
    return at


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise CborError("number above 64 bits")


def _float_info(value: float) -> int:
    for info in (25, 26):
        try:
            if struct.unpack(_FLOATS[info], struct.pack(_FLOATS[info], value))[0] == value:
                return info
        except OverflowError:
            continue
    return 27


__all__ = ["DECODERS", "CborError", "Tag", "Value", "decode", "encode", "items", "join"]
