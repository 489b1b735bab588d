"""What to go on with, and what to watch some day (CTL-142)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import rights, sealed, sessions
from control_api.calls import Call
from control_api.cases import Question
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
ANY_DEVICE = ""

parent = content.alias()
PLACE = (
    (0, func.coalesce(content.c.season_no, parent.c.season_no, 0)),
    (1, func.coalesce(content.c.episode_no, 0)),
)


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
        series = await _series(connection, titles.values())
    stopped = {mark.content_id: mark for mark in marks}
    latest: dict[str, Any] = {}  # the newest mark of a series, or of what is in none
    for mark in marks:
        if mark.content_id in titles:
            latest.setdefault(series.get(mark.content_id) or mark.content_id, mark)
    items: list[shapes.GoOn] = []
    for mark in latest.values():
        if len(items) == call.query.limit:
            break
        title, series_id = titles[mark.content_id], series.get(mark.content_id)
        if mark.finished and series_id is not None:
            async with call.services.database.read() as connection:
                title = await _next(connection, title, series_id, stopped)
        elif mark.finished:
            continue
        if title is not None and await _playable(call, title.id):
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
    """Published titles, with their place in a series: an episode may leave its season's number to
    the season, or hang on the series.
    """
    return (
        select(content, documents.named().label("title"), *(n.label(f"at_{i}") for i, n in PLACE))
        .outerjoin(parent, parent.c.id == content.c.parent_id)
        .where(content.c.status == "published")
    )


async def _series(connection: AsyncConnection, titles: Iterable[Any]) -> Mapping[str, str]:
    """The series of titles that have one: they hang on it or on its season (CTL-31)."""
    above = {title.id: title.parent_id for title in titles if title.parent_id is not None}
    found: dict[str, str] = {}
    for _ in range(PARENTS):
        query = select(content.c.id, content.c.kind, content.c.parent_id)
        query = query.where(content.c.id.in_(set(above.values())))
        rows = {row.id: row for row in (await connection.execute(query)).all()} if above else {}
        parents = {key: rows[parent_id] for key, parent_id in above.items() if parent_id in rows}
        found |= {key: row.id for key, row in parents.items() if row.kind == "series"}
        above = {
            key: row.parent_id
            for key, row in parents.items()
            if row.kind != "series" and row.parent_id is not None
        }
    return found


async def _next(
    connection: AsyncConnection, title: Any, series_id: str, stopped: Mapping[str, Any]
) -> Any:
    """The published episode behind a finished one that is not finished itself."""
    place = [number for _, number in PLACE]
    query = (
        _published()
        .where(
            content.c.kind == "episode",
            or_(parent.c.id == series_id, parent.c.parent_id == series_id),
            tuple_(*place) > tuple_(title.at_0, title.at_1),
        )
        .order_by(*place)
        .limit(LOOKED_AT)
    )
    for row in (await connection.execute(query)).all():
        mark = stopped.get(row.id)
        if mark is None or not mark.finished:
            return row
    return None


async def _playable(call: Call[None], content_id: str) -> bool:
    """Would CheckAccess say yes, whatever the device (CTL-142)?"""
    question: Question = (call.caller.account_id, ANY_DEVICE, "content", content_id)
    found = await call.services.playback.cases.get(question, call.now_ms)
    ask = Ask(call.now_ms, call.caller.country, "web")
    return isinstance(check(rights.anywhere(found.case.facts), ask), Allowed)


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
