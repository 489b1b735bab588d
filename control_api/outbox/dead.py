"""Dead letters: events that a consumer could not handle, kept until somebody decides (CTL-172).

A replay is safe: the event goes to its stream under its old id, so that only consumers that have
not handled it yet do so.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import events, ids
from control_api.outbox.record import emit
from control_api.outbox.tables import dlq_message, outbox
from runtime import logs, metrics
from runtime.sql import Database

MAX_ERROR_CHARS: Final = 500
BATCH: Final = 1_000
TOLD: Final = "dlq.message_added"

log = logs.get("control")
BURIED = metrics.counter("dead_letters", "events that nobody could handle", ("consumer",))
dead = dlq_message.c


async def bury(
    connection: AsyncConnection,
    topic: str,
    consumer: str,
    payload: str,
    error: str,
    attempts: int,
    now_ms: int,
) -> str:
    """Keep a letter and tell operators; answers its id. A letter about dead letters tells nobody,
    else one bad listener would go on for ever.
    """
    event_id, event_type = _about(payload)
    dead_id = ids.new("dead")
    error = error[:MAX_ERROR_CHARS]
    await connection.execute(
        insert(dlq_message).values(
            id=dead_id,
            topic=topic,
            consumer=consumer,
            event_id=event_id,
            payload=payload,
            error=error,
            attempts=attempts,
            at_ms=now_ms,
        )
    )
    if event_type != TOLD:
        told = {
            "topic": topic,
            "dead_id": dead_id,
            "message_id": event_id or None,
            "consumer": consumer,
            "attempts": attempts,
            "event_type": event_type or None,
            "error": error,
        }
        await emit(connection, TOLD, told, now_ms)
    on_death = events.TYPES[event_type].on_death if event_type in events.TYPES else "alert"
    log.error("dead_letter", id=dead_id, consumer=consumer, type=event_type, call=on_death)
    BURIED.labels(consumer).inc()
    return dead_id


async def letters(
    connection: AsyncConnection, after: tuple[int, str] | None, limit: int
) -> Sequence[Any]:
    """Rows, the oldest first, beginning behind (at_ms, id)."""
    query = select(dlq_message).order_by(dead.at_ms, dead.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(dead.at_ms, dead.id) > tuple_(*after))
    return (await connection.execute(query)).all()


async def pages(database: Database) -> AsyncIterator[Sequence[Any]]:
    """All rows, the oldest first; no transaction is open while a page is looked at."""
    after: tuple[int, str] | None = None
    while True:
        async with database.read() as connection:
            rows = await letters(connection, after, BATCH)
        if not rows:
            return
        yield rows
        after = rows[-1].at_ms, rows[-1].id


async def one(connection: AsyncConnection, dead_id: str, *, lock: bool = True) -> Any:
    """The letter's row; None if there is none."""
    query = select(dlq_message).where(dead.id == dead_id)
    return (await connection.execute(query.with_for_update() if lock else query)).first()


async def again(connection: AsyncConnection, row: Any, now_ms: int) -> None:
    """Put a letter's event back on its way, and the letter away."""
    if not row.event_id:
        raise events.EventError("malformed", "this letter holds no event")
    event = events.decode(row.payload.encode())
    waiting = update(outbox).where(outbox.c.id == event.id).values(published_ms=None)
    if (await connection.execute(waiting)).rowcount == 0:
        await connection.execute(
            insert(outbox).values(
                id=event.id,
                topic=event.type,
                key=event.subject,
                payload=row.payload,
                created_ms=now_ms,
            )
        )
    await drop(connection, row.id)


async def drop(connection: AsyncConnection, dead_id: str) -> bool:
    """Forget a letter; True if there was one."""
    gone = await connection.execute(delete(dlq_message).where(dead.id == dead_id))
    return gone.rowcount > 0


def _about(payload: str) -> tuple[str, str]:
    """Id and type of the event in a letter; empty ones if it holds none."""
    try:
        event = events.decode(payload.encode())
    except events.EventError:
        return "", ""
    return event.id, event.type
