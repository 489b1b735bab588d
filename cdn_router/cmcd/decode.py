"""CMCD records from the three transports (CTA-5004-B section 3; CM-1..CM-4, CM-10..CM-13, CM-30).

A version 2 set with nothing odd in it is read by native.cmcd in one pass. Any other is read here,
strictly as an RFC 9651 dictionary. Where that fails, its members are read one by one
and those that are sound count (`member_skipped`). Then every key is held to `tables.KEYS`: what is
of another type is dropped, what players are known to get wrong is taken and noted (`notes`).
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import cast
from urllib.parse import unquote

from native.cmcd import Orderly

from .errors import CmcdError, SfvError
from .record import Data, Element, Note, Record, Scalar, Value, Valued
from .sfv import Bare, InnerList, Item, Member, Reader, Token, parse_dictionary
from .tables import (
    KEYS,
    LATEST,
    LISTED_ONLY,
    MAX_CUSTOM_CHARS,
    MAX_LIST,
    TOKENS,
    V1_ONLY,
    Header,
    Key,
    Kind,
    Mode,
)

MAX_RECORD_CHARS = 16_384
MAX_SKIPS = 64  # attempts to find the next sound member
NEXT_MEMBER = re.compile(r",[ \t]*(?=[a-z*][a-z0-9_.*-]*(?:[=,;]|$))")
HALF = Decimal("0.5")
ENCODED_COMMA = re.compile(r"%(?:3D|2C)", re.IGNORECASE)
PARAMETER = "CMCD="
PATH = re.compile(r"^(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?/[^?#]*\??|[^=?#\"]*\?)")  # of a URL
QUERY = re.compile(rf"(?:[^\"]*&)?{PARAMETER}")
# Keys of these kinds; a rate is decimal, `nrr` of version 1: with them a set is not for the kernel.
ORDERLY = Orderly(
    (
        (key.name, str(key.kind), key.event_only, key.max_chars, key.grid, TOKENS.get(key.name, ()))
        for key in KEYS.values()
        if key.kind is not Kind.DECIMAL and key.name not in V1_ONLY
    ),
    Valued,
    max_chars=MAX_RECORD_CHARS,
    max_list=MAX_LIST,
    version=LATEST,
)
HEADERS = {header.lower(): header for header in Header}


def decode(text: str, mode: Mode = Mode.REQUEST) -> Record:
    """The record of a set that is not URL-encoded."""
    data = ORDERLY.read(text, mode is Mode.EVENT)
    return decode_slowly(text, mode) if data is None else Record(cast(Data, data))


def decode_slowly(text: str, mode: Mode) -> Record:
    """The same for any set, with notes on what is odd."""
    notes: list[Note] = []
    return _typed(_members(text, notes), mode, notes)


def decode_headers(headers: Mapping[str, str], mode: Mode = Mode.REQUEST) -> Record | None:
    """The record of the four headers, whose names know no case; None when there is none of them.

    With any of them there the query does not count (CM-13).
    """
    found = _sharded(headers)
    return None if found is None else decode(found, mode)


def decode_query(query: str, mode: Mode = Mode.REQUEST) -> Record | None:
    """The record of a query or URL with a `CMCD` parameter, in capitals (CM-11)."""
    found = _parameter(query)
    return None if found is None else decode_parameter(found, mode)


def carried(headers: Mapping[str, str], query: str) -> str | None:
    """The set that a request carries, not URL-encoded; None when it carries none (CM-13)."""
    found = _sharded(headers)
    if found is not None:
        return found
    value = _parameter(query)
    return None if value is None else unquote(value)


def _sharded(headers: Mapping[str, str]) -> str | None:
    found = [value for name, value in headers.items() if name.lower() in HEADERS]
    return ", ".join(filter(None, found)) if found else None


def _parameter(query: str) -> str | None:
    for pair in PATH.sub("", query).partition("#")[0].split("&"):
        if pair.startswith(PARAMETER):
            return pair.removeprefix(PARAMETER)
    return None


def is_query(text: str) -> bool:
    """Whether it is a URL or a query, and not the value of its parameter: before the first `=` of
    a value there is neither `/` nor `?`.
    """
    return bool(PATH.match(text) or QUERY.match(text))


def decode_line(line: str, mode: Mode = Mode.EVENT) -> Record:
    """The record of a line of a body; spaces around it do not count (3.3)."""
    return decode(line.strip(), mode)


def lines(body: bytes) -> list[str]:
    """The records of a body; an empty line is none. CmcdError unless it is UTF-8."""
    try:
        return [line for line in body.decode().split("\n") if line.strip()]
    except UnicodeDecodeError:
        raise CmcdError("encoding", "a body is UTF-8") from None


def decode_parameter(value: str, mode: Mode = Mode.REQUEST) -> Record:
    """The record of the parameter's value, URL-encoded or as some players send it."""
    notes: list[Note] = []
    try:
        text = unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise CmcdError("encoding", "percent-encoded UTF-8 belongs here") from None
    if "+" in text:
        try:
            parse_dictionary(text)
        except SfvError:
            notes.append(Note("plus_space"))
            text = unquote(value.replace("+", " "))
    return _typed(_members(text, notes), mode, notes)


def _members(text: str, notes: list[Note]) -> dict[str, Member]:
    if len(text) > MAX_RECORD_CHARS:
        raise CmcdError("too_large", f"at most {MAX_RECORD_CHARS} characters a record")
    try:
        return parse_dictionary(text)
    except SfvError as error:
        if ENCODED_COMMA.search(text) and '"' not in text:
            notes.append(Note("url_encoded"))
            return _members(unquote(text), notes)
        members = _sound_members(text)
        if not members:
            raise CmcdError("malformed", str(error)) from None
        notes.append(Note("member_skipped"))
        return members


def _sound_members(text: str) -> dict[str, Member]:
    """The members of a broken dictionary that are well formed and end at a comma."""
    reader = Reader(text)
    members: dict[str, Member] = {}
    for _ in range(MAX_SKIPS):
        start = reader.at
        try:
            while not reader.done():
                start = reader.at
                key, member = reader.pair()
                reader.comma(len(members))
                members[key] = member
            break
        except SfvError:
            following = NEXT_MEMBER.search(reader.text, start)
            if following is None:
                break
            reader.at = following.end()
    return members


def _typed(members: Mapping[str, Member], mode: Mode, notes: list[Note]) -> Record:
    version = members.get("v")
    v = version.value if isinstance(version, Item) and type(version.value) is int else 1
    if v > LATEST:
        return Record({}, (*notes, Note("version", "v")))
    data: Data = {}
    for name, member in members.items():
        key = KEYS.get(name)
        if key is None:
            value = _custom(name, member, notes)
        elif mode is Mode.REQUEST and key.event_only:
            notes.append(Note("wrong_mode", name))
            continue
        else:
            value = _reserved(key, member, v, notes)
        if value is not None:
            data[name] = value
    return Record(data, tuple(notes))


def _custom(name: str, member: Member, notes: list[Note]) -> Value | None:
    """A custom key has a hyphenated prefix (4.1 item 5, CM-4)."""
    if not 0 < name.find("-") < len(name) - 1:
        notes.append(Note("unknown_key", name))
        return None
    if isinstance(member, InnerList):
        if len(member.items) > MAX_LIST:
            notes.append(Note("too_long", name))
            return None
        notes.append(Note("custom_type", name))
        return [_element(item, _scalar(item.value)) for item in member.items]
    value = _scalar(member.value)
    if not isinstance(value, str):
        notes.append(Note("custom_type", name))
    elif len(value) > MAX_CUSTOM_CHARS:
        notes.append(Note("too_long", name))
        return None
    if len(name) > MAX_CUSTOM_CHARS:
        notes.append(Note("too_long", name))
        return None
    return _element(member, value)


def _reserved(key: Key, member: Member, v: int, notes: list[Note]) -> Value | None:
    if v == 1 and key.v1 is None:
        notes.append(Note("later_key", key.name))
    if v > 1 and key.name in V1_ONLY:
        notes.append(Note("earlier_key", key.name))
    kind = key.v1 if v == 1 and key.v1 else key.kind
    listed = key.kind in (Kind.INTEGERS, Kind.STRINGS)
    if isinstance(member, InnerList):
        if not listed:
            notes.append(Note("wrong_type", key.name))
            return None
        if kind is not key.kind:
            notes.append(Note("list", key.name))
        return _list(key, member, notes)
    read = READERS[ELEMENTS.get(kind, kind)]
    value = read(key, member.value, notes)
    if value is None:
        return None
    if key.name == "nor" and v == 1 and isinstance(value, str):
        value = unquote(value)  # CM-2
    element = _element(member, value)
    if listed and kind is key.kind:
        notes.append(Note("scalar", key.name))
        return [element]
    return element


def _list(key: Key, member: InnerList, notes: list[Note]) -> Value | None:
    if len(member.items) > MAX_LIST:
        notes.append(Note("too_long", key.name))
        return None
    read = READERS[ELEMENTS[key.kind]]
    found: list[Element] = []
    for item in member.items:
        value = read(key, item.value, notes)
        if value is not None:
            found.append(_element(item, value))
    return found or None


def _element(item: Item, value: Scalar) -> Element:
    if not item.params:
        return value
    return Valued(value, {name: _scalar(param) for name, param in item.params.items()})


def _scalar(value: Bare) -> Scalar:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, str) else value


# -- one reader a kind: the value, or None and a note ----------------------------------------------


def _integer(key: Key, value: Bare, notes: list[Note]) -> int | None:
    if isinstance(value, Decimal):
        notes.append(Note("decimal", key.name))
        value = math.floor(value + HALF)  # as players round
    if not isinstance(value, int) or isinstance(value, bool):
        notes.append(Note("wrong_type", key.name))
        return None
    if value < 0:
        notes.append(Note("range", key.name))
        return None
    if value % key.grid:
        notes.append(Note("off_grid", key.name))
    return int(value)


def _decimal(key: Key, value: Bare, notes: list[Note]) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        notes.append(Note("wrong_type", key.name))
        return None
    return int(value) if value == int(value) else float(value)


def _boolean(key: Key, value: Bare, notes: list[Note]) -> bool | None:
    if isinstance(value, bool):
        return value
    notes.append(Note("wrong_type", key.name))
    return None


def _string(key: Key, value: Bare, notes: list[Note]) -> str | None:
    if not isinstance(value, str):
        notes.append(Note("wrong_type", key.name))
        return None
    if isinstance(value, Token):
        notes.append(Note("bare_string", key.name))
    if len(value) > key.max_chars:
        notes.append(Note("too_long", key.name))
        return None
    return str(value)


def _token(key: Key, value: Bare, notes: list[Note]) -> str | None:
    if not isinstance(value, str):
        notes.append(Note("wrong_type", key.name))
        return None
    if value in LISTED_ONLY.get(key.name, ()):
        notes.append(Note("listed_only", key.name))
        return None
    if value not in TOKENS[key.name]:
        notes.append(Note("wrong_word", key.name))
        return None
    if not isinstance(value, Token):
        notes.append(Note("quoted_token", key.name))
    return str(value)


READERS: dict[Kind, Callable[[Key, Bare, list[Note]], Scalar | None]] = {
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.STRING: _string,
    Kind.TOKEN: _token,
}
ELEMENTS = {Kind.INTEGERS: Kind.INTEGER, Kind.STRINGS: Kind.STRING}
