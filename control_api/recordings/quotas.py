"""What others hear of an account's quota: it is nearly used up, or something was refused for it
(CTL-122, CTL-171).
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.outbox import emit
from control_api.problems import Problem
from control_api.recordings.schema import quota
from control_api.recordings.settings import Recordings
from runtime.sql import Database

REFUSED = "quota_exceeded"


def near(settings: Recordings, owner: Any, before: Any, length_s: int) -> bool:
    """Does a recording bring an account to the share of its seconds that is told of?"""
    share_s = settings.warn_share * owner.npvr_quota_s
    was_s = before.used_s + before.reserved_s
    return bool(was_s < share_s <= was_s + length_s)


async def warn(connection: AsyncConnection, owner: Any, recording_id: str, now_ms: int) -> None:
    """`quota.warning`, with what is in use and promised now."""
    taken = select(quota.c.used_s + quota.c.reserved_s).where(quota.c.account_id == owner.id)
    told = {
        "account_id": owner.id,
        "quota_s": owner.npvr_quota_s,
        "used_s": (await connection.execute(taken)).scalar_one(),
        "recording_id": recording_id,
    }
    await emit(connection, "quota.warning", told, now_ms)


async def exceeded(
    connection: AsyncConnection, account_id: str, refusal: Problem, now_ms: int
) -> None:
    """`quota.exceeded`, with the numbers of the refusal."""
    numbers = refusal.members
    told = {
        "account_id": account_id,
        "quota_s": numbers["quota_s"],
        "used_s": numbers["used_s"] + numbers["reserved_s"],
        "needed_s": numbers["needed_s"],
    }
    await emit(connection, "quota.exceeded", told, now_ms)


async def refused(database: Database, account_id: str, refusal: Problem, now_ms: int) -> None:
    """The same of an order, whose own transaction came to nothing."""
    if refusal.code == REFUSED:
        async with database.write() as connection:
            await exceeded(connection, account_id, refusal, now_ms)
