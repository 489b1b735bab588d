"""Events as they happen, for whoever listens now; a listener that was away says where it left."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from sqlalchemy import select, tuple_

from control_api import events
from control_api.outbox.relay import LIVE
from control_api.outbox.tables import outbox
from runtime.sql import Database
from runtime.store import Store

PING_S: Final = 15.0
MISSED_AT_ONCE: Final = 500


async def follow(
    database: Database, store: Store, after: str | None = None, *, ping_s: float = PING_S
) -> AsyncGenerator[events.Event | None]:
    """Published events, each once, those since the event `after` first if it is still kept. None
    when nothing happened for a while, and at the beginning. Ends with StoreError when the store
    goes: come again, saying where you left.
    """
    async with store.subscribe(LIVE) as told:
        yield None
        seen: set[str] = set()
        place = await _place(database, after) if after is not None else None
        while place is not None:
            rows = await _since(database, place)
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
                if event.id not in seen:
                    yield event
        finally:
            coming.cancel()


def written(event: events.Event | None) -> bytes:
    """As a server-sent event (HTML standard, section 9.2.6); a comment for None."""
    if event is None:
        return b": still here\n\n"
    head = f"id: {event.id}\nevent: {event.type}\n".encode()
    return head + b"data: " + events.encode(event) + b"\n\n"


async def _place(database: Database, event_id: str) -> tuple[int, int] | None:
    query = select(outbox.c.published_ms, outbox.c.seq).where(
        outbox.c.id == event_id, outbox.c.published_ms.is_not(None)
    )
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return (row.published_ms, row.seq) if row is not None else None


async def _since(database: Database, place: tuple[int, int]) -> Sequence[Any]:
    query = (
        select(outbox.c.id, outbox.c.payload, outbox.c.published_ms, outbox.c.seq)
        .where(outbox.c.published_ms.is_not(None))
        .where(tuple_(outbox.c.published_ms, outbox.c.seq) > tuple_(*place))
        .order_by(outbox.c.published_ms, outbox.c.seq)
        .limit(MISSED_AT_ONCE)
    )
    async with database.read() as connection:
        return (await connection.execute(query)).all()
