"""What travels of recordings, rules and quotas."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from control_api.types import Answer, Id, Instant, Line, Page, Request

PadS = Annotated[int, Meta(ge=0, le=1_800)]  # CTL-123
Title = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Crid = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x20\x7f]+$")]
Seasons = Annotated[list[Annotated[int, Meta(ge=1, le=10_000)]], Meta(max_length=100)]
State = Literal[
    "requested",
    "scheduled",
    "recording",
    "finalizing",
    "completed",
    "partial",
    "failed",
    "cancelled",
    "expired",
    "deleted",
]
Policy = Literal["new", "unique", "all"]
LONGEST_S = 86_400


class RecordingRequest(Request):
    """A programme of the guide, or a time on a channel; padding is the setting's if absent."""

    event_id: Id | None = None
    channel_id: Id | None = None
    start_at: Instant | None = None
    end_at: Instant | None = None
    title: Line | None = None
    pad_before_s: PadS | None = None
    pad_after_s: PadS | None = None

    def __post_init__(self) -> None:
        timed = (self.channel_id, self.start_at, self.end_at)
        if (self.event_id is None) == all(each is None for each in timed):
            raise ValueError("name an event_id, or channel_id, start_at and end_at")
        if self.event_id is not None:
            return
        if self.channel_id is None or self.start_at is None or self.end_at is None:
            raise ValueError("channel_id, start_at and end_at belong together")
        if not 0 < (self.end_at - self.start_at).total_seconds() <= LONGEST_S:
            raise ValueError("end_at lies at most a day behind start_at")


class RecordingsQuery(Page):
    state: State | None = None


class Recording(Answer):
    """`playable` from the first bytes on; `restorable_until` for a deleted one."""

    id: str
    state: State
    reason: str | None
    channel_id: str
    event_id: str | None
    rule_id: str | None
    title: str
    season_no: int | None
    episode_no: int | None
    start_at: datetime
    end_at: datetime
    pad_before_s: int
    pad_after_s: int
    protected: bool
    playable: bool
    created_at: datetime
    expires_at: datetime | None
    restorable_until: datetime | None
    version: int


class RecordingList(Answer):
    items: list[Recording]
    next_cursor: str | None


class ProtectRequest(Request):
    protected: bool = True


class Quota(Answer):
    """Padding is free (CTL-122). `quota_bytes` is null where only time counts; bytes that are
    reserved are an estimate, those that are used are what the origin stores.
    """

    quota_s: int
    used_s: int
    reserved_s: int
    used_bytes: int
    reserved_bytes: int
    free_s: int
    quota_bytes: int | None


class RuleRequest(Request):
    """A series by its CRID, by its title, or as that of a programme; on one channel or on any."""

    series_crid: Crid | None = None
    title: Title | None = None
    event_id: Id | None = None
    channel_id: Id | None = None
    policy: Policy = "new"
    keep_n: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    excluded_seasons: Seasons = field(default_factory=list)
    pad_before_s: PadS | None = None
    pad_after_s: PadS | None = None

    def __post_init__(self) -> None:
        named = (self.series_crid, self.title, self.event_id)
        if sum(each is not None for each in named) != 1:
            raise ValueError("name one of series_crid, title and event_id")


class Rule(Answer):
    id: str
    series_crid: str | None
    title: str | None
    channel_id: str | None
    policy: Policy
    keep_n: int | None
    excluded_seasons: list[int]
    pad_before_s: int
    pad_after_s: int
    created_at: datetime


class RuleList(Answer):
    items: list[Rule]
    next_cursor: str | None


class Match(Answer):
    """A programme that a rule would record; `needed_s` 0 when it is recorded already."""

    event_id: str
    channel_id: str
    title: str
    start_at: datetime
    end_at: datetime
    needed_s: int


class Preview(Answer):
    """What a rule would do, had it been made (CTL-129)."""

    items: list[Match]
    needed_s: int
    quota: Quota
