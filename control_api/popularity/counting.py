"""From sessions to scores, a minute's worth at a time (CTL-145).

Rules of the file
1. A session counts when it lasted a minute, and is looked at once, in order of its start, when it
   is old enough that its signs of life have been written. Where the last look ended stands in
   `edge_mark`, whose row holds other processes off.
2. A viewer counts once a half-life for a title, its season and its series, or for a channel: in
   the country where it was watched, if that is known, and in all of them together.
3. A score halves in a half-life. What is shown of it changes when it differs by a fiftieth, so that
   most minutes write little, and that of all countries goes to the catalogue; what has faded is
   forgotten. Rows of the catalogue are written in the order of their ids, as whoever writes many
   of them does.
4. Bounded: so many sessions a turn, and so many scores at all.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.popularity.tables import EVERYWHERE, popular, watched
from control_api.schema import channel, content, epg_event, playback_session
from control_api.terms.tables import edge_mark

Kind = Literal["content", "channel"]
Place = tuple[str, str]  # a target, and a country or all of them

LEAST_MS = 60_000
WRITTEN_MS = 180_000  # after so long a session of a minute has its signs of life in the database
HALF_MS: Mapping[Kind, int] = {"content": 86_400_000, "channel": 3_600_000}
KEPT_MS = max(HALF_MS.values())
SESSIONS = 2_000
SCORES = 40_000
FADED = 0.5
UNKNOWN = "ZZ"  # the country of a viewer nobody could place (CTL-10)
NOTED = 50  # a difference of one in so many is shown
ROWS = 300  # of a statement: each has three parameters
MARK = "popularity"
TABLES = {"content": content, "channel": channel}

session = playback_session.c


async def count(connection: AsyncConnection, now_ms: int) -> int:
    """One turn; how many sessions it looked at."""
    mark = await _mark(connection, now_ms)
    rows = await _sessions(connection, mark, now_ms)
    if rows:
        moved = update(edge_mark).where(edge_mark.c.name == MARK)
        last = rows[-1]
        await connection.execute(moved.values(at_ms=last.started_ms, last_id=last.id))
    for kind in HALF_MS:
        fresh = await _fresh(connection, kind, _plays(rows, kind))
        await _score(connection, kind, fresh, now_ms)
    await _show(connection, now_ms)
    await connection.execute(delete(watched).where(watched.c.at_ms < now_ms - KEPT_MS))
    return len(rows)


def decayed(score: float, age_ms: int, kind: Kind) -> float:
    """What is left of a score."""
    return float(score * 0.5 ** (max(age_ms, 0) / HALF_MS[kind]))


async def _mark(connection: AsyncConnection, now_ms: int) -> tuple[int, str]:
    """Where the last look ended, held to the end of the transaction."""
    begin = {"name": MARK, "at_ms": now_ms - KEPT_MS, "last_id": ""}
    await connection.execute(_upsert(connection, edge_mark, begin).on_conflict_do_nothing())
    query = select(edge_mark).where(edge_mark.c.name == MARK).with_for_update()
    row = (await connection.execute(query)).one()
    return row.at_ms, row.last_id


async def _sessions(
    connection: AsyncConnection, mark: tuple[int, str], now_ms: int
) -> Sequence[Any]:
    """The next sessions, with what they are of."""
    season = content.alias("season")
    query = (
        select(
            session.id,
            session.kind,
            session.started_ms,
            session.last_seen_ms,
            session.country,
            func.coalesce(session.profile_id, session.account_id).label("viewer"),
            session.target_id,
            epg_event.c.channel_id,
            content.c.parent_id,
            season.c.parent_id.label("series_id"),
        )
        .outerjoin(epg_event, epg_event.c.id == session.target_id)
        .outerjoin(content, content.c.id == session.target_id)
        .outerjoin(season, season.c.id == content.c.parent_id)
        .where(
            tuple_(session.started_ms, session.id) > tuple_(*mark),
            session.started_ms <= now_ms - WRITTEN_MS,
        )
        .order_by(session.started_ms, session.id)
        .limit(SESSIONS)
    )
    return (await connection.execute(query)).all()


def _plays(rows: Iterable[Any], kind: Kind) -> dict[tuple[str, str], tuple[int, str]]:
    """Until when and where who watched what."""
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for row in rows:
        if row.last_seen_ms - row.started_ms < LEAST_MS:
            continue
        match kind, row.kind:
            case "content", "vod":
                targets = [row.target_id, row.parent_id, row.series_id]
            case "channel", "live":
                targets = [row.target_id]
            case "channel", "startover" | "catchup":
                targets = [row.channel_id]
            case _:
                targets = []
        for target in targets:
            if target is not None:
                play = target, row.viewer
                found[play] = max(found.get(play, (0, "")), (row.last_seen_ms, row.country))
    return found


async def _fresh(
    connection: AsyncConnection, kind: Kind, plays: Mapping[tuple[str, str], tuple[int, str]]
) -> dict[Place, int]:
    """How many viewers each target has won who did not count for it, everywhere and by country."""
    won: Counter[Place] = Counter()
    rows = [
        {"target_id": target, "viewer": viewer, "at_ms": at_ms}
        for (target, viewer), (at_ms, _) in sorted(plays.items())
    ]
    for at in range(0, len(rows), ROWS):
        made = _upsert(connection, watched, rows[at : at + ROWS])
        again = watched.c.at_ms <= made.excluded.at_ms - HALF_MS[kind]
        made = made.on_conflict_do_update(
            index_elements=["target_id", "viewer"],
            set_={"at_ms": made.excluded.at_ms},
            where=again,
        )
        counted = made.returning(watched.c.target_id, watched.c.viewer)
        for target, viewer in (await connection.execute(counted)).all():
            won[target, EVERYWHERE] += 1
            country = plays[target, viewer][1]
            if country != UNKNOWN:
                won[target, country] += 1
    return won


async def _score(
    connection: AsyncConnection, kind: Kind, won: Mapping[Place, int], now_ms: int
) -> None:
    places = sorted(won)
    for at in range(0, len(places), ROWS):
        some = places[at : at + ROWS]
        targets = sorted({target for target, _ in some})
        known = select(popular).where(popular.c.target_id.in_(targets))
        rows = (await connection.execute(known)).all()
        before = {(row.target_id, row.territory): row for row in rows}
        scores = {
            place: won[place]
            + (decayed(old.score, now_ms - old.at_ms, kind) if (old := before.get(place)) else 0)
            for place in some
        }
        new = [
            {"target_id": target, "territory": where, "score": scores[target, where]}
            | {"kind": kind, "at_ms": now_ms, "shown": 0}
            for target, where in some
            if (target, where) not in before
        ]
        if new:
            await connection.execute(insert(popular), new)
        grown = [
            {"of": place[0], "where": place[1], "to": scores[place], "now": now_ms}
            for place in some
            if place in before
        ]
        if grown:
            await connection.execute(_GROWN, grown)


async def _show(connection: AsyncConnection, now_ms: int) -> None:
    """Tell the catalogue what has changed enough; forget what has faded, or is too much."""
    rows: list[Any] = []
    async with connection.stream(_ALL) as found:
        async for some in found.partitions(SESSIONS):
            rows += some
    changed, gone = await asyncio.to_thread(settled, rows, now_ms)
    for kind, table in TABLES.items():
        told = [
            {"of": row.target_id, "to": to}
            for row, to in changed
            if row.kind == kind and row.territory == EVERYWHERE
        ]
        if told:
            shown = update(table).where(table.c.id == bindparam("of"))
            await connection.execute(shown.values(popularity=bindparam("to")), told)
    if changed:
        values = [{"of": row.target_id, "where": row.territory, "to": to} for row, to in changed]
        await connection.execute(_SHOWN, values)
    if gone:
        places = [{"of": row.target_id, "where": row.territory} for row in gone]
        await connection.execute(delete(popular).where(*_PLACE), places)


def settled(rows: Sequence[Any], now_ms: int) -> tuple[list[tuple[Any, int]], list[Any]]:
    """Of scores in the order of their places: those to show anew and as what, and those to forget.
    Tens of thousands may take longer than the loop can wait.
    """
    worth = [decayed(row.score, now_ms - row.at_ms, row.kind) for row in rows]
    kept = {at for at, left in enumerate(worth) if left >= FADED}
    if len(kept) > SCORES:
        kept = set(sorted(kept, key=lambda at: (-worth[at], at))[:SCORES])
    changed = []
    for at, row in enumerate(rows):
        to = round(worth[at]) if at in kept else 0
        if to != row.shown and (at not in kept or NOTED * abs(to - row.shown) > row.shown):
            changed.append((row, to))
    return changed, [row for at, row in enumerate(rows) if at not in kept]


def _upsert(connection: AsyncConnection, table: Any, values: Any) -> Any:
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return make(table).values(values)


_ALL = select(popular).order_by(popular.c.target_id, popular.c.territory)
_PLACE = (popular.c.target_id == bindparam("of"), popular.c.territory == bindparam("where"))
_GROWN = update(popular).where(*_PLACE).values(score=bindparam("to"), at_ms=bindparam("now"))
_SHOWN = update(popular).where(*_PLACE).values(shown=bindparam("to"))
