"""What travels: endpoints, deliveries, signed messages."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from control_api.types import Answer, Id, Instant, Line, Page, Request
from control_api.webhooks.schedule import Schedule

Url = Annotated[str, Meta(min_length=10, max_length=2_048, pattern=r"^https?://[^\s\x00-\x1f]+$")]
Topic = Annotated[str, Meta(max_length=64, pattern=r"^(\*|[a-z_]+(\.[a-z_]+)*(\.\*)?)$")]
Topics = Annotated[list[Topic], Meta(min_length=1, max_length=50)]
Values = Annotated[list[Line], Meta(min_length=1, max_length=100)]
Filters = Annotated[
    dict[Annotated[str, Meta(pattern=r"^[a-z_]{1,32}$")], Values], Meta(max_length=8)
]
State = Literal["active", "paused", "disabled"]
Status = Literal["pending", "done", "dead", "dropped"]


class NewEndpoint(Request):
    """Where to send what: `topics` are types, `domain.*` or `*`; `filters` name fields of the data
    and the values wanted.
    """

    url: Url
    topics: Topics
    filters: Filters = field(default_factory=dict)
    schedule: Schedule = "standard"


class EndpointPatch(Request):
    """A merge patch (RFC 7396) of what the owner may change."""

    url: Url | UnsetType = UNSET
    topics: Topics | UnsetType = UNSET
    filters: Filters | UnsetType = UNSET
    schedule: Schedule | UnsetType = UNSET


class Endpoint(Answer):
    """Never tells the secret; `queued` deliveries wait, `dropped` ones waited for too long. The
    last attempts are those of its newest messages; at `probe_at` one that failed is tried again.
    """

    id: str
    url: str
    topics: list[str]
    filters: dict[str, list[str]]
    schedule: Schedule
    state: State
    reason: str | None
    queued: int
    dropped: int
    last_success_at: datetime | None
    last_failure_at: datetime | None
    probe_at: datetime | None
    created_at: datetime
    version: int


class NewSecret(Answer):
    """The only time that a secret is shown; the former one signs as well until then."""

    id: str
    secret: str
    previous_until: datetime | None


class MadeEndpoint(Answer):
    endpoint: Endpoint
    secret: str


class EndpointList(Answer):
    items: list[Endpoint]
    next_cursor: str | None


class Tested(Answer):
    """What came of a test message."""

    delivered: bool
    status: int | None
    duration_ms: int
    error: str | None


class DeliveryQuery(Page):
    status: Status | None = None


class Delivery(Answer):
    """A message and the log of its attempts."""

    id: str
    event_id: str
    event_type: str
    status: Status
    attempts: int
    next_at: datetime | None
    created_at: datetime
    last_error: str | None
    log: list[dict[str, Any]]


class DeliveryList(Answer):
    items: list[Delivery]
    next_cursor: str | None


class Replay(Request):
    """What is dead or was dropped, all of it or these events."""

    event_ids: Annotated[list[Id], Meta(max_length=200)] | None = None
    since: Instant | None = None


class Replayed(Answer):
    count: int


class Received(Answer):
    """`repeated`: we had this message before, and did nothing."""

    repeated: bool
