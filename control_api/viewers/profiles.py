"""Profiles of an account: at most five, some for children, some behind a PIN."""

from typing import Any

from msgspec import UNSET
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids, sessions
from control_api.calls import Call, Reply
from control_api.problems import Problem
from control_api.ratings import age_of
from control_api.times import utc
from control_api.viewers import shapes
from control_api.viewers.schema import bookmark, profile, watchlist

MOST = 5
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
    async with call.services.database.write() as connection:
        await sessions.lock(connection, account_id)
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
    """Change a profile; one behind a PIN only with it, and limits only with the household's."""
    asked, account_id = call.body, call.caller.account_id
    _rated(asked.max_rating)
    limits = asked.kind is not UNSET or asked.max_rating is not UNSET
    await _opened(call, asked.current_pin, limits=limits)
    values = {name: getattr(asked, name) for name in PLAIN}
    values = {name: value for name, value in values.items() if value is not UNSET}
    if asked.pin is not UNSET:
        values["pin_hash"] = await _hashed(call, asked.pin)
    async with call.services.database.write() as connection:
        if values:
            which = (row.id == call.path["id"], row.account_id == account_id)
            await connection.execute(update(profile).where(*which).values(**values))
        changed = await find(connection, account_id, call.path["id"])
    await call.services.playback.cases.changed(account_id)
    return answer(changed)


async def remove(call: Call[None]) -> None:
    """Delete a profile with all that is kept for it."""
    async with call.services.database.write() as connection:
        found = await find(connection, call.caller.account_id, call.path["id"])
        for table in (bookmark, watchlist):
            await connection.execute(delete(table).where(table.c.profile_id == found.id))
        await connection.execute(delete(profile).where(row.id == found.id))
    await call.services.playback.cases.changed(found.account_id)


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


async def _opened(call: Call[Any], pin: str | None, *, limits: bool) -> None:
    """Nothing, if whoever asks may change this; tries count as they do at playback (CTL-77)."""
    async with call.services.database.read() as connection:
        found = await find(connection, call.caller.account_id, call.path["id"])
    parents = call.services.playback.judge.parents
    guard = found.id if found.pin_hash is not None else None
    if guard is None and limits:
        guard = await parents.guard(found.account_id, found.id, call.now_ms)
    if guard is None:
        return
    if pin is None:
        raise Problem("pin_required")
    await parents.open(guard, pin, call.now_ms)


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
