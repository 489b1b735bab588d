"""One operation as a row: routing, validation, sign-in and the OpenAPI document read it.

A folder of the room exports its rows as `ROUTES`; `routes.py` puts them all into one table.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, NamedTuple

from msgspec import Struct

from control_api.calls import Call, Reply, Stream
from control_api.types import Audience

Handler = Callable[[Call[Any]], Awaitable[Struct | Reply | Stream | None]]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7396
EVENT_STREAM = "text/event-stream"
ADMIN = "admin"
VIEWER = "playback"
READER = "admin:read"  # an operator who looks and changes nothing
# Whose GETs a reader may ask.
READABLE = frozenset(
    {ADMIN, "catalog:write", "epg:import", "rights:write", "session:terminate", "webhook:manage"}
)


class Deprecated(NamedTuple):
    """Since when (RFC 9745), until when (RFC 8594) and what comes after it, a path."""

    since_s: int
    sunset_s: int
    successor: str

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Deprecation": f"@{self.since_s}",
            "Sunset": formatdate(self.sunset_s, usegmt=True),
            "Link": f'<{self.successor}>; rel="successor-version"',
        }


@dataclass(frozen=True, slots=True)
class Route:
    """One row. A scope asks for sign-in, `cache_s` makes an answer public, `errors` come on top of
    those that a body, a query, an id or a scope bring along. `formerly` is a scope that it asked
    for once: keys that have it still open it.

    `body` is the type that the body is read as; `bytes` leaves it as it is. `media` are the types a
    body may have. `max_bytes` None is the setting's. `also` are further good statuses that a
    `Reply` may have. `produces` is the media type of a `Stream`, which no time limit ends.
    `limits` are rules of `control_api.limits`; what changes something without one is counted by
    account. `keyed` ones need an idempotency key. `flag` is the one that switches it off.
    """

    method: str
    path: str
    handler: Handler
    answer: type[Struct] | None
    errors: tuple[str, ...] = ()
    scope: str | None = None
    query: type[Struct] | None = None
    body: type[Struct] | type[bytes] | None = None
    status: int = 200
    cache_s: int | None = None
    decides_access: bool = False
    media: tuple[str, ...] = (JSON,)
    max_bytes: int | None = None
    also: tuple[int, ...] = ()
    produces: str = JSON
    limits: tuple[str, ...] = ()
    deprecated: Deprecated | None = None
    keyed: bool = False
    formerly: str | None = None
    flag: str | None = None

    def open_to(self, scopes: frozenset[str]) -> bool:
        """Whether a token with these scopes may ask for it (CTL-162)."""
        reads = self.method == "GET" and self.scope in READABLE and READER in scopes
        return reads or self.scope in scopes or self.formerly in scopes

    @property
    def personal(self) -> bool:
        """Whether its query may name a profile: then it asks for sign-in and is private."""
        return self.scope is None and self.query is not None and issubclass(self.query, Audience)

    @property
    def idempotent(self) -> bool:
        """Whether an idempotency key counts: what creates something of somebody's (CTL-156)."""
        return self.method == "POST" and self.status == 201 and self.scope is not None

    @property
    def limited(self) -> tuple[str, ...]:
        changes = self.method != "GET" and self.scope is not None and not self.limits
        return ("account",) if changes and not self.decides_access else self.limits

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").partition("\n")[0]


def public(path: str, handler: Handler, answer: type[Struct], cache_s: int, **more: Any) -> Route:
    """A GET whose answer anybody may keep for `cache_s`, with an ETag (CTL-7)."""
    return Route("GET", path, handler, answer, cache_s=cache_s, **more)


DENIALS = (  # CTL-71..79
    "account_suspended",
    "device_revoked",
    "device_limit",
    "content_not_found",
    "outside_window",
    "geo_blocked",
    "geo_unknown",
    "blackout",
    "pin_required",
    "pin_wrong",
    "pin_locked",
    "catchup_not_allowed",
    "startover_not_allowed",
    "outside_catchup_window",
    "profile_not_found",
    "not_entitled",
    "rental_expired",
    "uses_exhausted",
    "entitlement_unavailable",
)
