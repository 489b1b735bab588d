"""What to go on with, and what to watch some day (CTL-142)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audience, sealed, sessions
from control_api.calls import Call
from control_api.facts import Limit
from control_api.problems import Problem
from control_api.recordings import playing
from control_api.recordings.schema import recording
from control_api.times import utc
from control_api.viewers import playable, profiles, shapes, titles
from control_api.viewers.schema import bookmark, watchlist

LOOKED_AT = 200  # bookmarks, the newest
WISHES = 1_000


class Begun(NamedTuple):
    """A title or a recording as a row, the series it is of, and the place where it was left."""

    row: Any
    series_id: str | None
    mark: Any
    kind: shapes.Watched


async def go_on(call: Call[None]) -> shapes.GoOnList:
    """What to go on with, titles and recordings: one entry a series, after a finished episode the
    next one.
    """
    limit = call.query.limit
    items: list[shapes.GoOn] = []
    mine = await audience.own_limit(call)
    async with call.services.database.read() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        begun = await _begun(connection, whose)
        while begun and len(items) < limit:
            items += await _offered(call, connection, whose.id, mine, begun[:limit])
            begun = begun[limit:]
    return shapes.GoOnList(items[:limit])


async def _begun(connection: AsyncConnection, whose: Any) -> Sequence[Begun]:
    """The newest place of each series, of what is in none, and of each rule's recordings."""
    query = select(bookmark).where(bookmark.c.profile_id == whose.id)
    query = query.order_by(bookmark.c.updated_ms.desc(), bookmark.c.content_id).limit(LOOKED_AT)
    marks = (await connection.execute(query)).all()
    known = await titles.published(connection, [mark.content_id for mark in marks])
    series = await titles.series(connection, known.values())
    others = [mark.content_id for mark in marks if mark.content_id not in known]
    recorded = await _recorded(connection, whose.account_id, others)
    latest: dict[str, Begun] = {}
    for mark in marks:
        key = mark.content_id
        if key in known:
            own = series.get(key)
            latest.setdefault(own or key, Begun(known[key], own, mark, "content"))
        elif key in recorded and not mark.finished:
            row = recorded[key]
            latest.setdefault(row.rule_id or key, Begun(row, None, mark, "recording"))
    return [each for each in latest.values() if each.series_id or not each.mark.finished]


async def _recorded(
    connection: AsyncConnection, account_id: str, wanted: Sequence[str]
) -> Mapping[str, Any]:
    """The account's recordings that can be played, by id."""
    length_ms = (recording.c.prog_end_ms - recording.c.prog_start_ms).label("duration_ms")
    query = select(recording.c.id, recording.c.rule_id, recording.c.title, length_ms).where(
        recording.c.id.in_(wanted),
        recording.c.account_id == account_id,
        recording.c.state.in_(playing.PLAYABLE),
    )
    return {row.id: row for row in (await connection.execute(query)).all()} if wanted else {}


async def _offered(
    call: Call[None],
    connection: AsyncConnection,
    profile_id: str,
    limit: Limit | None,
    begun: Sequence[Begun],
) -> list[shapes.GoOn]:
    """Entries of what the profile may play."""
    done = {each.series_id: each.row for each in begun if each.series_id and each.mark.finished}
    following = await titles.following(connection, profile_id, done)
    entries = [_entry(each, following.get(each.series_id or "")) for each in begun]
    shown = [entry for entry in entries if entry is not None]
    wanted = {
        kind: [entry.content_id for entry in shown if entry.kind == kind]
        for kind in ("content", "recording")
    }
    allowed = await playable.of(connection, call, limit, wanted["content"], wanted["recording"])
    return [entry for entry in shown if entry.content_id in allowed]


def _entry(each: Begun, following: Any) -> shapes.GoOn | None:
    """Where it was left, or what follows; an episode that was not begun starts at 0."""
    if each.mark.finished and following is None:
        return None
    row, place = (following, following) if each.mark.finished else (each.row, each.mark)
    return shapes.GoOn(
        content_id=row.id,
        kind=each.kind,
        series_id=each.series_id,
        title=row.title or row.id,
        position_ms=place.position_ms or 0,
        duration_ms=row.duration_ms,
        updated_at=utc(each.mark.updated_ms),
    )


async def wish(call: Call[None]) -> None:
    """Put a title that the profile may see on the watchlist; twice is once."""
    limit = await audience.own_limit(call)
    async with call.services.database.write() as connection:
        await sessions.lock(connection, call.caller.account_id)
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        target_id = call.path["content"]
        if target_id not in await titles.published(connection, [target_id], limit):
            raise Problem("content_not_found")
        mine = select(watchlist.c.target_id).where(watchlist.c.profile_id == whose.id)
        known = set((await connection.execute(mine)).scalars().all())
        if target_id in known:
            return
        if len(known) >= WISHES:
            raise Problem("in_use", f"a watchlist has at most {WISHES} titles")
        made = {"profile_id": whose.id, "target_id": target_id, "at_ms": call.now_ms}
        await connection.execute(insert(watchlist).values(made))


async def unwish(call: Call[None]) -> None:
    """Take a title off the watchlist."""
    async with call.services.database.write() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        key = (watchlist.c.profile_id == whose.id, watchlist.c.target_id == call.path["content"])
        if not (await connection.execute(delete(watchlist).where(*key))).rowcount:
            raise Problem("not_found")


async def wishes(call: Call[None]) -> shapes.Watchlist:
    """The watchlist, the newest first; what is withdrawn or for older ones is hidden."""
    limit = await audience.own_limit(call)
    async with call.services.database.read() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        mine = watchlist.c
        query = select(watchlist).where(mine.profile_id == whose.id)
        listing = f"watchlist:{whose.id}"
        after = sealed.position(call.services.secret, listing, call.query.cursor)
        if after is not None:
            query = query.where(tuple_(mine.at_ms, mine.target_id) < tuple_(*after))
        query = query.order_by(mine.at_ms.desc(), mine.target_id.desc())
        rows = (await connection.execute(query.limit(call.query.limit + 1))).all()
        place = ("at_ms", "target_id")
        shown, cursor = sealed.page(rows, call.query.limit, call.services.secret, listing, *place)
        known = await titles.published(connection, [each.target_id for each in shown], limit)
    return shapes.Watchlist(
        [
            shapes.Wish(each.target_id, known[each.target_id].title, utc(each.at_ms))
            for each in shown
            if each.target_id in known
        ],
        cursor,
    )
