"""What a profile watched, and how it is forgotten (control-api section 3, "viewer state").

Who forgets a title forgets its bookmark too.
"""

from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, or_, select, tuple_

from control_api import audience, sealed
from control_api.calls import Call
from control_api.catalogue import documents
from control_api.facts import Limit
from control_api.problems import Problem
from control_api.recordings.schema import recording
from control_api.schema import content
from control_api.times import utc
from control_api.viewers import profiles, shapes
from control_api.viewers.schema import bookmark, watch_history

mine = watch_history.c


async def page(call: Call[None]) -> shapes.History:
    """What was watched, the newest first; what is withdrawn or for older ones is hidden."""
    account_id, limit = call.caller.account_id, await audience.own_limit(call)
    async with call.services.database.read() as connection:
        whose = await profiles.whose(connection, account_id, call.query.profile_id)
        listing = f"history:{whose.id}"
        after = sealed.position(call.services.secret, listing, call.query.cursor)
        query = _SEEN.where(mine.profile_id == whose.id, _visible(account_id, limit))
        if after is not None:
            query = query.where(tuple_(mine.at_ms, mine.target_id) < tuple_(*after))
        query = query.order_by(mine.at_ms.desc(), mine.target_id.desc())
        rows = (await connection.execute(query.limit(call.query.limit + 1))).all()
    place = ("at_ms", "target_id")
    shown, cursor = sealed.page(rows, call.query.limit, call.services.secret, listing, *place)
    return shapes.History(
        [_entry(each) for each in shown],
        cursor,
    )


async def forget(call: Call[None]) -> None:
    """Forget that a title was watched, and where."""
    if not await _forgotten(call, call.path["content"]):
        raise Problem("not_found")


async def forget_all(call: Call[None]) -> None:
    """Forget all that was watched; nothing is forgotten as well."""
    await _forgotten(call, None)


async def _forgotten(call: Call[None], target_id: str | None) -> int:
    async with call.services.database.write() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        count = 0
        for table, target in ((bookmark, bookmark.c.content_id), (watch_history, mine.target_id)):
            gone = delete(table).where(table.c.profile_id == whose.id)
            if target_id is not None:
                gone = gone.where(target == target_id)
            count = (await connection.execute(gone)).rowcount
    return count


def _visible(account_id: str, limit: Limit | None) -> ColumnElement[bool]:
    return or_(
        and_(content.c.status == "published", audience.fits_title(limit)),
        and_(recording.c.account_id == account_id, audience.fits_recording(limit)),
    )


def _entry(row: Row[Any]) -> shapes.Seen:
    return shapes.Seen(
        content_id=row.target_id,
        title=row.title,
        position_ms=row.position_ms,
        duration_ms=row.duration_ms,
        finished=bool(row.finished),
        watched_at=utc(row.at_ms),
    )


_SEEN = (
    select(
        watch_history,
        func.coalesce(documents.named(), recording.c.title, mine.target_id).label("title"),
        func.coalesce(bookmark.c.position_ms, 0).label("position_ms"),
        bookmark.c.duration_ms,
        bookmark.c.finished,
    )
    .outerjoin(content, content.c.id == mine.target_id)
    .outerjoin(recording, recording.c.id == mine.target_id)
    .outerjoin(
        bookmark,
        and_(
            bookmark.c.profile_id == mine.profile_id,
            bookmark.c.content_id == mine.target_id,
        ),
    )
)
