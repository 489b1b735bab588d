"""catnip entries (CAT-45; RFC 9164): addresses, prefixes in the forms seen, autonomous systems."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from cat.cbor import Tag

MAX_ASN = 2**32 - 1
_FAMILIES = {52: (4, 4), 54: (6, 16)}  # RFC 9164: tag -> version, bytes

Address = IPv4Address | IPv6Address
Form = Literal["trimmed", "full", "map"]
Entry = Callable[[Address | None, int | None], bool | None]


def client_address(text: str) -> Address | None:
    """An IPv4-mapped IPv6 address compares as IPv4; None when the text is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def entry(value: object) -> Entry | None:
    """The test an entry stands for, or None when it is malformed."""
    if isinstance(value, Tag):
        return _prefix(value)
    low, high = value if isinstance(value, tuple) and len(value) == 2 else (value, value)
    if not (type(low) is int and type(high) is int and 0 <= low <= high <= MAX_ASN):
        return None
    return lambda address, asn: asn is not None and low <= asn <= high


def written(value: object, form: Form) -> object:
    """An entry as an issuer writes it (CAT-122): a prefix's address without trailing zero bytes, in
    all its bytes, or as a map of length and address. A text is an address or a prefix
    ("192.0.2.0/24"); ValueError for any other. Whatever is no prefix stays as it is.
    """
    if isinstance(value, str):
        network = ip_network(value)
        tag, size = (52, 4) if network.version == 4 else (54, 16)
        address = network.network_address.packed
        whole = network.prefixlen == 8 * size
        value = Tag(tag, address if whole else (network.prefixlen, address))
    if not isinstance(value, Tag) or value.number not in _FAMILIES:
        return value
    _, size = _FAMILIES[value.number]
    length, data = _length_and_bytes(value.value, size)
    if isinstance(value.value, bytes) or type(length) is not int or not isinstance(data, bytes):
        return value
    if form == "full":
        return Tag(value.number, (length, data.ljust(size, b"\0")))
    bare = data.rstrip(b"\0")
    return Tag(value.number, {length: bare} if form == "map" else (length, bare))


def _prefix(tag: Tag) -> Entry | None:
    if tag.number not in _FAMILIES:
        return None
    version, size = _FAMILIES[tag.number]
    length, data = _length_and_bytes(tag.value, size)
    if type(length) is not int or not isinstance(data, bytes):
        return None
    if not 0 <= length <= 8 * size or len(data) > size:
        return None
    network = int.from_bytes(data.ljust(size, b"\0"), "big")
    shift = 8 * size - length
    if network & ((1 << shift) - 1):
        return None

    def test(address: Address | None, _asn: int | None) -> bool | None:
        if address is None:
            return None
        return address.version == version and int(address) >> shift == network >> shift

    return test


def _length_and_bytes(value: object, size: int) -> tuple[object, object]:
    if isinstance(value, bytes):
        return (8 * size, value) if len(value) == size else (None, None)
    if isinstance(value, tuple | list) and len(value) == 2:
        return value[0], value[1]
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value.items()))
    return None, None
