"""Settings of sign-in: `[control.identity]`."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from runtime.settings import Section

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class TrustedIssuer(Section):
    """An OpenID provider whose access tokens we take; `sub` is our account's id."""

    issuer: str = Field(min_length=1, description="its `iss`, exactly")
    jwks_url: str = Field(description="where its keys are; plain HTTP on loopback only")
    audience: str = Field(default="headwater")
    algorithms: list[Literal["RS256", "ES256"]] = Field(
        default=["RS256", "ES256"], min_length=1, description="never by the token's word"
    )
    scopes: list[str] = Field(
        default=["playback", "entitlement:check", "recording"],
        description="what its tokens may bring at most",
    )

    @field_validator("jwks_url")
    @classmethod
    def _secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("an https URL is wanted")
        return url


class Identity(Section):
    """Sign-ins (CTL-160, CTL-161)."""

    refresh_s: int = Field(default=30 * 86_400, gt=0, description="life of a sign-in unused")
    device_page_url: str = Field(
        default="", description="where people type the code that a device shows; none: no such way"
    )
    device_code_s: int = Field(default=600, gt=0, description="life of such a code")
    device_poll_s: int = Field(default=5, gt=0, description="between a device's questions")
    issuers: list[TrustedIssuer] = Field(default=[], description="beside our own")
    keys_s: int = Field(default=300, gt=0, description="how often keys are read anew")
    keys_pause_s: int = Field(default=30, gt=0, description="between reads for unknown keys")
    keys_last_s: int = Field(default=86_400, gt=0, description="while they cannot be read")
