"""From sessions to scores, a minute's worth at a time (CTL-145).

Rules of the file
1. A session counts when it lasted a minute, and is looked at once, in order of its start, when it
   is old enough that its signs of life have been written. Where the last look ended stands in
   `edge_mark`, whose row holds other processes off.
2. A viewer counts once a half-life for a title, its season and its series, or for a channel.
3. A score halves in a half-life. What would be shown of it goes to the catalogue when it differs by
   a fiftieth, so that most minutes write little; what has faded is forgotten. Rows of the
   catalogue are written in the order of their ids, as whoever writes many of them does.
4. Bounded: so many sessions a turn, and so many titles that have a score at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.popularity.tables import popular, watched
from control_api.schema import channel, content, epg_event, playback_session
from control_api.terms.tables import edge_mark

Kind = Literal["content", "channel"]

LEAST_MS = 60_000
WRITTEN_MS = 180_000  # after so long a session of a minute has its signs of life in the database
HALF_MS: Mapping[Kind, int] = {"content": 86_400_000, "channel": 3_600_000}
KEPT_MS = max(HALF_MS.values())
SESSIONS = 2_000
TITLES = 20_000
FADED = 0.5
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


def _plays(rows: Iterable[Any], kind: Kind) -> dict[tuple[str, str], int]:
    """Until when who watched what."""
    found: dict[tuple[str, str], int] = {}
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
                found[play] = max(found.get(play, 0), row.last_seen_ms)
    return found


async def _fresh(
    connection: AsyncConnection, kind: Kind, plays: Mapping[tuple[str, str], int]
) -> dict[str, int]:
    """How many viewers each target has won who did not count for it."""
    won: dict[str, int] = {}
    rows = [
        {"target_id": target, "viewer": viewer, "at_ms": at_ms}
        for (target, viewer), at_ms in sorted(plays.items())
    ]
    for at in range(0, len(rows), ROWS):
        made = _upsert(connection, watched, rows[at : at + ROWS])
        again = watched.c.at_ms <= made.excluded.at_ms - HALF_MS[kind]
        made = made.on_conflict_do_update(
            index_elements=["target_id", "viewer"],
            set_={"at_ms": made.excluded.at_ms},
            where=again,
        )
        for target in (await connection.execute(made.returning(watched.c.target_id))).scalars():
            won[target] = won.get(target, 0) + 1
    return won


async def _score(
    connection: AsyncConnection, kind: Kind, won: Mapping[str, int], now_ms: int
) -> None:
    targets = sorted(won)
    for at in range(0, len(targets), ROWS):
        some = targets[at : at + ROWS]
        known = select(popular).where(popular.c.target_id.in_(some))
        before = {row.target_id: row for row in (await connection.execute(known)).all()}
        scores = {
            target: won[target]
            + (decayed(old.score, now_ms - old.at_ms, kind) if (old := before.get(target)) else 0)
            for target in some
        }
        new = [
            {"target_id": one, "kind": kind, "score": scores[one], "at_ms": now_ms, "shown": 0}
            for one in some
            if one not in before
        ]
        if new:
            await connection.execute(insert(popular), new)
        grown = [{"of": one, "to": scores[one], "now": now_ms} for one in some if one in before]
        if grown:
            await connection.execute(_GROWN, grown)


async def _show(connection: AsyncConnection, now_ms: int) -> None:
    """Tell the catalogue what has changed enough; forget what has faded, or is too much."""
    rows = (await connection.execute(select(popular))).all()
    worth = {row: decayed(row.score, now_ms - row.at_ms, row.kind) for row in rows}
    ranked = sorted(worth, key=lambda row: (-worth[row], row.target_id))
    gone = [row for at, row in enumerate(ranked) if worth[row] < FADED or at >= TITLES]
    over = {row.target_id for row in gone}
    for kind, table in TABLES.items():
        told = [
            {"of": row.target_id, "to": 0 if row.target_id in over else round(worth[row])}
            for row in sorted(rows, key=lambda row: str(row.target_id))
            if row.kind == kind
            and (row.target_id in over or NOTED * abs(round(worth[row]) - row.shown) > row.shown)
        ]
        if told:
            shown = update(table).where(table.c.id == bindparam("of"))
            await connection.execute(shown.values(popularity=bindparam("to")), told)
            await connection.execute(_SHOWN, told)
    if gone:
        which = popular.c.target_id == bindparam("of")
        await connection.execute(delete(popular).where(which), [{"of": one} for one in over])


def _upsert(connection: AsyncConnection, table: Any, values: Any) -> Any:
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return make(table).values(values)


_GROWN = (
    update(popular)
    .where(popular.c.target_id == bindparam("of"))
    .values(score=bindparam("to"), at_ms=bindparam("now"))
)
_SHOWN = update(popular).where(popular.c.target_id == bindparam("of")).values(shown=bindparam("to"))
