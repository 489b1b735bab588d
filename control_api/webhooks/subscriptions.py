"""What a billing system tells of its subscriptions: each is one entitlement to a package.

A state is stored as it is told: trial, active and grace give access between start and end, expired
and cancelled give none. Who lets a cancelled subscriber watch on to the end of the period goes on
telling `active`, with that end.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids
from control_api.facts import LIVE_STATES
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.schema import account, entitlement, package
from control_api.times import epoch_ms, utc
from control_api.types import Id, Instant, Request

State = Literal["trial", "active", "grace", "expired", "cancelled"]
NAMES: Final = {"expired": "entitlement.expired", "cancelled": "entitlement.revoked"}


class Subscription(Request):
    """The data of `subscription.updated`."""

    subscription_id: Annotated[str, Meta(pattern=ids.PATTERN)]
    account_id: Id
    package_id: Id
    state: State
    starts_at: Instant
    ends_at: Instant | None = None


async def apply(connection: AsyncConnection, source: str, told: Subscription, now_ms: int) -> str:
    """Make the entitlement what the message says, and tell of it; whose it is."""
    start_ms = epoch_ms(told.starts_at)
    end_ms = epoch_ms(told.ends_at) if told.ends_at is not None else None
    if end_ms is not None and end_ms <= start_ms:
        raise Problem("invalid", "ends_at is not after starts_at")
    for table, key in ((account, told.account_id), (package, told.package_id)):
        if (await connection.execute(select(table.c.id).where(table.c.id == key))).first() is None:
            raise Problem("unknown_reference", f"no {table.name} {key}")
    values: dict[str, Any] = {
        "account_id": told.account_id,
        "package_id": told.package_id,
        "state": told.state,
        "start_ms": start_ms,
        "end_ms": end_ms,
    }
    held = entitlement.c
    query = (
        select(entitlement)
        .where(held.source == source, held.source_ref == told.subscription_id)
        .with_for_update()
    )
    before = (await connection.execute(query)).first()
    if before is None:
        grant_id = ids.new("entitlement")
        row = {"id": grant_id, "source": source, "source_ref": told.subscription_id}
        await connection.execute(insert(entitlement).values(**row, **values))
    else:
        grant_id = before.id
        if before.account_id != told.account_id:
            raise Problem("invalid", "a subscription does not change its account")
        await connection.execute(update(entitlement).where(held.id == grant_id).values(**values))
    gave = before is not None and before.state in LIVE_STATES
    name = NAMES.get(told.state) or ("entitlement.renewed" if gave else "entitlement.granted")
    event = {
        "account_id": told.account_id,
        "entitlement_id": grant_id,
        "state": told.state,
        "package_id": told.package_id,
        "source": source,
        "starts_at": utc(start_ms),
        "ends_at": utc(end_ms) if end_ms is not None else None,
    }
    await emit(connection, name, event, now_ms)
    return told.account_id
