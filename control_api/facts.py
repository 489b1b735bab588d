"""What CheckAccess judges, as data: read by `rights.load`, judged by `entitlement.check`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

EVERYWHERE = "**"
ANY_PLATFORM = "*"
UNKNOWN_COUNTRY = "ZZ"
LIVE_STATES = frozenset({"trial", "active", "grace"})


@dataclass(frozen=True, slots=True)
class Window:
    """One row of rights_window: the title may be played in [start_ms, end_ms)."""

    territory: str
    licence: str
    platform: str
    start_ms: int
    end_ms: int
    tier: int | None = None
    max_height: int | None = None
    hdcp: str | None = None
    offline: bool = False

    def open_at(self, now_ms: int) -> bool:
        return self.start_ms <= now_ms < self.end_ms

    def on(self, platform: str) -> bool:
        return self.platform in (ANY_PLATFORM, platform)

    def in_country(self, country: str) -> bool:
        return self.territory in (EVERYWHERE, country)


@dataclass(frozen=True, slots=True)
class Grant:
    """One entitlement of the account: to a package (which may name the target) or to the title."""

    id: str
    package_id: str | None
    names_target: bool
    tier: int
    state: str
    start_ms: int
    end_ms: int | None
    max_uses: int | None = None
    uses: int = 0
    first_played_ms: int | None = None
    viewing_s: int | None = None

    @classmethod
    def of(cls, row: Any, *, names_target: bool = False, tier: int = 0) -> "Grant":
        """From a row of entitlements."""
        return cls(
            id=row.id,
            package_id=row.package_id,
            names_target=names_target,
            tier=tier,
            state=row.state,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            max_uses=row.max_uses,
            uses=row.uses,
            first_played_ms=row.first_played_ms,
            viewing_s=row.viewing_s,
        )

    def live_at(self, now_ms: int) -> bool:
        """A rental begins before its end; what began in time may be seen to the end (CTL-81)."""
        began, viewing_end_ms = self.start_ms <= now_ms, self.viewing_end_ms()
        ended = self.end_ms is not None and now_ms >= self.end_ms
        seen = viewing_end_ms is not None and now_ms < viewing_end_ms
        return self.state in LIVE_STATES and began and (seen or not ended)

    def spent_at(self, now_ms: int) -> str | None:
        """The code for a purchase that is used up: viewing window, then uses (CTL-81, CTL-82)."""
        viewing_end_ms = self.viewing_end_ms()
        if viewing_end_ms is not None:
            return "rental_expired" if now_ms >= viewing_end_ms else None
        if self.max_uses is not None and self.uses >= self.max_uses:
            return "uses_exhausted"
        return None

    def until_ms(self, now_ms: int) -> int | None:
        """When what is played from now on has to end; None: never."""
        if self.viewing_s is None:
            return self.end_ms
        return self.viewing_end_ms() or now_ms + 1_000 * self.viewing_s

    def viewing_end_ms(self) -> int | None:
        """When the viewing window of a rental that was started closes (CTL-81)."""
        if self.first_played_ms is None or self.viewing_s is None:
            return None
        return self.first_played_ms + 1_000 * self.viewing_s


@dataclass(frozen=True, slots=True)
class Offer:
    """What could be bought: a package (does it name the target, up to which tier) or the title."""

    id: str
    package_id: str | None
    kind: str
    names_target: bool
    tier: int
    territory: str
    price_minor: int
    currency: str
    period: str | None
    start_ms: int
    end_ms: int


Span = tuple[int, int]  # half-open, epoch milliseconds


def meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@dataclass(frozen=True, slots=True)
class Blackout:
    """Nothing of a channel is shown in some countries in [start_ms, end_ms); with `aired_ms`
    nothing of what was or will be on air then: a programme, wherever it is played from.
    """

    territories: frozenset[str]
    start_ms: int
    end_ms: int
    alternate_channel: str | None = None
    aired_ms: Span | None = None

    def hides(self, watched_ms: Span) -> bool:
        return self.aired_ms is None or meet(self.aired_ms, watched_ms)

    def concerns(self, country: str) -> bool:
        """Who may be anywhere may be where it applies."""
        return bool(self.territories & {EVERYWHERE, country}) or country == UNKNOWN_COUNTRY

    def begin_ms(self) -> int:
        """From when it stops who watches live."""
        return self.start_ms if self.aired_ms is None else max(self.start_ms, self.aired_ms[0])


@dataclass(frozen=True, slots=True)
class Aged:
    """What is on in `aired_ms`, always if that is None, is for those of `age` and more."""

    age: int
    aired_ms: Span | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """Up to which age a profile watches without a PIN; `passed`: the PIN was given (CTL-77).
    `known` False is a profile that the account does not have.
    """

    age: int
    passed: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    id: str
    name: str
    device_class: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision rests on; `device` is None for one never seen before."""

    account_status: str
    max_devices: int
    device: Device | None
    devices: Sequence[Device]
    target_published: bool
    windows: Sequence[Window] = ()
    grants: Sequence[Grant] = ()
    offers: Sequence[Offer] = ()
    blackouts: Sequence[Blackout] = ()
    ages: Sequence[Aged] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """Where, when and on what the title is to be played. `watched_ms` is when what is watched was
    on air, None for what is now; `age` is what the programme itself asks for; `limit` None is a
    viewer without one.
    """

    now_ms: int
    country: str
    platform: str
    watched_ms: Span | None = None
    age: int = 0
    limit: Limit | None = None

    @property
    def span_ms(self) -> Span:
        return self.watched_ms or (self.now_ms, self.now_ms + 1)
