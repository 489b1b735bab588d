"""What is on its way to an endpoint: made with its event, settled by attempts (CTL-150..153).

Rules of the file
1. A delivery is written in the transaction that marks its event as published: once for each
   endpoint that wants it, whatever is repeated.
2. An attempt's outcome and what follows from it (the next attempt, a dead letter, a pause) are one
   transaction.
3. While an endpoint is paused its deliveries queue up; beyond the bounds the ones that wait longest
   are dropped and counted; what is put back waits anew. An endpoint that failed is tried again at
   its `probe_ms`; one that was paused by hand has none.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    and_,
    bindparam,
    case,
    delete,
    insert,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import events, ids
from control_api.outbox import dead, emit
from control_api.outbox.tables import outbox
from control_api.times import epoch_ms, utc
from control_api.webhooks.schedule import next_wait_ms
from control_api.webhooks.sender import Outcome
from control_api.webhooks.tables import webhook_delivery, webhook_endpoint
from runtime.sql import Database

CONSUMER: Final = "webhooks"
LONG_AGO: Final = 10**15  # more milliseconds than any time has; outboxes count from 1
ASKED: Final = "asked"  # why an endpoint is paused that somebody paused
GONE: Final = 410  # RFC 9110 section 15.5.11: asks not to be called again
endpoint = webhook_endpoint.c
delivery = webhook_delivery.c
waits_since_ms = case(
    (delivery.next_ms > delivery.created_ms, delivery.next_ms), else_=delivery.created_ms
)


def topic_of(endpoint_id: str) -> str:
    """The name under which an endpoint's dead letters lie."""
    return f"webhook:{endpoint_id}"


def names(topic: str, event_type: str) -> bool:
    """Is a type among those that a topic stands for?"""
    family = topic.endswith(".*") and event_type.startswith(topic.removesuffix("*"))
    return family or topic in ("*", event_type)


def wants(topics: Sequence[str], filters: dict[str, list[str]], event: events.Event) -> bool:
    """Is an event for an endpoint? A topic is a type, `domain.*` or `*`; each filter names a field
    of the data and the values it may have.
    """
    named = any(names(topic, event.type) for topic in topics)
    return named and all(event.data.get(field) in values for field, values in filters.items())


async def spread(connection: AsyncConnection, rows: Sequence[Any], now_ms: int) -> None:
    """Write the deliveries of outbox rows; what an endpoint has already is not written again."""
    query = select(webhook_endpoint).where(endpoint.state != "disabled")
    listening = (await connection.execute(query)).all()
    if not listening:
        return
    told = {row.id: (row, events.decode(row.payload.encode())) for row in rows}
    known = select(delivery.endpoint_id, delivery.event_id).where(delivery.event_id.in_(told))
    there = {tuple(pair) for pair in await connection.execute(known)}
    fresh = [
        _fresh(one.id, event, row.payload, row.seq, now_ms)
        for row, event in told.values()
        for one in listening
        if (one.id, row.id) not in there and wants(one.topics, one.filters, event)
    ]
    if fresh:
        await connection.execute(insert(webhook_delivery), fresh)


def _fresh(
    endpoint_id: str, event: events.Event, payload: str, seq: int, now_ms: int
) -> dict[str, Any]:
    return {
        "id": ids.new("delivery"),
        "endpoint_id": endpoint_id,
        "event_id": event.id,
        "seq": seq,
        "topic": event.type,
        "key": event.subject,
        "payload": payload,
        "status": "pending",
        "next_ms": 0,  # at once, whoever's clock is looked at
        "created_ms": now_ms,
        "log": [],
    }


async def due_endpoints(database: Database, now_ms: int) -> Sequence[str]:
    """Endpoints with something to send now: active ones, and paused ones that may be tried."""
    return [row.id for row in await database.ask(_DUE, {"now": now_ms})]


async def due(
    connection: AsyncConnection, endpoint_id: str, now_ms: int, limit: int
) -> Sequence[Any]:
    """Deliveries of one endpoint to be tried now, in the order in which things happened."""
    query = (
        select(webhook_delivery)
        .where(delivery.endpoint_id == endpoint_id, delivery.status == "pending")
        .where(delivery.next_ms <= now_ms)
        .order_by(delivery.seq, delivery.id)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def settle(
    connection: AsyncConnection,
    row: Any,
    outcome: Outcome,
    now_ms: int,
    *,
    chance: float,
    probe_ms: int,
) -> bool:
    """Note an attempt and what follows from it; False when the endpoint takes no more now. If it
    fails, `probe_ms` is when it may be tried again.
    """
    query = select(webhook_endpoint).where(endpoint.id == row.endpoint_id).with_for_update()
    target = (await connection.execute(query)).first()
    if target is None:
        return False
    attempt = row.attempt + 1
    active: bool = target.state == "active"
    entry = {
        "at": utc(now_ms).isoformat(),
        "status": outcome.status,
        "duration_ms": outcome.duration_ms,
        "error": outcome.error or None,
    }
    noted = {"attempt": attempt, "log": [*row.log, entry], "last_error": outcome.error or None}
    if outcome.good:
        await _note(connection, row, status="done", **noted)
        return active
    if outcome.status == GONE:
        await _note(connection, row, status="dead", **noted)
        if target.state != "disabled":
            await close(connection, target, ("disabled", "gone"), attempt, None, now_ms)
        return False
    wait_ms = next_wait_ms(target.schedule, attempt, outcome.status, outcome.retry_after, chance)
    if wait_ms is not None:
        await _note(connection, row, next_ms=now_ms + wait_ms, **noted)
        return active
    await _note(connection, row, status="dead", **noted)
    await dead.bury(
        connection,
        topic_of(target.id),
        CONSUMER,
        row.payload,
        outcome.error,
        attempt,
        now_ms,
    )
    failed = {
        "endpoint_id": target.id,
        "delivery_id": row.id,
        "message_id": row.event_id,
        "error": outcome.error,
        "attempts": attempt,
        "event_type": row.topic,
    }
    await emit(connection, "webhook.delivery_failed", failed, now_ms)
    if active:
        await close(connection, target, ("paused", "failing"), attempt, probe_ms, now_ms)
    return False


async def _note(connection: AsyncConnection, row: Any, **values: Any) -> None:
    change = update(webhook_delivery).where(delivery.id == row.id).values(**values)
    await connection.execute(change)


async def close(
    connection: AsyncConnection,
    target: Any,
    why: tuple[str, str],
    attempts: int | None,
    probe_ms: int | None,
    now_ms: int,
) -> None:
    """Pause or disable an endpoint, and tell; `why` is the new state and the reason."""
    state, reason = why
    await connection.execute(
        update(webhook_endpoint)
        .where(endpoint.id == target.id)
        .values(state=state, reason=reason, probe_ms=probe_ms, version=endpoint.version + 1)
    )
    told = {"endpoint_id": target.id, "reason": reason, "attempts": attempts}
    await emit(connection, f"webhook.endpoint_{state}", told, now_ms)


async def again(
    connection: AsyncConnection,
    endpoint_id: str,
    now_ms: int,
    *,
    event_ids: Sequence[str] | None = None,
    since_ms: int = 0,
) -> int:
    """Send once more what is dead or was dropped, with attempts counted anew; how many."""
    lost = [
        delivery.endpoint_id == endpoint_id,
        delivery.status.in_(("dead", "dropped")),
        delivery.created_ms >= since_ms,
    ]
    if event_ids is not None:
        lost.append(delivery.event_id.in_(event_ids))
    change = update(webhook_delivery).where(*lost)
    done = await connection.execute(change.values(status="pending", attempt=0, next_ms=now_ms))
    return done.rowcount


async def revive(connection: AsyncConnection, endpoint_id: str, payload: str, now_ms: int) -> None:
    """Send a dead letter's event once more, in the place that it had: by its time, before all that
    waits, where its delivery and the outbox's row were forgotten meanwhile. Raises EventError if
    the endpoint is gone.
    """
    event = events.decode(payload.encode())
    if await again(connection, endpoint_id, now_ms, event_ids=[event.id]):
        return
    known = select(delivery.id).where(
        delivery.endpoint_id == endpoint_id, delivery.event_id == event.id
    )
    if (await connection.execute(known)).first() is not None:
        return
    mine = select(endpoint.id).where(endpoint.id == endpoint_id).with_for_update()
    if (await connection.execute(mine)).first() is None:
        raise events.EventError("gone", "its endpoint was removed")
    place = select(outbox.c.seq).where(outbox.c.id == event.id)
    seq = (await connection.execute(place)).scalar()
    if seq is None:
        seq = epoch_ms(event.time) - LONG_AGO
    row = _fresh(endpoint_id, event, payload, seq, now_ms)
    await connection.execute(insert(webhook_delivery).values(row))


async def trim(connection: AsyncConnection, endpoint_id: str, oldest_ms: int, most: int) -> int:
    """Keep the queue of a paused endpoint within bounds; how many were dropped and counted. What
    was put back there waits anew.
    """
    mine = and_(delivery.endpoint_id == endpoint_id, delivery.status == "pending")
    newest = (waits_since_ms.desc(), delivery.seq.desc(), delivery.id.desc())
    surplus = select(delivery.id).where(mine).order_by(*newest).offset(most)
    lost = (waits_since_ms < oldest_ms) | delivery.id.in_(surplus)
    change = update(webhook_delivery).where(mine, lost).values(status="dropped")
    count = (await connection.execute(change)).rowcount
    if count:
        await connection.execute(
            update(webhook_endpoint)
            .where(endpoint.id == endpoint_id)
            .values(dropped=endpoint.dropped + count)
        )
    return count


async def forget(connection: AsyncConnection, before_ms: int) -> None:
    """Deliveries that were settled longer ago than anybody looks."""
    settled = and_(delivery.status != "pending", delivery.created_ms < before_ms)
    await connection.execute(delete(webhook_delivery).where(settled))


_NOW = bindparam("now", type_=BigInteger)
_ACTIVE = (
    select(endpoint.id)
    .distinct()
    .join(webhook_delivery, delivery.endpoint_id == endpoint.id)
    .where(endpoint.state == "active", delivery.status == "pending", delivery.next_ms <= _NOW)
)
_PAUSED = select(endpoint.id).where(endpoint.state == "paused", endpoint.probe_ms <= _NOW)
_DUE = select(union_all(_ACTIVE, _PAUSED).subquery())
