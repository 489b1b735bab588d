"""What to go on with, and what to watch some day (CTL-142)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import rights, sealed, sessions
from control_api.calls import Call
from control_api.catalogue import documents
from control_api.entitlement import Allowed, check
from control_api.facts import Ask
from control_api.problems import Problem
from control_api.schema import content
from control_api.times import utc
from control_api.viewers import profiles, shapes
from control_api.viewers.schema import bookmark, watchlist

LOOKED_AT = 200  # bookmarks, the newest
WISHES = 1_000
PARENTS = 2  # season, series


async def go_on(call: Call[None]) -> shapes.GoOnList:
    """What to go on with: one entry a series, after a finished episode the next one."""
    async with call.services.database.read() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        marks = (
            await connection.execute(
                select(bookmark)
                .where(bookmark.c.profile_id == whose.id)
                .order_by(bookmark.c.updated_ms.desc(), bookmark.c.content_id)
                .limit(LOOKED_AT)
            )
        ).all()
        titles = await _titles(connection, [mark.content_id for mark in marks])
        stopped = {mark.content_id: mark for mark in marks}
        items: list[shapes.GoOn] = []
        seen: set[str] = set()
        for mark in marks:
            title = titles.get(mark.content_id)
            if title is None:
                continue
            series_id = await _series(connection, title)
            if series_id in seen or len(items) >= call.query.limit:
                continue
            seen.add(series_id or mark.content_id)
            if mark.finished:
                title = await _next(connection, title, series_id, stopped)
            if title is not None and await _playable(connection, call, title.id):
                items.append(_entry(title, series_id, mark, stopped.get(title.id)))
    return shapes.GoOnList(items)


async def wish(call: Call[None]) -> None:
    """Put a title on the watchlist; twice is once."""
    async with call.services.database.write() as connection:
        await sessions.lock(connection, call.caller.account_id)
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        target_id = call.path["content"]
        if target_id not in await _titles(connection, [target_id]):
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
    """The watchlist, the newest first; what is withdrawn is hidden."""
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
        titles = await _titles(connection, [each.target_id for each in shown])
    return shapes.Watchlist(
        [
            shapes.Wish(each.target_id, titles[each.target_id].title, utc(each.at_ms))
            for each in shown
            if each.target_id in titles
        ],
        cursor,
    )


async def _titles(connection: AsyncConnection, wanted: Sequence[str]) -> Mapping[str, Any]:
    """Published titles by id."""
    query = _published().where(content.c.id.in_(wanted))
    return {row.id: row for row in (await connection.execute(query)).all()}


def _published() -> Any:
    title = documents.named().label("title")
    return select(content, title).where(content.c.status == "published")


async def _series(connection: AsyncConnection, title: Any) -> str | None:
    """The series of an episode, which hangs on it or on its season (CTL-31)."""
    parent_id, kind = title.parent_id, title.kind
    for _ in range(PARENTS):
        if parent_id is None or kind == "series":
            break
        query = select(content.c.id, content.c.kind, content.c.parent_id)
        row = (await connection.execute(query.where(content.c.id == parent_id))).one()
        if row.kind == "series":
            return str(row.id)
        parent_id, kind = row.parent_id, row.kind
    return None


async def _next(
    connection: AsyncConnection, title: Any, series_id: str | None, stopped: Mapping[str, Any]
) -> Any:
    """The published episode behind a finished one that is not finished itself."""
    if series_id is None:
        return None
    parent = content.alias()
    place = (  # an episode may leave its season's number to the season, or hang on the series
        func.coalesce(content.c.season_no, parent.c.season_no, 0),
        func.coalesce(content.c.episode_no, 0),
    )
    on_parent = parent.c.id == content.c.parent_id
    here = select(*place).join(parent, on_parent).where(content.c.id == title.id)
    query = (
        _published()
        .join(parent, on_parent)
        .where(
            content.c.kind == "episode",
            or_(parent.c.id == series_id, parent.c.parent_id == series_id),
            tuple_(*place) > tuple_(*(await connection.execute(here)).one()),
        )
    )
    query = query.order_by(*place).limit(LOOKED_AT)
    for row in (await connection.execute(query)).all():
        mark = stopped.get(row.id)
        if mark is None or not mark.finished:
            return row
    return None


async def _playable(connection: AsyncConnection, call: Call[None], content_id: str) -> bool:
    """Would CheckAccess say yes, whatever the device (CTL-142)?"""
    account_id = call.caller.account_id
    case = await rights.load(connection, account_id, "content", content_id, call.now_ms)
    if case is None:
        return False
    facts = rights.anywhere(case.facts)
    ask = Ask(call.now_ms, call.caller.country, "web")
    return isinstance(check(facts, ask), Allowed)


def _entry(title: Any, series_id: str | None, mark: Any, own: Any) -> shapes.GoOn:
    """`mark` says when, `own` where; an episode that was not begun starts at 0."""
    position_ms = own.position_ms if own is not None and not own.finished else 0
    return shapes.GoOn(
        content_id=title.id,
        series_id=series_id,
        title=title.title or title.id,
        position_ms=position_ms,
        duration_ms=title.duration_ms,
        updated_at=utc(mark.updated_ms),
    )
