"""What travels of sign-in."""

from typing import Annotated, Literal

from msgspec import Meta

from control_api.types import Answer, Line, Request

Secret = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]


class RefreshRequest(Request):
    refresh_token: Secret


class DeviceRequest(Request):
    """`name` is what people see when they are asked to allow the device."""

    name: Line = ""


class DeviceCodes(Answer):
    """Names are those of RFC 8628 section 3.2; times are seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class DeviceVerdict(Request):
    """`user_code` as it was typed: case and what is between the letters do not matter."""

    user_code: Annotated[str, Meta(min_length=8, max_length=16, pattern=r"^[A-Za-z -]+$")]
    allow: bool = True


class DeviceVerified(Answer):
    name: str
    allowed: bool


class DeviceTokenRequest(Request):
    """RFC 8628 section 3.4."""

    grant_type: Literal["urn:ietf:params:oauth:grant-type:device_code"]
    device_code: Secret
