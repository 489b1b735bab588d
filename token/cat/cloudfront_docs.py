"""The claims 401..404 of the CloudFront documentation (CAT section 7, CAT-62): forms and judges.

Keys are numbers, or the decimal text that JavaScript objects write. Every component named must
hold, every match of one component too; a value that is a list means any of it.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from cat.cbor import Value
from cat.context import Case, normal_uri
from cat.network import client_address
from cat.tables import COMPONENTS, LIMITS

HOST, PATH, EXTENSION = 1, 2, 3
RENEWAL, NEXT_RENEWAL, MAX_USES = 1, 2, 3
_CIDR = re.compile(r"[0-9A-Fa-f:.]+(?:/(?:0|[1-9][0-9]{0,2}))?")
HEADER_RENEWAL: Final = "header_renewal"
_PARTS: Final = {
    HOST: COMPONENTS["host"],
    PATH: COMPONENTS["path"],
    EXTENSION: COMPONENTS["extension"],
}
_MATCHES: Final[dict[int, Callable[[str, str], bool]]] = {
    1: str.startswith,
    2: str.endswith,
    3: str.__eq__,
}


def label(key: Value) -> Value:
    """A key as a number where it is one in decimal text."""
    if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= 4:
        return int(key)
    return key


def numbered(value: object) -> dict[Any, Any] | None:
    """A map by number; None for anything else, and where both spellings of a key stand."""
    if not isinstance(value, Mapping):
        return None
    found = {label(key): item for key, item in value.items()}
    return found if len(found) == len(value) else None


def _texts(value: object) -> tuple[str, ...]:
    """A text or a list of texts, none of them empty; () for anything else."""
    texts = value if isinstance(value, tuple) else (value,)
    good = len(texts) <= LIMITS.list_items and all(isinstance(t, str) and t for t in texts)
    return texts if good else ()


def is_uri(value: object) -> bool:
    parts = numbered(value)
    if not parts or not parts.keys() <= _PARTS.keys():
        return False
    rules = [numbered(matches) for matches in parts.values()]
    return (
        all(
            bool(rule) and rule.keys() <= _MATCHES.keys() and all(map(_texts, rule.values()))
            for rule in rules
            if rule is not None
        )
        and None not in rules
    )


def uri(value: object, case: Case) -> bool:
    """All components, all their matches, any of a list."""
    found = normal_uri(case.context, case.options)
    if found is None:
        return False
    for number, matches in (numbered(value) or {}).items():
        text = found.component(_PARTS[number], case.profile)[0]
        if len(text) > LIMITS.subject_bytes:
            return False
        for kind, wanted in (numbered(matches) or {}).items():
            texts = [each.lower() if number == HOST else each for each in _texts(wanted)]
            if not any(_MATCHES[kind](text, each) for each in texts):
                return False
    return True


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """An address or CIDR without bits beyond its length."""
    if _CIDR.fullmatch(text) is None:
        return None
    try:
        return ip_network(text)
    except ValueError:
        return None


def is_networks(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and 1 <= len(value) <= LIMITS.array_items
        and all(isinstance(text, str) and _network(text) is not None for text in value)
    )


def networks(value: tuple[str, ...], case: Case) -> bool | None:
    """Any entry holds the client's address."""
    address = None if case.context.ip is None else client_address(case.context.ip)
    if address is None:
        return None
    return any(network is not None and address in network for network in map(_network, value))


def is_renewal(value: object) -> bool:
    """Never acted on: its uses cannot be counted (CAT-62)."""
    rules = numbered(value)
    return rules is not None and (
        rules.get(RENEWAL, HEADER_RENEWAL) == HEADER_RENEWAL
        and all(type(rules.get(key, 0)) in (int, float) for key in (NEXT_RENEWAL, MAX_USES))
    )
