"""The moments at which windows and blackouts begin and end, told within a second (CTL-33).

Rules of the file
1. What comes with time is told by `Edges`: of all processes by one, in order, and after a stop from
   where the last one was. How far it came is a row of `edge_mark`, and whoever tells holds it.
2. What comes with an edit is told by the edit, in its transaction: `rewritten` for windows,
   `Blackouts.follow` for blackouts. Time does not tell again what began before its row was written.
3. An edit compares what it leaves with what was told, not with what a clock says should have been,
   and holds the marks meanwhile (`marks`): what time has yet to tell of the old row is told of the
   new one, by one of the two.
4. Windows are written anew with their title: one that is there before and after with the same words
   has not changed, and keeps its id.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    insert,
    literal,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids
from control_api.loops import Loop, beat_s
from control_api.outbox import emit_all
from control_api.schema import rights_window
from control_api.terms.tables import blackout, edge_mark
from control_api.times import now_ms, utc
from runtime import logs
from runtime.sql import Database, SqlError

log = logs.get("control")
EVERY_S: Final = 1.0
BATCH: Final = 500
WORDS: Final = ("territory", "licence", "platform", "start_ms", "end_ms", "tier", "max_height")
Place = tuple[int, str]  # a moment and the id of its row, in the order of telling
mark = edge_mark.c


class Edge(NamedTuple):
    """One kind of moment: what it is called, and where it stands."""

    event: str
    table: Table
    at: Column[int]


EDGES: Final = (
    Edge("rights.window.opened", rights_window, rights_window.c.start_ms),
    Edge("rights.window.closed", rights_window, rights_window.c.end_ms),
    Edge("blackout.started", blackout, blackout.c.start_ms),
    Edge("blackout.ended", blackout, blackout.c.end_ms),
)


class Edges:
    """Tells of what came with time, for one of all processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forever(self) -> None:
        """Look now and then, for ever."""
        while True:
            try:
                await self.tell(now_ms())
            except SqlError as error:
                log.warning("edges_wait", error=str(error))
            await asyncio.sleep(beat_s(EVERY_S))

    async def tell(self, at_ms: int) -> int:
        """Tell of all that came until now; how many."""
        told = 0
        for edge in await self._due(at_ms):
            count = BATCH
            while count == BATCH:
                try:
                    async with self._database.write() as connection:
                        count = await _told(connection, edge, at_ms)
                except IntegrityError:  # another process made the first mark
                    break
                told += count
        return told

    async def _due(self, at_ms: int) -> Sequence[Edge]:
        """Those of which something came, and those that were never looked at."""
        names = {row.event for row in await self._database.ask(_DUE, {"at": at_ms})}
        return [edge for edge in EDGES if edge.event in names]


def _due(at_ms: ColumnElement[int]) -> Select[Any]:
    asked: list[Select[Any]] = []
    for edge in EDGES:
        known = edge_mark.alias()
        name = known.c.name == edge.event
        came = and_(
            tuple_(edge.at, edge.table.c.id) > tuple_(known.c.at_ms, known.c.last_id),
            edge.at >= known.c.at_ms,  # what an index can find
            edge.at <= at_ms,
        )
        more = select(literal(1)).select_from(edge.table).where(came).correlate(known).exists()
        event = literal(edge.event).label("event")
        asked.append(select(event).select_from(known).where(name, more))
        asked.append(select(event).where(~exists().where(name).correlate(None)))
    return select(union_all(*asked).subquery())


_DUE = _due(bindparam("at", type_=BigInteger))


async def _told(connection: AsyncConnection, edge: Edge, at_ms: int) -> int:
    """Tell of the next ones, and note how far; how many were looked at."""
    query = select(edge_mark).where(mark.name == edge.event).with_for_update()
    known = (await connection.execute(query)).first()
    if known is None:
        first = {"name": edge.event, "at_ms": at_ms, "last_id": ""}
        await connection.execute(insert(edge_mark).values(first))
        return 0
    place = tuple_(edge.at, edge.table.c.id)
    came = (
        select(edge.table)
        .where(place > tuple_(known.at_ms, known.last_id), edge.at >= known.at_ms, edge.at <= at_ms)
        .order_by(edge.at, edge.table.c.id)
        .limit(BATCH)
    )
    rows = (await connection.execute(came)).all()
    if not rows:
        return 0
    fresh = [row for row in rows if row._mapping[edge.at.name] > _written_ms(row)]
    await emit_all(connection, edge.event, [_data(row) for row in fresh], at_ms)
    last = {"at_ms": rows[-1]._mapping[edge.at.name], "last_id": rows[-1].id}
    await connection.execute(update(edge_mark).where(mark.name == edge.event).values(last))
    return len(rows)


class Marks(NamedTuple):
    """How far time has told of beginnings and ends; None where it never looked."""

    begun: Place | None
    ended: Place | None
    now_ms: int

    def on(self, key: str, start_ms: int, end_ms: int, written_ms: int) -> bool:
        """Was it told, by time or by the edit that wrote it, that this began, and not that it
        ended?
        """
        begun = self._told(self.begun, (start_ms, key), written_ms)
        return begun and not self._told(self.ended, (end_ms, key), written_ms)

    def _told(self, until: Place | None, place: Place, written_ms: int) -> bool:
        if until is None:
            return place[0] <= self.now_ms
        return place[0] <= written_ms or place <= until


async def marks(connection: AsyncConnection, begun: str, ended: str, now_ms: int) -> Marks:
    """How far these events were told, held to the end of the transaction."""
    query = select(edge_mark).where(mark.name.in_((begun, ended)))
    rows = await connection.execute(query.order_by(mark.name).with_for_update())
    found = {row.name: (row.at_ms, row.last_id) for row in rows}
    return Marks(found.get(begun), found.get(ended), now_ms)


def _written_ms(row: Any) -> int:
    """When a row was written: a blackout's says so, a window's id does (CTL-2)."""
    if hasattr(row, "updated_ms"):
        return int(row.updated_ms)
    return ids.made_ms("window", row.id)


def _data(row: Any) -> dict[str, Any]:
    times = {"starts_at": utc(row.start_ms), "ends_at": utc(row.end_ms)}
    if hasattr(row, "licence"):
        return times | {
            "target_id": row.content_id or row.channel_id,
            "kind": "content" if row.content_id else "channel",
            "window_id": row.id,
            "licence": row.licence,
            "territory": row.territory,
        }
    return times | {
        "channel_id": row.channel_id,
        "blackout_id": row.id,
        "event_id": row.event_id,
    }


@asynccontextmanager
async def rewritten(
    connection: AsyncConnection, subject: Column[Any], keys: Sequence[str], at_ms: int
) -> AsyncIterator[None]:
    """Around the writing of these titles' or channels' windows: tells what opened, closed or
    changed by it.
    """
    before = await _windows(connection, subject, keys)
    yield
    after = await _windows(connection, subject, keys)
    kept: list[dict[str, str]] = []
    for words in before.keys() & after.keys():
        same = min(len(before[words]), len(after[words]))
        pairs = zip(before[words][:same], after[words][:same], strict=True)
        kept += [{"made": new.id, "was": old.id} for old, new in pairs if new.id != old.id]
        del before[words][:same], after[words][:same]
    if kept:
        await connection.execute(_KEPT, kept)
    gone = [row for rows in before.values() for row in rows]
    come = [row for rows in after.values() for row in rows]
    if not gone and not come:
        return
    told = await marks(connection, "rights.window.opened", "rights.window.closed", at_ms)
    opened, other = _parted(come, told)
    closed, lost = _parted(gone, told)
    for event, rows in (
        ("rights.window.opened", opened),
        ("rights.window.updated", [*other, *lost]),
        ("rights.window.closed", closed),
    ):
        await emit_all(connection, event, [_data(row) for row in rows], at_ms)


_KEPT = (
    update(rights_window).where(rights_window.c.id == bindparam("made")).values(id=bindparam("was"))
)


async def _windows(
    connection: AsyncConnection, subject: Column[Any], keys: Sequence[str]
) -> Mapping[tuple[Any, ...], list[Any]]:
    """Windows by their words."""
    found: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for at in range(0, len(keys), BATCH):
        query = select(rights_window).where(subject.in_(keys[at : at + BATCH]))
        for row in await connection.execute(query.order_by(rights_window.c.id)):
            words = tuple(row._mapping[name] for name in WORDS)
            found[(row.content_id, row.channel_id, row.hdcp, row.offline, *words)].append(row)
    return found


def _parted(rows: Sequence[Any], told: Marks) -> tuple[list[Any], list[Any]]:
    """Those that are open as far as was told, and the others."""
    parted: tuple[list[Any], list[Any]] = [], []
    for row in rows:
        is_open = told.on(row.id, row.start_ms, row.end_ms, _written_ms(row))
        parted[not is_open].append(row)
    return parted


def work(services: Any) -> list[Loop]:
    """What tells of time."""
    return [Loop("edges", Edges(services.database).forever)]
