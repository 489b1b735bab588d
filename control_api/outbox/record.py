"""Telling of a change: one row in the transaction that makes it (CTL-170).

    async with database.write() as connection:
        ...                                              # the change
        await emit(connection, "catalog.content.created", {...}, now_ms)

Whoever rolls back told nothing; whoever commits will be heard, whatever dies afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import events, ids
from control_api.outbox.tables import outbox
from runtime import bulk, trace
from runtime.asking import Ask, within

_TOLD = insert(outbox)


async def emit(
    connection: AsyncConnection,
    event_type: str,
    data: Mapping[str, Any],
    now_ms: int,
    *,
    event_id: str | None = None,
) -> str:
    """Put an event of `control_api.events.table` into the open transaction; answers its id.

    Raises EventError for data that the table does not describe.
    """
    return await tell(within(connection), event_type, data, now_ms, event_id=event_id)


async def tell(
    ask: Ask,
    event_type: str,
    data: Mapping[str, Any],
    now_ms: int,
    *,
    event_id: str | None = None,
) -> str:
    """The same in a transaction of any kind."""
    told = row(event_type, data, now_ms, event_id=event_id)
    await ask(_TOLD, told)
    return str(told["id"])


async def emit_all(
    connection: AsyncConnection, event_type: str, many: Sequence[Mapping[str, Any]], now_ms: int
) -> None:
    """Events of one type about many subjects."""
    rows = [row(event_type, data, now_ms) for data in many]
    await bulk.put(connection, outbox, rows)


def row(
    event_type: str, data: Mapping[str, Any], now_ms: int, *, event_id: str | None = None
) -> dict[str, Any]:
    """An event for who writes it among rows of his own."""
    event = events.make(
        event_type,
        data,
        now_ms,
        event_id=event_id or ids.new("message"),
        traceparent=trace.current(),
    )
    return {
        "id": event.id,
        "topic": event.type,
        "key": event.subject,
        "payload": events.encode(event).decode(),
        "created_ms": now_ms,
    }
