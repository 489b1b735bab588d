"""What travels of viewers."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from control_api.types import Answer, Id, Instant, Lang, Milliseconds, Page, Pin, Request

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Rating = Annotated[str, Meta(min_length=1, max_length=16, pattern=r"^[A-Za-z0-9+_.-]+$")]


class ProfileRequest(Request):
    """`current_pin` is the household's, where it has one."""

    name: Name
    kind: Literal["adult", "kids"] = "adult"
    max_rating: Rating | None = None
    lang: Lang | None = None
    pin: Pin | None = None
    current_pin: Pin | None = None


class ProfileChange(Request):
    """Members that are left out stay; null takes away (RFC 7396). `current_pin` is the household's
    for limits and PINs, the profile's own for the rest.
    """

    name: Name | UnsetType = UNSET
    kind: Literal["adult", "kids"] | UnsetType = UNSET
    max_rating: Rating | UnsetType | None = UNSET
    lang: Lang | UnsetType | None = UNSET
    pin: Pin | UnsetType | None = UNSET
    current_pin: Pin | None = None


class Profile(Answer):
    id: str
    name: str
    kind: Literal["adult", "kids"]
    max_rating: str | None
    lang: str | None
    has_pin: bool
    created_at: datetime


class ProfileList(Answer):
    items: list[Profile]


class Whose(Request):
    """Whose: a profile of the account, its first one if none is named."""

    profile_id: Id | None = None


class GoOnQuery(Whose):
    limit: Annotated[int, Meta(ge=1, le=50)] = 20


class WhosePage(Page):
    profile_id: Id | None = None


class BookmarkRequest(Request):
    position_ms: Milliseconds
    duration_ms: Annotated[int, Meta(ge=1, le=2**53)]
    updated_at: Instant


class Bookmark(Answer):
    content_id: str
    position_ms: int
    duration_ms: int
    finished: bool
    updated_at: datetime


Watched = Literal["content", "recording"]


class GoOn(Answer):
    """`content_id` is what to play next, a title or a recording as `kind` says; `series_id` what it
    belongs to.
    """

    content_id: str
    kind: Watched
    series_id: str | None
    title: str
    position_ms: int
    duration_ms: int | None
    updated_at: datetime


class GoOnList(Answer):
    items: list[GoOn]


class Wish(Answer):
    content_id: str
    title: str
    added_at: datetime


class Watchlist(Answer):
    items: list[Wish]
    next_cursor: str | None


class Seen(Answer):
    """Something that was watched; one that was begun anew is at 0, with no bookmark to tell of."""

    content_id: str
    title: str
    position_ms: int
    duration_ms: int | None
    finished: bool
    watched_at: datetime


class History(Answer):
    items: list[Seen]
    next_cursor: str | None


class Reminder(Answer):
    """A programme to be told of before it begins; times are those of the guide now."""

    event_id: str
    channel_id: str
    title: str
    start_at: datetime
    end_at: datetime


class ReminderList(Answer):
    items: list[Reminder]
    next_cursor: str | None
