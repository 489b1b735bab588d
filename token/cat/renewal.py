"""Renewal: a token that is accepted and near its end gets a successor (CAT-50..CAT-56).

Rules of the file: only an accepted token is renewed, and only here; the successor differs in exp,
iat and, where a store counts uses, cti; every other claim keeps its bytes. What a redirect could
repeat for ever is no redirect (CAT-55).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import floor
from typing import Any, Final

from cat import cbor, transport
from cat.context import Case
from cat.errors import IssueError
from cat.mint import Mint, seal
from cat.shapes import ABSOLUTE_DEADLINE
from cat.tables import LABELS, SAFE_INTEGER

HEADER_NAME: Final = "cta-common-access-token"
COOKIE_PARAMETERS: Final = "Path=/; Secure; HttpOnly; SameSite=None"
DEADLINE_S: Final = 60  # CAT-51
CTI_BYTES: Final = 16


class Delivery(IntEnum):
    """catr's types (CAT section 5)."""

    AUTOMATIC = 0
    COOKIE = 1
    HEADER = 2
    REDIRECT = 3


TYPE, EXPADD, DEADLINE, COOKIE, HEADER, COOKIE_WITH, HEADER_WITH, STATUS = range(8)
_CAME_BY: Final = {  # CAT-54, automatic
    "header": Delivery.HEADER,
    "cookie": Delivery.COOKIE,
    "query": Delivery.REDIRECT,
    "path": Delivery.REDIRECT,
}


@dataclass(frozen=True, slots=True)
class Renewed:
    """A successor and how it travels: `header` and `cookie` are whole field values, `name` is the
    header's.
    """

    delivery: Delivery
    token: str
    status: int | None = None
    name: str | None = None
    header: str | None = None
    cookie: str | None = None
    location: str | None = None

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """What the answer carries; no shared cache may keep it (CAT-56)."""
        private = ("Cache-Control", "private, no-store")
        if self.location is not None:
            return ("Location", self.location), ("Cache-Control", "no-store")
        if self.cookie is not None:
            return ("Set-Cookie", self.cookie), private
        assert self.name is not None and self.header is not None
        return (self.name, self.header), ("Access-Control-Expose-Headers", self.name), private

    def plain(self) -> dict[str, object]:
        """CAT-102."""
        said: dict[str, object] = {
            "type": self.delivery.name.lower(),
            "token": self.token,
            "status": self.status,
        }
        if self.location is not None:
            return said | {"location": self.location}
        if self.cookie is not None:
            return said | {"cookie": self.cookie}
        return said | {"header": f"{self.name}: {self.header}"}


def due_at(rules: Mapping[Any, Any], exp: float) -> float:
    """From when on a token is renewed (CAT-51, CAT-52)."""
    deadline: float = rules.get(DEADLINE, DEADLINE_S)
    return deadline if deadline > ABSOLUTE_DEADLINE else exp - deadline


def renewed(case: Case, kid: str | None, mint: Mint) -> Renewed | None:
    """The successor of an accepted token, or None when none is due or none can be delivered."""
    rules: Any = case.claims.get(LABELS["catr"])
    exp = case.claims.get(LABELS["exp"])
    if not isinstance(rules, dict) or not isinstance(exp, int | float):
        return None
    if case.profile.text_labels or case.context.now < due_at(rules, exp):
        return None
    came = _came_by(case)
    delivery = Delivery(rules[TYPE]) or _CAME_BY[came]
    if delivery is Delivery.REDIRECT and not _may_redirect(rules, case, came):
        return None
    token = _successor(rules[EXPADD], case, kid, mint)
    return None if token is None else _delivered(delivery, token, rules, case)


def _came_by(case: Case) -> str:
    uri, headers = case.context.uri, case.context.headers
    head, _, query = uri.partition("?")
    _, slash, path = head.partition("://")[2].partition("/")
    return transport.channel(case.token, slash + path, query, headers, case.options.names)


def _may_redirect(rules: Mapping[Any, Any], case: Case, came: str) -> bool:
    """CAT-55: the successor must not be due at once, and the token must stand in the URL."""
    deadline = rules.get(DEADLINE, DEADLINE_S)
    return (
        deadline <= ABSOLUTE_DEADLINE
        and rules[EXPADD] > deadline
        and case.context.method in ("GET", "HEAD")
        and came in ("query", "path")
    )


def _successor(expadd_s: float, case: Case, kid: str | None, mint: Mint) -> str | None:
    """CAT-53."""
    key, now = mint.renewer(kid), floor(case.context.now)
    if key is None or not key.live(now) or now + expadd_s > SAFE_INTEGER:
        return None
    changed: dict[int, object] = {LABELS["exp"]: now + expadd_s, LABELS["iat"]: now}
    if case.claims.get(LABELS["catreplay"], 0) != 0:
        changed[LABELS["cti"]] = mint.entropy(CTI_BYTES)
    items = _items(case)
    items.update({cbor.encode(label): cbor.encode(value) for label, value in changed.items()})
    try:
        return seal(cbor.join(items), key)
    except IssueError:
        return None  # it would be too long


def _items(case: Case) -> dict[bytes, bytes]:
    """The claims in their own bytes; where those may be in longer forms, in the shortest."""
    if case.options.cbor == "strict":
        return cbor.items(case.payload)
    return {cbor.encode(label): cbor.encode(value) for label, value in case.claims.items()}


def _delivered(delivery: Delivery, token: str, rules: Mapping[Any, Any], case: Case) -> Renewed:
    """CAT-54."""
    if delivery is Delivery.REDIRECT:
        location = case.context.uri.replace(case.token, token)
        status = rules.get(STATUS)
        return Renewed(delivery, token, status if status in (307, 308) else 302, location=location)
    if delivery is Delivery.COOKIE:
        name = rules.get(COOKIE, transport.COOKIE)
        parameters = _parameters(rules, COOKIE_WITH) or COOKIE_PARAMETERS
        return Renewed(delivery, token, cookie=f"{name}={token}; {parameters}")
    name = rules.get(HEADER, HEADER_NAME)
    parameters = _parameters(rules, HEADER_WITH)
    value = f"{token}; {parameters}" if parameters else token
    return Renewed(delivery, token, name=name, header=value)


def _parameters(rules: Mapping[Any, Any], key: int) -> str:
    given = rules.get(key, "")
    return given if isinstance(given, str) else "; ".join(given)
