"""Where a profile stopped watching (CTL-140, CTL-141)."""

from typing import Any

from sqlalchemy import ColumnElement, literal, or_, select

from control_api import audience
from control_api.calls import Call
from control_api.facts import Limit
from control_api.problems import Problem
from control_api.recordings.schema import recording
from control_api.schema import content, playback_session
from control_api.times import epoch_ms, utc
from control_api.viewers import marks, profiles, shapes
from control_api.viewers.schema import bookmark


async def put(call: Call[shapes.BookmarkRequest]) -> shapes.Bookmark:
    """Set a bookmark; what another device said later stands."""
    asked, account_id, content_id = call.body, call.caller.account_id, call.path["content"]
    if asked.position_ms > asked.duration_ms:
        raise Problem("bad_position")
    limit = await audience.own_limit(call)
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
        known = select(literal(1)).where(_shown(call, whose, limit))
        if (await connection.execute(known)).first() is None:
            raise Problem("content_not_found")
        stored = await marks.keep(connection, account_id, whose.id, content_id, values, now_ms)
    if stored is None:
        return shapes.Bookmark(content_id, 0, asked.duration_ms, False, utc(updated_ms))
    return answer(stored)


async def get(call: Call[None]) -> shapes.Bookmark:
    """One bookmark; of what is withdrawn or for older ones there is none."""
    limit = await audience.own_limit(call)
    async with call.services.database.read() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        query = select(bookmark).where(
            bookmark.c.profile_id == whose.id,
            bookmark.c.content_id == call.path["content"],
            _shown(call, whose, limit),
        )
        found = (await connection.execute(query)).first()
    if found is None:
        raise Problem("not_found")
    return answer(found)


def _shown(call: Call[Any], whose: Any, limit: Limit | None) -> ColumnElement[bool]:
    """Is it a published title or a recording of the account, live has no bookmarks; and one that
    the profile may see, or plays now behind a PIN?
    """
    target_id, play = call.path["content"], playback_session.c
    player = play.profile_id == whose.id
    if call.query.profile_id is None:
        player = or_(player, play.profile_id.is_(None))
    opened = select(play.id).where(
        play.account_id == whose.account_id,
        play.ended_ms.is_(None),
        play.target_id == target_id,
        play.pin_passed,
        player,
    )
    title = select(content.c.id).where(
        content.c.id == target_id,
        content.c.status == "published",
        or_(audience.fits_title(limit), opened.exists()),
    )
    own = select(recording.c.id).where(
        recording.c.id == target_id,
        recording.c.account_id == whose.account_id,
        or_(audience.fits_recording(limit), opened.exists()),
    )
    return or_(title.exists(), own.exists())


def answer(each: Any) -> shapes.Bookmark:
    return shapes.Bookmark(
        each.content_id, each.position_ms, each.duration_ms, each.finished, utc(each.updated_ms)
    )
