"""The ten MUST NOTs of CTA-5004-B and what an event has to carry: the validator (CM-20, CM-26).

A set is judged as it came, before any tolerance. Tests hold the encoder to the same table.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from .errors import SfvError
from .sfv import InnerList, Item, Member, Token, parse_dictionary
from .tables import (
    AGGREGATES,
    KEYS,
    LATEST,
    NOTHING,
    OBJECT_TYPES,
    REQUIRED,
    RESPONSE_KEYS,
    TOKENS,
    Mode,
)

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")


class Transport(StrEnum):
    QUERY = "query"
    HEADER = "header"
    BODY = "body"


class Finding(NamedTuple):
    """A rule that is broken, and the key it is about."""

    rule: str
    key: str


class Sent(NamedTuple):
    """One set, as text and as members, and how it travelled (a body: its whole text)."""

    text: str
    members: Mapping[str, Member]
    transport: Transport


@dataclass(frozen=True, slots=True)
class Directive:
    """`broken_by` names the keys of a set that break the rule."""

    rule: str
    section: str
    broken_by: Callable[[Sent], list[str]]


def validate(text: str, mode: Mode, transport: Transport) -> list[Finding]:
    """The breaches in a set (of a query: decoded) or in a body of sets; none when it conforms."""
    if transport is not Transport.BODY:
        return _judge(text, mode, transport)
    sets = text.split("\n")
    records = [each for each in sets if each.strip()]
    found = [Finding("trailing_lf", "")] if len(records) == 1 < len(sets) else []
    return found + [f for each in records for f in _judge(each.strip(" "), mode, transport)]


def _judge(text: str, mode: Mode, transport: Transport) -> list[Finding]:
    try:
        members: Mapping[str, Member] = parse_dictionary(text)
    except SfvError as error:
        encoded = [Finding("url_encoded", "")] if _url_encoded(text, transport) else []
        return [*encoded, Finding("syntax", error.code)]
    sent = Sent(text, members, transport)
    found = [Finding(rule.rule, key) for rule in DIRECTIVES for key in rule.broken_by(sent)]
    return found + [Finding("event_key", key) for key in _missing(members, mode)]


def _value(members: Mapping[str, Member], key: str) -> object:
    """The bare value of an item; None when it is absent or a list."""
    member = members.get(key)
    return member.value if isinstance(member, Item) else None


def _unknown_values(sent: Sent) -> list[str]:
    return [
        name
        for name, member in sent.members.items()
        if any(
            isinstance(item.value, str) and item.value.lower() in NOTHING
            for item in (member.items if isinstance(member, InnerList) else (member,))
        )
        or (isinstance(member, InnerList) and not member.items)
    ]


def _url_encoded(text: str, transport: Transport) -> bool:
    return transport is not Transport.QUERY and bool(ENCODED.search(QUOTED.sub("", text)))


def _event_name(sent: Sent) -> list[str]:
    return ["cen"] if "cen" in sent.members and _value(sent.members, "e") != "ce" else []


def _beside(aggregate: str) -> Callable[[Sent], list[str]]:
    fact = AGGREGATES[aggregate]
    return lambda sent: [aggregate] if {aggregate, fact} <= sent.members.keys() else []


def _object_type(key: str) -> Callable[[Sent], list[str]]:
    allowed = OBJECT_TYPES[key]
    return lambda sent: (
        [key] if key in sent.members and _value(sent.members, "ot") not in allowed else []
    )


def _unknown_type(sent: Sent) -> list[str]:
    kind = _value(sent.members, "ot")
    known = isinstance(kind, Token) and kind in TOKENS["ot"]
    return ["ot"] if "ot" in sent.members and not known else []


DIRECTIVES = (
    Directive("unknown_value", "3", _unknown_values),
    Directive("trailing_lf", "3.3", lambda sent: []),  # a matter of the whole body: `validate`
    Directive(
        "url_encoded", "4.1", lambda sent: [""] if _url_encoded(sent.text, sent.transport) else []
    ),
    Directive("ab_beside_br", "4.3 ab", _beside("ab")),
    Directive("lab_beside_lb", "4.3 lab", _beside("lab")),
    Directive("tab_beside_tb", "4.3 tab", _beside("tab")),
    Directive("cen_outside_ce", "4.3 cen", _event_name),
    Directive("d_object_type", "4.3 d", _object_type("d")),
    Directive("tpb_object_type", "4.3 tpb", _object_type("tpb")),
    Directive("ot_unknown", "4.3 ot", _unknown_type),
)


def _missing(members: Mapping[str, Member], mode: Mode) -> list[str]:
    """The keys that are missing or out of place for the mode and event (CM-20)."""
    if mode is Mode.REQUEST:
        return [name for name in members if name in KEYS and KEYS[name].event_only]
    event = _value(members, "e")
    needed = ["e", "ts", "v", *([REQUIRED[event]] if event in REQUIRED else [])]
    absent = [name for name in needed if name not in members]
    if event not in TOKENS["e"] and "e" in members:
        absent.append("e")
    if _value(members, "v") != LATEST and "v" in members:
        absent.append("v")
    return absent + [name for name in members if name in RESPONSE_KEYS and event != "rr"]
