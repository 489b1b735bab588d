"""Profiles of an account: at most five, some for children, some behind a PIN.

Rules of the file
1. What changes a household's limits or PINs, or its profiles, takes the PIN that `parental` names
   (rule 5 there); a household without any is free.
2. The PIN is tried in a transaction of its own, so that the try counts whatever follows; the change
   is refused should another PIN count by then.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids, sessions
from control_api.calls import Call, Reply
from control_api.problems import Problem
from control_api.ratings import age_of
from control_api.times import utc
from control_api.types import Pin
from control_api.viewers import shapes
from control_api.viewers.schema import bookmark, profile, reminder, watch_history, watchlist

MOST = 5
PIN_HEADER = "Parental-Pin"
PLAIN = ("name", "kind", "max_rating", "lang")
row = profile.c


async def add(call: Call[shapes.ProfileRequest]) -> Reply:
    """Add a profile."""
    asked, account_id = call.body, call.caller.account_id
    _rated(asked.max_rating)
    hashed = await _hashed(call, asked.pin)
    made = {
        "id": ids.new("profile"),
        "account_id": account_id,
        "pin_hash": hashed,
        "created_ms": call.now_ms,
        **{name: getattr(asked, name) for name in PLAIN},
    }
    async with _opened(call, asked.current_pin) as connection:
        count = select(func.count()).where(row.account_id == account_id)
        if (await connection.execute(count)).scalar_one() >= MOST:
            raise Problem("profile_limit", limit=MOST)
        await connection.execute(insert(profile).values(made))
        reply = Reply(answer(await find(connection, account_id, str(made["id"]))))
        await call.settle(connection, reply, 201)
    await call.services.playback.cases.changed(account_id)
    return reply


async def page(call: Call[None]) -> shapes.ProfileList:
    """The account's profiles, the oldest first."""
    query = select(profile).where(row.account_id == call.caller.account_id)
    async with call.services.database.read() as connection:
        rows = await connection.execute(query.order_by(row.created_ms, row.id))
        return shapes.ProfileList([answer(each) for each in rows.all()])


async def get(call: Call[None]) -> shapes.Profile:
    """One profile."""
    async with call.services.database.read() as connection:
        return answer(await find(connection, call.caller.account_id, call.path["id"]))


async def change(call: Call[shapes.ProfileChange]) -> shapes.Profile:
    """Change a profile: one behind a PIN with it, limits and PINs with the household's."""
    asked, account_id = call.body, call.caller.account_id
    _rated(asked.max_rating)
    limits = any(each is not UNSET for each in (asked.kind, asked.max_rating, asked.pin))
    values = {name: getattr(asked, name) for name in PLAIN}
    values = {name: value for name, value in values.items() if value is not UNSET}
    if asked.pin is not UNSET:
        values["pin_hash"] = await _hashed(call, asked.pin)
    async with _opened(call, asked.current_pin, limits=limits) as connection:
        if values:
            which = (row.id == call.path["id"], row.account_id == account_id)
            await connection.execute(update(profile).where(*which).values(**values))
        changed = await find(connection, account_id, call.path["id"])
    await call.services.playback.cases.changed(account_id)
    return answer(changed)


async def remove(call: Call[None]) -> None:
    """Delete a profile with all that is kept for it; `Parental-Pin` brings the household's PIN."""
    key = call.path["id"]
    async with _opened(call, _told(call)) as connection:
        for table in (bookmark, watch_history, watchlist, reminder):
            await connection.execute(delete(table).where(table.c.profile_id == key))
        await connection.execute(delete(profile).where(row.id == key))
    await call.services.playback.cases.changed(call.caller.account_id)


async def find(connection: AsyncConnection, account_id: str, profile_id: str) -> Any:
    """The profile's row; 404 when it is unknown or another account's."""
    query = select(profile).where(row.id == profile_id, row.account_id == account_id)
    found = (await connection.execute(query)).first()
    if found is None:
        raise Problem("profile_not_found")
    return found


async def whose(connection: AsyncConnection, account_id: str, profile_id: str | None) -> Any:
    """The profile that is named, else the account's first; 404 when there is none."""
    if profile_id is not None:
        return await find(connection, account_id, profile_id)
    query = select(profile).where(row.account_id == account_id)
    found = (await connection.execute(query.order_by(row.created_ms, row.id).limit(1))).first()
    if found is None:
        raise Problem("profile_not_found")
    return found


@asynccontextmanager
async def _opened(
    call: Call[Any], pin: str | None, *, limits: bool = True
) -> AsyncIterator[AsyncConnection]:
    """A transaction to change the household in, once its PIN was proven where it has one; tries
    count as they do at playback (CTL-77).
    """
    parents, database = call.services.playback.judge.parents, call.services.database
    async with database.read() as connection:
        guard = await _guard(call, connection, limits=limits)
    if guard is not None:
        if pin is None:
            raise Problem("pin_required")
        await parents.open(guard, pin, call.now_ms)
    async with database.write() as connection:
        await sessions.lock(connection, call.caller.account_id)
        if await _guard(call, connection, limits=limits) != guard:
            raise Problem("pin_required")
        yield connection


async def _guard(call: Call[Any], connection: AsyncConnection, *, limits: bool) -> str | None:
    """The profile whose PIN is asked for; None: none is."""
    account_id, key = call.caller.account_id, call.path.get("id")
    found = await find(connection, account_id, key) if key is not None else None
    if found is not None and not limits:
        return str(found.id) if found.pin_hash is not None else None
    return await call.services.playback.judge.parents.keeper(connection, account_id, key)


def _told(call: Call[Any]) -> str | None:
    """The PIN of a request without a body; a URL is no place for it."""
    told = call.headers.get(PIN_HEADER)
    try:
        return msgspec.convert(told, Pin | None)
    except msgspec.ValidationError:
        raise Problem("invalid", f"{PIN_HEADER} is no PIN") from None


def _rated(max_rating: Any) -> None:
    """400 for a limit that nobody could apply."""
    if isinstance(max_rating, str) and age_of(max_rating) is None:
        raise Problem("invalid", "max_rating is of no board that we know")


async def _hashed(call: Call[Any], pin: Any) -> str | None:
    return await call.services.passwords.hashed(pin) if isinstance(pin, str) else None


def answer(each: Any) -> shapes.Profile:
    return shapes.Profile(
        each.id,
        each.name,
        each.kind,
        each.max_rating,
        each.lang,
        each.pin_hash is not None,
        utc(each.created_ms),
    )
