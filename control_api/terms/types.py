"""What travels of packages, offers, blackouts and grants."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from control_api.catalogue.types import Territory
from control_api.types import Answer, Id, Instant, Page, Request

Status = Literal["active", "archived"]
Seconds = Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)]


class PackageItem(Request):
    kind: Literal["content", "channel"]
    id: Id


class PackageDocument(Request):
    """What is sold together: the titles and channels that it names, and with a tier all that asks
    for no more than that (CTL-32).
    """

    kind: Literal["svod", "tvod", "avod"]
    tier: Annotated[int, Meta(ge=0, le=1_000)]
    name: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
    items: Annotated[list[PackageItem], Meta(max_length=5_000)] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len({(each.kind, each.id) for each in self.items}) != len(self.items):
            raise ValueError("something is named twice")
        self.items.sort(key=lambda each: (each.kind, each.id))


class OfferDocument(Request):
    """A price: of a package, or of a title to rent or keep (CTL-80, CTL-81)."""

    territory: Territory
    price_minor: Annotated[int, Meta(ge=0, le=10**12)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
    start_at: Instant
    end_at: Instant
    package_id: Id | None = None
    content_id: Id | None = None
    period: Literal["day", "week", "month", "year"] | None = None
    rental_s: Seconds | None = None
    viewing_s: Seconds | None = None

    def __post_init__(self) -> None:
        if (self.package_id is None) == (self.content_id is None):
            raise ValueError("name one of package_id and content_id")
        _in_order(self.start_at, self.end_at)


class BlackoutDocument(Request):
    """Nothing of a channel, or of one programme wherever it is played from, in some countries."""

    start_at: Instant
    end_at: Instant
    channel_id: Id | None = None
    event_id: Id | None = None
    territories: Annotated[list[Territory], Meta(min_length=1, max_length=300)] = field(
        default_factory=lambda: ["**"]
    )
    alternate_channel_id: Id | None = None

    def __post_init__(self) -> None:
        if (self.channel_id is None) == (self.event_id is None):
            raise ValueError("name one of channel_id and event_id")
        self.territories = sorted(set(self.territories))
        _in_order(self.start_at, self.end_at)


def _in_order(start_at: datetime, end_at: datetime) -> None:
    if not start_at < end_at:
        raise ValueError("it ends before it begins")


class PackageEntry(Answer):
    id: str
    status: Status
    version: int
    updated_at: datetime
    document: PackageDocument


class OfferEntry(Answer):
    id: str
    status: Status
    version: int
    updated_at: datetime
    document: OfferDocument


class BlackoutEntry(Answer):
    """`channel_id` is where a programme's blackout applies."""

    id: str
    version: int
    updated_at: datetime
    channel_id: str
    document: BlackoutDocument


class PackageList(Answer):
    items: list[PackageEntry]
    next_cursor: str | None


class OfferList(Answer):
    items: list[OfferEntry]
    next_cursor: str | None


class BlackoutList(Answer):
    items: list[BlackoutEntry]
    next_cursor: str | None


class SalesMove(Request):
    """Archived ones are not offered any more; who has them keeps them."""

    to: Status


class GrantRequest(Request):
    """A grant by a service; `reference` is the service's own name for it, once in all."""

    account_id: Id
    reference: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
    package_id: Id | None = None
    content_id: Id | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    max_uses: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    viewing_s: Seconds | None = None

    def __post_init__(self) -> None:
        if (self.package_id is None) == (self.content_id is None):
            raise ValueError("name one of package_id and content_id")
        if self.starts_at is not None and self.ends_at is not None:
            _in_order(self.starts_at, self.ends_at)


class Grant(Answer):
    """An entitlement: a subscription to a package, or a purchase of a title. `live` tells whether
    it gives access now, as far as state, times and uses go.
    """

    id: str
    account_id: str
    package_id: str | None
    content_id: str | None
    source: str
    reference: str
    state: str
    live: bool
    starts_at: datetime
    ends_at: datetime | None
    max_uses: int | None
    uses: int
    first_played_at: datetime | None
    viewing_s: int | None


class GrantList(Answer):
    items: list[Grant]
    next_cursor: str | None


class GrantPage(Page):
    """Of everybody, or of one account."""

    account_id: Id | None = None
