"""The decoder of `native.cat` in plain Python: slow, obvious, the oracle of its tests.

Same limits, same refusals, same words.
"""

import math
import struct

from cat.tables import LIMITS
from native.cat import CborError, Tag

_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE = {20: False, 21: True, 22: None}


def decode(data):
    """The one item that `data` holds."""
    reader = _Reader(data)
    value = reader.item(0)
    if reader.at != len(data):
        raise CborError("trailing bytes")
    return value


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0
        self.items = 0

    def take(self, size):
        end = self.at + size
        if end > len(self.data):
            raise CborError("declared length is beyond the end")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def argument(self, info):
        if info < 24:
            return info
        if info > 27:
            raise CborError("indefinite or reserved length")
        size = 1 << (info - 24)
        value = int.from_bytes(self.take(size), "big")
        if value < 24 or (size > 1 and value >> (4 * size) == 0):
            raise CborError("not the shortest form")
        return value

    def item(self, depth):
        self.items += 1
        if depth > LIMITS.depth or self.items > LIMITS.items:
            raise CborError("too deep or too many items")
        head = self.take(1)[0]
        major, info = head >> 5, head & 31
        if major == 7:
            return self.simple(info)
        argument = self.argument(info)
        return _MAJORS[major](self, argument, depth)

    def text(self, size, _depth):
        if size > LIMITS.text_bytes:
            raise CborError("text too long")
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise CborError("text is not UTF-8") from None

    def array(self, count, depth):
        if count > min(LIMITS.array_items, len(self.data) - self.at):
            raise CborError("array too long")
        return tuple(self.item(depth + 1) for _ in range(count))

    def map(self, count, depth):
        if count > min(LIMITS.map_pairs, (len(self.data) - self.at) // 2):
            raise CborError("map too long")
        result = {}
        for _ in range(count):
            key = self.item(depth + 1)
            if not _can_be_key(key) or key in result:
                raise CborError("map key is doubled or of a kind that labels nothing")
            result[key] = self.item(depth + 1)
        return result

    def simple(self, info):
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info not in _FLOATS:
            raise CborError("reserved or unassigned simple value")
        value = struct.unpack(_FLOATS[info], self.take(1 << (info - 24)))[0]
        if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
            raise CborError("not a finite number, or negative zero")
        if _float_info(value) != info:
            raise CborError("float is not in its shortest form")
        return value


_MAJORS = {
    0: lambda reader, argument, depth: argument,
    1: lambda reader, argument, depth: -1 - argument,
    2: lambda reader, argument, depth: reader.take(argument),
    3: _Reader.text,
    4: _Reader.array,
    5: _Reader.map,
    6: lambda reader, argument, depth: Tag(argument, reader.item(depth + 1)),
}


def _can_be_key(value):
    """Ints, texts, byte strings and arrays of them: kinds that never compare equal across kinds."""
    if type(value) is tuple:
        return all(type(item) in (int, str, bytes) for item in value)
    return type(value) in (int, str, bytes)


def _float_info(value):
    for info in (25, 26):
        try:
            if struct.unpack(_FLOATS[info], struct.pack(_FLOATS[info], value))[0] == value:
                return info
        except OverflowError:
            continue
    return 27


CWT, MAC0, SIGN1, ENCRYPT0 = 61, 17, 18, 16
ALG, CRIT, KID = 1, 2, 4
_PARTS = {MAC0: 4, SIGN1: 4, ENCRYPT0: 3}


def parse(data):
    """The envelope's fields in the kernel's order, from the whole decoded item."""
    item = decode(data)
    if isinstance(item, Tag) and item.number == CWT:
        item = item.value
    if not isinstance(item, Tag) or item.number not in _PARTS or type(item.value) is not tuple:
        raise CborError("not a tagged COSE message")
    tag, parts = item.number, item.value
    if len(parts) != _PARTS[tag]:
        raise CborError("wrong number of parts")
    protected, unprotected, payload = parts[:3]
    if type(protected) is not bytes or type(unprotected) is not dict or type(payload) is not bytes:
        raise CborError("wrong kind of part")
    headers = decode(protected) if protected else {}
    if type(headers) is not dict or headers.keys() & unprotected.keys() or CRIT in unprotected:
        raise CborError("headers are no map, doubled, or critical without protection")
    kid = headers.get(KID, unprotected.get(KID))
    if isinstance(kid, str):
        kid = kid.encode()
    critical = headers.get(CRIT, ())
    if type(critical) is not tuple or (CRIT in headers and not critical):
        raise CborError("crit is not a list of labels")
    if kid is not None and type(kid) is not bytes:
        raise CborError("kid is neither bytes nor text")
    alg = headers.get(ALG)
    if tag == ENCRYPT0:
        return tag, protected, alg, kid, critical, payload, {}, b""
    seal, claims = parts[3], decode(payload)
    if type(seal) is not bytes or type(claims) is not dict:
        raise CborError("seal is not bytes or payload not a claims map")
    return tag, protected, alg, kid, critical, payload, claims, seal
