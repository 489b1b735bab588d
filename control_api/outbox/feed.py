"""Events as they happen, for whoever listens now; a listener that was away says where it left."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select, tuple_, union_all

from control_api import events
from control_api.outbox import hearing
from control_api.outbox.tables import outbox
from runtime.sql import Database
from runtime.store import Store

PING_S: Final = 15.0
MISSED_AT_ONCE: Final = 500


class Reload:
    """More was missed than is told again: whoever listens asks for the whole anew."""


async def follow(
    database: Database,
    store: Store,
    after: str | None = None,
    *,
    family: str = "",
    most: int | None = None,
    ping_s: float = PING_S,
) -> AsyncGenerator[events.Event | Reload | None]:
    """Published events whose type begins with `family`, each once, those since the event `after`
    first if it is still kept. None when nothing happened for a while, and at the beginning. Ends
    with StoreError when the store goes: come again, saying where you left. Of more than `most` that
    were missed none is told, but Reload; as it is where `after` is no longer known.
    """
    async with hearing.listen(store, family) as told:
        yield None
        seen: set[str] = set()
        place = await _place(database, after) if after is not None else None
        if after is not None and most is not None and await _more(database, place, family, most):
            place = None
            yield Reload()
        while place is not None:
            rows = await _since(database, place, family)
            for row in rows:
                seen.add(row.id)
                yield events.decode(row.payload.encode())
            place = (rows[-1].published_ms, rows[-1].seq) if rows else None
        coming = asyncio.ensure_future(anext(told))
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=ping_s)
                if not done:
                    seen.clear()
                    yield None
                    continue
                event = events.decode(coming.result())
                coming = asyncio.ensure_future(anext(told))
                if event.id not in seen and event.type.startswith(family):
                    yield event
        finally:
            coming.cancel()


def written(event: events.Event | Reload | None) -> bytes:
    """As a server-sent event (HTML standard, section 9.2.6); a comment for None."""
    if event is None:
        return b": still here\n\n"
    if isinstance(event, Reload):
        return b"event: reload\ndata: {}\n\n"
    head = f"id: {event.id}\nevent: {event.type}\n".encode()
    return head + b"data: " + events.encode(event) + b"\n\n"


async def _place(database: Database, event_id: str) -> tuple[int, int] | None:
    query = select(outbox.c.published_ms, outbox.c.seq).where(
        outbox.c.id == event_id, outbox.c.published_ms.is_not(None)
    )
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return (row.published_ms, row.seq) if row is not None else None


async def _more(database: Database, place: tuple[int, int] | None, family: str, most: int) -> bool:
    """Is there more behind a place, or may there be, since nobody knows it?"""
    if place is None:
        return True
    query = _behind(place, family, most + 1).offset(most)
    async with database.read() as connection:
        return (await connection.execute(query)).first() is not None


async def _since(database: Database, place: tuple[int, int], family: str) -> Sequence[Any]:
    query = _behind(place, family, MISSED_AT_ONCE, outbox.c.id, outbox.c.payload)
    async with database.read() as connection:
        rows: Sequence[Any] = (await connection.execute(query)).all()
    return rows


def _behind(
    place: tuple[int, int], family: str, most: int, *columns: ColumnElement[Any]
) -> Select[Any]:
    """The first that was published behind a place, in that order; each type of a family is read by
    itself, so that nothing else is.
    """
    some = (
        select(outbox.c.published_ms, outbox.c.seq, *columns)
        .where(outbox.c.published_ms.is_not(None))
        .where(tuple_(outbox.c.published_ms, outbox.c.seq) > tuple_(*place))
        .order_by(outbox.c.published_ms, outbox.c.seq)
        .limit(most)
    )
    if not family:
        return some
    topics = [name for name in events.TYPES if name.startswith(family)]
    each = (select(some.where(outbox.c.topic == name).subquery()) for name in topics)
    found = union_all(*each).subquery()
    return select(found).order_by(found.c.published_ms, found.c.seq).limit(most)
