"""Bookmarks as rows: which of two stands, and when one is worth keeping (CTL-140, CTL-141).

Whatever is worth a bookmark was watched, also if it is begun anew later and loses it.
"""

from typing import Any

from sqlalchemy import Table, Update, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.outbox import emit
from control_api.viewers.schema import bookmark, watch_history

FINISHED_PERCENT = 95  # CTL-141
WORTH_MS = 30_000  # less is not stored (CTL-141)
AHEAD_MS = 60_000  # how far a clock may be ahead; what was said later was never so (CTL-140)
row = bookmark.c


def is_finished(position_ms: int, duration_ms: int) -> bool:
    """CTL-141; integers, so that 95 % is 95 %."""
    return 100 * position_ms >= FINISHED_PERCENT * duration_ms


async def keep(
    connection: AsyncConnection,
    account_id: str,
    profile_id: str,
    content_id: str,
    values: dict[str, Any],
    now_ms: int,
) -> Any:
    """Write a bookmark, and tell of it if that is what is stored now."""
    stored = await write(connection, profile_id, content_id, values, now_ms)
    if stored is not None and stored.updated_ms == values["updated_ms"]:
        told = {"profile_id": profile_id, "account_id": account_id, "content_id": content_id}
        told |= {"position_ms": stored.position_ms, "finished": stored.finished}
        await emit(connection, "bookmark.updated", told, now_ms)
    return stored


async def write(
    connection: AsyncConnection,
    profile_id: str,
    content_id: str,
    values: dict[str, Any],
    now_ms: int,
) -> Any:
    """What is stored afterwards: the later of the two by client time, of equals the new one; a
    position that is not worth it takes a bookmark away. One of a time to come, which a clock that
    was wrong wrote, yields to any.
    """
    key = (row.profile_id == profile_id, row.content_id == content_id)
    told_ms, ahead_ms = values["updated_ms"], now_ms + AHEAD_MS
    yields = or_(row.updated_ms <= told_ms, row.updated_ms > ahead_ms)
    if values["position_ms"] < WORTH_MS:
        await connection.execute(delete(bookmark).where(*key, yields))
        await connection.execute(_begun_anew(profile_id, content_id, told_ms, ahead_ms))
        return await find(connection, profile_id, content_id)
    if await _begun_since(connection, profile_id, content_id, told_ms, ahead_ms):
        return await find(connection, profile_id, content_id)
    keys = {"profile_id": profile_id, "content_id": content_id}
    await connection.execute(
        _insert(connection, bookmark)
        .values(**keys, **values)
        .on_conflict_do_update(index_elements=list(keys), set_=values, where=yields)
    )
    await _note(connection, profile_id, content_id, told_ms, ahead_ms)
    return await find(connection, profile_id, content_id)


async def find(connection: AsyncConnection, profile_id: str, content_id: str) -> Any:
    query = select(bookmark).where(row.profile_id == profile_id, row.content_id == content_id)
    return (await connection.execute(query)).first()


async def _begun_since(
    connection: AsyncConnection, profile_id: str, target_id: str, told_ms: int, ahead_ms: int
) -> bool:
    """Was it begun anew, or watched further, after what is told of now?"""
    seen = watch_history.c
    query = select(seen.at_ms).where(seen.profile_id == profile_id, seen.target_id == target_id)
    at_ms = (await connection.execute(query)).scalar()
    return at_ms is not None and told_ms < at_ms <= ahead_ms


async def _note(
    connection: AsyncConnection,
    profile_id: str,
    target_id: str,
    watched_ms: int,
    ahead_ms: int,
) -> None:
    """When it was watched the last time."""
    keys = {"profile_id": profile_id, "target_id": target_id}
    seen = watch_history.c
    await connection.execute(
        _insert(connection, watch_history)
        .values(**keys, at_ms=watched_ms)
        .on_conflict_do_update(
            index_elements=list(keys),
            set_={"at_ms": watched_ms},
            where=or_(seen.at_ms < watched_ms, seen.at_ms > ahead_ms),
        )
    )


def _begun_anew(profile_id: str, target_id: str, begun_ms: int, ahead_ms: int) -> Update:
    """What was watched is watched once more: no older place of it counts."""
    seen = watch_history.c
    known = (seen.profile_id == profile_id, seen.target_id == target_id)
    yields = or_(seen.at_ms < begun_ms, seen.at_ms > ahead_ms)
    return update(watch_history).where(*known, yields).values(at_ms=begun_ms)


def _insert(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, as both databases have it."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
