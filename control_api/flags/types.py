"""What travels of flags."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from control_api.types import Answer, Request

Value = bool | Annotated[int, Meta(ge=0, le=100)]


class Flag(Answer):
    """A switch, or a share of accounts in percent; `viewers`: they feel it, and `/status` tells of
    it. Version 0 was never set.
    """

    name: str
    value: Value
    default: Value
    means: str
    viewers: bool
    version: int
    changed_at: datetime | None


class FlagList(Answer):
    items: list[Flag]


class FlagRequest(Request):
    value: Value
