"""What travels of accounts; a password comes in and never goes out."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from control_api.catalogue.types import Country
from control_api.types import Answer, Id, Page, Request, Username

SUBJECT_CHARS = 254  # of the longest address (RFC 5321 section 4.5.3.1.3)
Count = Annotated[int, Meta(ge=0, le=100_000)]
Amount = Annotated[int, Meta(ge=0, le=2**53)]
Password = Annotated[str, Meta(min_length=8, max_length=1024)]
Status = Literal["active", "suspended", "deleted"]


class AccountTerms(Request, kw_only=True):
    """Where an account is at home and what it may have at once; `npvr_quota_bytes` null: only time
    counts (CTL-122).
    """

    country: Country
    max_streams: Count = 3
    max_devices: Count = 10
    npvr_quota_s: Amount = 151_200
    npvr_quota_bytes: Amount | None = None


class NewAccount(AccountTerms, kw_only=True):
    """A household that signs in with `username` and `password`, or at a trusted issuer: then its id
    is the `oidc_subject`, the `sub` of that issuer's tokens.
    """

    username: Username | None = None
    password: Password | None = None
    oidc_subject: Id | None = None


class AccountDocument(AccountTerms, kw_only=True):
    """What a merge patch changes; `deleted` is for good."""

    status: Status = "active"


class SignIn(Answer):
    kind: Literal["password", "oidc"]
    subject: str


class Account(Answer):
    id: str
    version: int
    created_at: datetime
    updated_at: datetime
    sign_ins: list[SignIn]
    document: AccountDocument


class AccountPage(Page):
    """`q` is an account's id, or how the subject of a sign-in begins."""

    q: Username | None = None


class AccountList(Answer):
    items: list[Account]
    next_cursor: str | None
