"""What travels of API keys."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from control_api.types import Answer, Instant, Request

DAY_S = 86_400
Grantable = Literal[  # CTL-162, without what is a household's and what rules over all
    "admin:read",
    "catalog:write",
    "entitlement:write",
    "epg:import",
    "rights:write",
    "session:terminate",
    "tokens:introspect",
    "tokens:issue",
    "webhook:manage",
]


class NewKey(Request):
    """What a key is for and what it may do; one without an end lasts until it is revoked."""

    name: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
    scopes: Annotated[list[Grantable], Meta(min_length=1, max_length=16)]
    expires_at: Instant | None = None

    def __post_init__(self) -> None:
        self.scopes = sorted(set(self.scopes))


class Rotation(Request):
    """How long the former secret goes on beside the new one; `force` ends one that still does."""

    overlap_s: Annotated[int, Meta(ge=0, le=30 * DAY_S)] = field(default=DAY_S)
    force: bool = False


class ApiKey(Answer):
    """A key without its secret; `prefix` is how the secret begins. It acts under its `id`."""

    id: str
    name: str
    scopes: list[str]
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    former_until: datetime | None


class MadeKey(Answer):
    """`secret` is shown this once and kept nowhere."""

    key: ApiKey
    secret: str


class ApiKeyList(Answer):
    items: list[ApiKey]
    next_cursor: str | None
