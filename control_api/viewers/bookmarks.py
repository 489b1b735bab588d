"""Where a profile stopped watching (CTL-140, CTL-141)."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.calls import Call
from control_api.problems import Problem
from control_api.recordings.schema import recording
from control_api.schema import content
from control_api.times import epoch_ms, utc
from control_api.viewers import marks, profiles, shapes


async def put(call: Call[shapes.BookmarkRequest]) -> shapes.Bookmark:
    """Set a bookmark; what another device said later stands."""
    asked, account_id, content_id = call.body, call.caller.account_id, call.path["content"]
    if asked.position_ms > asked.duration_ms:
        raise Problem("bad_position")
    now_ms = call.services.playback.shelf.latest_ms(call.now_ms)
    updated_ms = min(epoch_ms(asked.updated_at), now_ms + marks.AHEAD_MS)
    values = {
        "position_ms": asked.position_ms,
        "duration_ms": asked.duration_ms,
        "finished": marks.is_finished(asked.position_ms, asked.duration_ms),
        "updated_ms": updated_ms,
    }
    async with call.services.database.write() as connection:
        whose = await profiles.whose(connection, account_id, call.query.profile_id)
        await _exists(connection, account_id, content_id)
        stored = await marks.keep(connection, account_id, whose.id, content_id, values, now_ms)
    if stored is None:
        return shapes.Bookmark(content_id, 0, asked.duration_ms, False, utc(updated_ms))
    return answer(stored)


async def get(call: Call[None]) -> shapes.Bookmark:
    """One bookmark."""
    async with call.services.database.read() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        found = await marks.find(connection, whose.id, call.path["content"])
    if found is None:
        raise Problem("not_found")
    return answer(found)


async def _exists(connection: AsyncConnection, account_id: str, content_id: str) -> None:
    """404 unless it is a published title or a recording of the account; live has no bookmarks."""
    title = select(content.c.id).where(content.c.id == content_id, content.c.status == "published")
    own = select(recording.c.id).where(
        recording.c.id == content_id, recording.c.account_id == account_id
    )
    if (await connection.execute(title.union_all(own))).first() is None:
        raise Problem("content_not_found")


def answer(each: Any) -> shapes.Bookmark:
    return shapes.Bookmark(
        each.content_id, each.position_ms, each.duration_ms, each.finished, utc(each.updated_ms)
    )
