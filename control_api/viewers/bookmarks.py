"""Where a profile stopped watching (CTL-140, CTL-141)."""

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.calls import Call
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.recordings.schema import recording
from control_api.schema import content
from control_api.times import epoch_ms, utc
from control_api.viewers import profiles, shapes
from control_api.viewers.schema import bookmark

AHEAD_MS = 60_000  # how far a client's clock may be ahead (CTL-140)
FINISHED_PERCENT = 95  # CTL-141
WORTH_MS = 30_000  # less is not stored (CTL-141)
row = bookmark.c


async def put(call: Call[shapes.BookmarkRequest]) -> shapes.Bookmark:
    """Set a bookmark; what another device said later stands."""
    asked, account_id, content_id = call.body, call.caller.account_id, call.path["content"]
    if asked.position_ms > asked.duration_ms:
        raise Problem("bad_position")
    updated_ms = min(epoch_ms(asked.updated_at), call.now_ms + AHEAD_MS)
    values = {
        "position_ms": asked.position_ms,
        "duration_ms": asked.duration_ms,
        "finished": is_finished(asked.position_ms, asked.duration_ms),
        "updated_ms": updated_ms,
    }
    async with call.services.database.write() as connection:
        whose = await profiles.whose(connection, account_id, call.query.profile_id)
        await _exists(connection, account_id, content_id)
        stored = await write(connection, whose.id, content_id, values)
        if stored is not None and stored.updated_ms == updated_ms:
            told = {"profile_id": whose.id, "account_id": account_id, "content_id": content_id}
            told |= {"position_ms": stored.position_ms, "finished": stored.finished}
            await emit(connection, "bookmark.updated", told, call.now_ms)
    if stored is None:
        return shapes.Bookmark(content_id, 0, asked.duration_ms, False, utc(updated_ms))
    return answer(stored)


async def get(call: Call[None]) -> shapes.Bookmark:
    """One bookmark."""
    async with call.services.database.read() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        found = await find(connection, whose.id, call.path["content"])
    if found is None:
        raise Problem("not_found")
    return answer(found)


def is_finished(position_ms: int, duration_ms: int) -> bool:
    """CTL-141; integers, so that 95 % is 95 %."""
    return 100 * position_ms >= FINISHED_PERCENT * duration_ms


async def write(
    connection: AsyncConnection, profile_id: str, content_id: str, values: dict[str, Any]
) -> Any:
    """What is stored afterwards: the later of the two by client time, of equals the new one; a
    position that is not worth it takes a bookmark away.
    """
    key = (row.profile_id == profile_id, row.content_id == content_id)
    if values["position_ms"] < WORTH_MS:
        await connection.execute(
            delete(bookmark).where(*key, row.updated_ms <= values["updated_ms"])
        )
        return await find(connection, profile_id, content_id)
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    keys = {"profile_id": profile_id, "content_id": content_id}
    await connection.execute(
        make(bookmark)
        .values(**keys, **values)
        .on_conflict_do_update(
            index_elements=list(keys), set_=values, where=row.updated_ms <= values["updated_ms"]
        )
    )
    return await find(connection, profile_id, content_id)


async def find(connection: AsyncConnection, profile_id: str, content_id: str) -> Any:
    query = select(bookmark).where(row.profile_id == profile_id, row.content_id == content_id)
    return (await connection.execute(query)).first()


async def _exists(connection: AsyncConnection, account_id: str, content_id: str) -> None:
    """404 unless it is a title or a recording of the account; live has no bookmarks."""
    title = select(content.c.id).where(content.c.id == content_id)
    own = select(recording.c.id).where(
        recording.c.id == content_id, recording.c.account_id == account_id
    )
    if (await connection.execute(title.union_all(own))).first() is None:
        raise Problem("content_not_found")


def answer(each: Any) -> shapes.Bookmark:
    return shapes.Bookmark(
        each.content_id, each.position_ms, each.duration_ms, each.finished, utc(each.updated_ms)
    )
