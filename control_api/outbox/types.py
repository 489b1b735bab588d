"""What travels: dead letters and the state of the outbox."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Raw

from control_api.types import Answer, Request


class DeadLetter(Answer):
    """An event that `consumer` gave up on; `event` is the event, if it is one."""

    id: str
    topic: str
    consumer: str
    event_id: str
    error: str
    attempts: int
    at: datetime
    event: Raw | None


class DeadLetterList(Answer):
    items: list[DeadLetter]
    next_cursor: str | None


class Backlog(Answer):
    """`waiting` events have no stream yet, the oldest since `waiting_since`; `dead` nobody could
    handle. Of either no more than 100,000 are counted.
    """

    waiting: int
    waiting_since: datetime | None
    dead: int


class StreamQuery(Request):
    """Which types to tell of: `epg.event.created`, `epg.*`, several with commas; none is all."""

    types: Annotated[str, Meta(pattern=r"^[a-z_.*]{1,64}(,[a-z_.*]{1,64}){0,31}$")] | None = None
