"""Programmes that begin and end, told as they do (CTL-171).

Rules of the file
1. `epg_told` is one row: the place in time before which all is told. Every process looks when the
   next begins or ends, and at the latest after `LOOK_S`; whoever locks the row tells and moves it
   in one transaction, so that each is told once however many look and whatever is killed.
2. What came about while nobody looked is told late, by up to `LATE_MS`; what is older is not told.
3. What an import moves behind that place is told by the import.
4. The time is the database's. A place that is further ahead of it than what is told late was put
   there by a wrong clock: it is put back to now, so that silence ends with what caused it.
"""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Integer, Select, and_, func, literal, select, tuple_, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import server_time
from control_api.epg import telling
from control_api.epg.store import Change
from control_api.epg.tables import epg_told
from control_api.loops import beat_s
from control_api.outbox.record import emit_all
from control_api.recordings.states import insert_new
from control_api.schema import epg_event, epg_event_text
from runtime import logs
from runtime.sql import Database, SqlError

log = logs.get("control")
LOOK_S: Final = 5.0
AGAIN_S: Final = 0.5  # when another process is about to tell
LATE_MS: Final = 3_600_000
SKEW_MS: Final = 60_000  # by which an import's time may be behind who tells
BATCH: Final = 500
ENDED, STARTED = range(2)  # what is at one moment, in order
VERBS: Final = ("ended", "started")

event, told = epg_event.c, epg_told.c


async def forever(database: Database) -> None:
    """Tell what begins and ends from now on."""
    while True:
        try:
            rest_s = await turn(database, await server_time.now_ms(database))
        except SqlError as error:
            log.warning("airing_waits", error=str(error))
            rest_s = LOOK_S
        await asyncio.sleep(rest_s if rest_s < LOOK_S else beat_s(LOOK_S))


async def turn(database: Database, at_ms: int) -> float:
    """Tell what is due; seconds until there may be more."""
    [(since_ms, starts_ms, ends_ms)] = await database.ask(_NEXT, {})
    if since_ms is None:
        async with database.write() as connection:
            await insert_new(connection, epg_told, {"id": 1, "at_ms": at_ms})
        return LOOK_S
    if since_ms > at_ms + LATE_MS:
        log.warning("airing_put_back", ahead_ms=since_ms - at_ms)
        back = update(epg_told).where(told.at_ms == since_ms)
        async with database.write() as connection:
            await connection.execute(back.values(at_ms=at_ms, verb=ENDED, event_id=""))
        return 0.0
    next_ms = min((ms for ms in (starts_ms, ends_ms) if ms is not None), default=None)
    if next_ms is None or next_ms > at_ms:
        return LOOK_S if next_ms is None else min(LOOK_S, (next_ms - at_ms) / 1_000)
    async with database.write() as connection:
        return await _tell(connection, at_ms)


async def _tell(connection: AsyncConnection, at_ms: int) -> float:
    """The next that are due, unless another process tells them now."""
    place = select(epg_told).with_for_update(skip_locked=True)
    since = (await connection.execute(place)).first()
    if since is None:
        return AGAIN_S
    due = union_all(*(_due(verb, since, at_ms) for verb in (ENDED, STARTED))).subquery()
    words = epg_event_text.c
    query = (
        select(due, event.channel_id, event.start_ms, event.end_ms, event.version, words.title)
        .join(epg_event, event.id == due.c.id)
        .outerjoin(epg_event_text, and_(words.event_id == event.id, words.lang == event.lang))
        .order_by(due.c.at_ms, due.c.verb, due.c.id)
        .limit(BATCH)
    )
    rows = (await connection.execute(query)).all()
    for verb, some in groupby(rows, attrgetter("verb")):
        now = [
            telling.programme(
                row.channel_id, row.id, row.start_ms, row.end_ms, row.version, row.title
            )
            for row in some
        ]
        await emit_all(connection, f"epg.event.{VERBS[verb]}", now, at_ms)
    moved = {"at_ms": at_ms + 1, "verb": ENDED, "event_id": ""}
    if len(rows) == BATCH:
        moved = {"at_ms": rows[-1].at_ms, "verb": rows[-1].verb, "event_id": rows[-1].id}
    await connection.execute(update(epg_told).values(**moved))
    return 0.0


def _due(verb: int, since: Any, at_ms: int) -> Select[Any]:
    """What ended or started between a place and a time, the first of it."""
    column = event.start_ms if verb == STARTED else event.end_ms
    place = (column, literal(verb, Integer), event.id)
    some = (
        select(event.id, column.label("at_ms"), literal(verb, Integer).label("verb"))
        .where(column.between(max(since.at_ms, at_ms - LATE_MS), at_ms))
        .where(tuple_(*place) > tuple_(since.at_ms, since.verb, since.event_id))
        .order_by(column, event.id)
        .limit(BATCH)
    )
    return select(some.subquery())


async def follow(connection: AsyncConnection, changes: Sequence[Change], now_ms: int) -> None:
    """Tell what an import moves behind the place before which all is told, in its transaction."""
    near = [change for change in changes if _near(change, now_ms)]
    if not near:
        return
    place = select(told.at_ms).with_for_update(read=True)  # nobody tells of them meanwhile
    at_ms = (await connection.execute(place)).scalar()
    if at_ms is None:
        return
    versions = await telling.versions(connection, [change.event_id for change in near])
    for verb, passed in zip(VERBS, (_has_ended, _has_started), strict=True):
        now = [
            telling.of(change, versions[change.event_id])
            for change in near
            if passed(change, at_ms)
        ]
        await emit_all(connection, f"epg.event.{verb}", now, now_ms)


def _near(change: Change, now_ms: int) -> bool:
    """May a beginning or an end of it have come to lie behind us?"""
    new, was = change.event, change.was
    if change.verb == "removed" or new.start_ms > now_ms + SKEW_MS:
        return False
    if was is None:
        return new.end_ms > now_ms - SKEW_MS
    return (was.start_ms, was.end_ms) != (new.start_ms, new.end_ms)


def _has_started(change: Change, at_ms: int) -> bool:
    new, was = change.event, change.was
    return new.start_ms < at_ms <= new.end_ms and (was is None or was.start_ms >= at_ms)


def _has_ended(change: Change, at_ms: int) -> bool:
    new, was = change.event, change.was
    return new.end_ms < at_ms and was is not None and was.start_ms < at_ms <= was.end_ms


_SINCE = select(told.at_ms).scalar_subquery()
_NEXT = select(
    _SINCE,
    *(
        select(func.min(column)).where(column >= _SINCE).scalar_subquery()
        for column in (event.start_ms, event.end_ms)
    ),
)
