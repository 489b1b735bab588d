"""What tells of a person does not belong into a clear token (CAT-85; CTA-5007-B 4.6.9, 4.6.15,
4.6.16, 4.7.1, second-hand).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cat.cbor import Tag, Value
from cat.tables import LABELS

GEOHASH_CHARS: Final = 4
PREFIX_BITS: Final = {52: (24, 32), 54: (56, 128)}  # tag -> longest allowed, whole address
_PERSON = re.compile(r"[^@\s]+@[^@\s]+|\+?[0-9][0-9 ()./-]{6,}[0-9]")  # mail address, telephone


class Finding(NamedTuple):
    claim: str
    why: str


def findings(claims: Mapping[Value, Value]) -> Iterator[Finding]:
    """Everything in a well-formed set of claims that belongs into an encrypted token."""
    sub = claims.get(LABELS["sub"])
    if isinstance(sub, str) and _PERSON.fullmatch(sub):
        yield Finding("sub", "names a person")
    networks = claims.get(LABELS["catnip"])
    if isinstance(networks, tuple) and any(map(_is_narrow, networks)):
        yield Finding("catnip", "holds a prefix longer than 24 (IPv4) or 56 (IPv6) bits")
    places = claims.get(LABELS["geohash"])
    if any(len(text) > GEOHASH_CHARS for text in _texts(places)):
        yield Finding("geohash", f"is longer than {GEOHASH_CHARS} characters")
    for name in ("catgeocoord", "catgeoalt"):
        if LABELS[name] in claims:
            yield Finding(name, "tells a position")


def _texts(value: Value) -> Iterator[str]:
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, str):
            yield item


def _is_narrow(entry: object) -> bool:
    if not isinstance(entry, Tag) or entry.number not in PREFIX_BITS:
        return False
    most, whole = PREFIX_BITS[entry.number]
    length: object = whole
    if isinstance(entry.value, tuple):
        length = entry.value[0]
    elif isinstance(entry.value, dict):
        length = next(iter(entry.value))
    return isinstance(length, int) and length > most
