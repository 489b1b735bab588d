"""What travels of sign-in."""

from typing import Annotated

from msgspec import Meta

from control_api.types import Request


class RefreshRequest(Request):
    refresh_token: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]
