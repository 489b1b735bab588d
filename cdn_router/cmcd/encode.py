"""Data to CMCD text for the three transports (CTA-5004-B sections 3 and 4; CM-1, CM-2, CM-10).

What a conforming player must not send is left out, not sent (`directives`): an unknown value, a key
on the wrong object type, an aggregate beside its fact, `cen` outside its event. EncodeError only
for an event that lacks what it is about.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeAlias
from urllib.parse import quote

from .errors import EncodeError
from .record import Data, Element, Scalar, Value, Valued, bare, upgrade
from .sfv import KEY, InnerList, Item, Member, Token
from .sfv_write import write_dictionary
from .tables import (
    AGGREGATES,
    KEYS,
    LATEST,
    MAX_CUSTOM_CHARS,
    NOTHING,
    OBJECT_TYPES,
    REQUIRED,
    RESPONSE_KEYS,
    SUBJECTS,
    TOKENS,
    V1_ONLY,
    Header,
    Key,
    Kind,
    Mode,
)

KEPT_IN_QUERY = "!'()*"  # as encodeURIComponent; decoders must take both
ALWAYS = frozenset({"e", "ts", "v"})
PLAIN_RATE = 1  # `pr` says only what is not real time

Loose: TypeAlias = Mapping[str, object]  # values may be None or NaN: unknown


def encode(
    data: Loose,
    *,
    version: int = LATEST,
    mode: Mode = Mode.REQUEST,
    keys: Collection[str] | None = None,
    now_ms: int | None = None,
) -> str:
    """One record. `keys` is a filter that never removes what an event is about; `now_ms` is the
    time of an event whose data has none.
    """
    members = _members(data, version, mode, keys, now_ms)
    return write_dictionary(members, ",")


def encode_headers(
    data: Loose,
    *,
    version: int = LATEST,
    keys: Collection[str] | None = None,
    custom: Mapping[Header, Collection[str]] | None = None,
) -> dict[str, str]:
    """The headers that are not empty; custom keys that `custom` does not place vary by request."""
    places = {name: header for header, names in (custom or {}).items() for name in names}
    shards: dict[Header, dict[str, Member]] = {header: {} for header in Header}
    for name, member in _members(data, version, Mode.REQUEST, keys, None).items():
        key = KEYS.get(name)
        header = key.header if key else places.get(name, Header.REQUEST)
        shards[header or Header.REQUEST][name] = member
    return {str(header): write_dictionary(shard, ",") for header, shard in shards.items() if shard}


def encode_query(data: Loose, *, version: int = LATEST, keys: Collection[str] | None = None) -> str:
    """`CMCD=...`, without the ampersand or question mark before it (3.2)."""
    return "CMCD=" + quote(encode(data, version=version, keys=keys), safe=KEPT_IN_QUERY)


def encode_body(records: Iterable[Loose], *, now_ms: int | None = None) -> bytes:
    """Events for a POST; no line feed after the last, so none after a single one (3.3)."""
    return "\n".join(encode(each, mode=Mode.EVENT, now_ms=now_ms) for each in records).encode()


def _members(
    data: Loose,
    version: int,
    mode: Mode,
    keys: Collection[str] | None,
    now_ms: int | None,
) -> dict[str, Member]:
    known = _known(data)
    if mode is Mode.EVENT:
        if version < LATEST:
            raise EncodeError("event_version", "events are a thing of version 2")
        if now_ms is not None:
            known.setdefault("ts", now_ms)
    known = _v1(known) if version == 1 else upgrade(known)
    known.pop("v", None)
    if version > 1:
        known["v"] = version
    event = _event(known, mode)
    subject = SUBJECTS.get(event)
    return {
        name: member
        for name in sorted(known)
        if (keys is None or name in keys or name in ALWAYS or name == subject)
        and _allowed(name, known, event, mode, version)
        and (member := _member(name, known[name], version, event)) is not None
    }


def _known(data: Loose) -> Data:
    """Without what is unknown (3: a key without a value is left out)."""
    found: Data = {}
    for name, value in data.items():
        if isinstance(value, list | tuple) and not isinstance(value, Valued):
            elements: list[Element] = [each for each in value if _is_known(each)]
            if elements:
                found[name] = elements
        elif _is_known(value):
            found[name] = value  # type: ignore[assignment]
    return found


def _is_known(value: object) -> bool:
    if isinstance(value, Valued):
        value = value.value
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    if isinstance(value, str):
        return value.lower() not in NOTHING
    return isinstance(value, int)


def _event(known: Data, mode: Mode) -> str:
    if mode is Mode.REQUEST:
        return ""
    event = known.get("e")
    if not isinstance(event, str) or event not in TOKENS["e"]:
        raise EncodeError("event_key", "an event has e, one of the words of the standard")
    for needed in ("ts", REQUIRED.get(event, "ts")):
        if needed not in known:
            raise EncodeError("event_key", f"an event {event} has {needed}")
    return event


def _allowed(name: str, known: Data, event: str, mode: Mode, version: int) -> bool:
    """Whether the key may stand in this record at all."""
    key = KEYS.get(name)
    if key is None:
        return KEY.fullmatch(name) is not None and 0 < name.find("-") < len(name) - 1
    if (version == 1 and key.v1 is None) or (version > 1 and name in V1_ONLY):
        return False
    if mode is Mode.REQUEST and key.event_only:
        return False
    if name == "cen":
        return event == "ce"
    if name in RESPONSE_KEYS:
        return event == "rr"
    if name in AGGREGATES and AGGREGATES[name] in known:
        return False
    return name not in OBJECT_TYPES or known.get("ot") in OBJECT_TYPES[name]


def _member(name: str, value: Value, version: int, event: str) -> Member | None:
    """The value as a structured field; None when the key cannot carry it."""
    key = KEYS.get(name)
    if key is None:
        return _custom(name, value)
    kind = key.v1 if version == 1 and key.v1 else key.kind
    if name == "pr" and value == PLAIN_RATE and event != "pr":
        return None
    if kind in ELEMENTS:
        elements = value if isinstance(value, list) else [value]
        items = [_item(key, ELEMENTS[kind], each) for each in elements]
        kept = tuple(item for item in items if item is not None)
        return InnerList(kept, {}) if kept else None
    if isinstance(value, list):
        return None
    item = _item(key, kind, value)
    return None if item is None or (item.value is False and not event) else item


def _custom(name: str, value: Value) -> Item | None:
    if isinstance(value, list) or len(name) > MAX_CUSTOM_CHARS:
        return None
    plain, params = (value.value, value.params) if isinstance(value, Valued) else (value, {})
    if plain is False or (isinstance(plain, str) and not _fits(plain, MAX_CUSTOM_CHARS)):
        return None
    written = _number(plain) if isinstance(plain, float) else plain
    return Item(written, {key: _param(param) for key, param in params.items()})


def _item(key: Key, kind: Kind, element: Element) -> Item | None:
    value = WRITERS[kind](key, bare(element))
    if value is None:
        return None
    params = element.params if isinstance(element, Valued) else {}
    return Item(value, {name: _param(param) for name, param in params.items()})


def _param(value: Scalar) -> bool | int | str | Decimal:
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.001"), ROUND_HALF_EVEN)


def _v1(known: Data) -> Data:
    """Data in the forms of v1: the first of a list, a range as `nrr`, paths URL-encoded."""
    found: Data = {}
    for name, value in known.items():
        key = KEYS.get(name)
        first = value[0] if isinstance(value, list) else value
        found[name] = bare(first) if key and key.kind is not key.v1 else first
        if name == "nor" and isinstance(first, Valued) and "r" in first.params:
            found["nrr"] = first.params["r"]
    if isinstance(path := found.get("nor"), str):
        found["nor"] = quote(path, safe=KEPT_IN_QUERY)
    return found


# -- one writer a kind: the value on the wire, or None when it is not one --------------------------


def _integer(key: Key, value: Scalar) -> int | None:
    if isinstance(value, bool | str) or value < 0:
        return None
    return int(value / key.grid + 0.5) * key.grid if key.grid > 1 else int(value + 0.5)


def _decimal(_: Key, value: Scalar) -> int | Decimal | None:
    if isinstance(value, bool | str):
        return None
    return int(value) if value == int(value) else _number(value)


def _boolean(_: Key, value: Scalar) -> bool | None:
    return value if isinstance(value, bool) else None


def _string(key: Key, value: Scalar) -> str | None:
    return value if isinstance(value, str) and _fits(value, key.max_chars) else None


def _fits(text: str, max_chars: int) -> bool:
    """A string holds printable ASCII (RFC 9651 section 3.3.3)."""
    return len(text) <= max_chars and text.isascii() and text.isprintable()


def _token(key: Key, value: Scalar) -> Token | None:
    return Token(value) if isinstance(value, str) and value in TOKENS[key.name] else None


WRITERS: dict[Kind, Callable[[Key, Scalar], bool | int | str | Decimal | None]] = {
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.STRING: _string,
    Kind.TOKEN: _token,
}
ELEMENTS = {Kind.INTEGERS: Kind.INTEGER, Kind.STRINGS: Kind.STRING}
