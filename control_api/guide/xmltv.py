"""The guide as a file: `GET /v1/epg/xmltv` (control-api section 3).

Each piece is read in a transaction of its own and let go before it is sent, so that a client that
reads slowly holds nothing. A database that goes away in the midst leaves a file without its end,
which an importer refuses whole (CTL-61).
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from sqlalchemy import select

from control_api import audience, types
from control_api.calls import Call, Stream
from control_api.epg import export, grid, store
from control_api.epg.programme import Event
from control_api.problems import Problem
from control_api.schema import channel, epg_event
from control_api.times import epoch_ms
from runtime.sql import Database

MAX_CHANNELS = 100  # section 3
PIECE = 250  # programmes


async def epg_xmltv(call: Call[None]) -> Stream:
    """The guide as XMLTV: programmes that touch the time asked for, on at most 100 channels."""
    query: types.GridQuery = call.query
    begin, end = grid.window(query, call.now_ms)
    if query.channels is not None and query.channels.count(",") >= MAX_CHANNELS:
        raise Problem("invalid", f"at most {MAX_CHANNELS} channels")
    database, age = call.services.database, await audience.max_age(call)
    rows = await _channels(database, query.channels, age)
    named = {"Content-Disposition": 'attachment; filename="guide.xml"'}
    return Stream(_pieces(database, rows, age, epoch_ms(begin), epoch_ms(end), query.lang), named)


async def _channels(database: Database, listed: str | None, age: int | None) -> Sequence[Any]:
    """Published channels for an age, by number: those listed, else the first ones."""
    public = (channel.c.status == "published", audience.fits_channel(age))
    query = select(channel).where(*public)
    if listed is not None:
        query = query.where(channel.c.id.in_(listed.split(",")))
    query = query.order_by(channel.c.number, channel.c.id).limit(MAX_CHANNELS)
    async with database.read() as connection:
        return (await connection.execute(query)).all()


async def _pieces(
    database: Database,
    rows: Sequence[Any],
    age: int | None,
    begin_ms: int,
    end_ms: int,
    lang: str | None,
) -> AsyncGenerator[bytes]:
    yield export.HEAD + b"".join(export.channel(row) for row in rows)
    for row in rows:
        after_ms = begin_ms - store.NEAR_MS - 1
        while events := await _next(database, row.id, age, after_ms, begin_ms, end_ms):
            yield b"".join(export.programme(row.id, each, lang) for each in events)
            after_ms = events[-1].start_ms
    yield export.TAIL


async def _next(
    database: Database,
    channel_id: str,
    age: int | None,
    after_ms: int,
    begin_ms: int,
    end_ms: int,
) -> Sequence[Event]:
    """The next programmes for an age of a channel that touch [begin_ms, end_ms), in order."""
    its = select(epg_event).where(
        epg_event.c.channel_id == channel_id,
        epg_event.c.start_ms > after_ms,
        epg_event.c.start_ms < end_ms,
        epg_event.c.end_ms > begin_ms,
        audience.fits_programme(age),
    )
    async with database.read() as connection:
        query = its.order_by(epg_event.c.start_ms).limit(PIECE)
        found = (await connection.execute(query)).all()
        spoken = await store.words(connection, [each.id for each in found])
    return [store.event(each, spoken.get(each.id, {})) for each in found]
