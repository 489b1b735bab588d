"""Who is signed in: the account, its profiles and what it may have at once."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select

from control_api.calls import Call
from control_api.problems import Problem
from control_api.schema import account
from control_api.times import utc
from control_api.types import Answer
from control_api.viewers.schema import profile


class AccountLimits(Answer):
    """How many streams and devices at once, and seconds of recordings."""

    max_streams: int
    max_devices: int
    npvr_quota_s: int


class Me(Answer):
    """`country` is where the account is at home; `seen_country` is where this request came from,
    `ZZ` if that could not be told. `scopes` are the access token's.
    """

    account_id: str
    status: Literal["active", "suspended"]
    country: str
    seen_country: str
    profile_ids: list[str]
    limits: AccountLimits
    scopes: list[str]
    created_at: datetime


async def me(call: Call[None]) -> Me:
    """The signed-in account: its country, profiles, limits and scopes."""
    caller = call.caller
    profiles = select(profile.c.id).where(profile.c.account_id == caller.account_id)
    async with call.services.database.read() as connection:
        query = select(account).where(account.c.id == caller.account_id)
        owner: Any = (await connection.execute(query)).first()
        if owner is None or owner.status == "deleted":
            raise Problem("unauthenticated", headers={"WWW-Authenticate": "Bearer"})
        listed = profiles.order_by(profile.c.created_ms, profile.c.id)
        profile_ids = list((await connection.execute(listed)).scalars())
    return Me(
        owner.id,
        owner.status,
        owner.country,
        caller.country,
        profile_ids,
        AccountLimits(owner.max_streams, owner.max_devices, owner.npvr_quota_s),
        sorted(caller.scopes),
        utc(owner.created_ms),
    )
