"""Operations on dead letters and the outbox, and the stream of events."""

from collections.abc import AsyncGenerator
from typing import Any

from msgspec import Raw
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import events, sealed
from control_api.calls import Call, Stream
from control_api.events import EventError
from control_api.ids import VALID
from control_api.outbox import dead, feed, line, types
from control_api.problems import Problem
from control_api.times import utc
from control_api.webhooks import deliveries

LISTING = "dead"


async def list_letters(call: Call[None]) -> types.DeadLetterList:
    """Dead letters, the oldest first."""
    secret, page = call.services.secret, call.query
    after = sealed.position(secret, LISTING, page.cursor)
    place = (int(after[0]), str(after[1])) if after is not None else None
    async with call.services.database.read() as connection:
        rows = await dead.letters(connection, place, page.limit + 1)
    letters, cursor = sealed.page(rows, page.limit, secret, LISTING, "at_ms", "id")
    return types.DeadLetterList([_letter(row) for row in letters], cursor)


async def get_letter(call: Call[None]) -> types.DeadLetter:
    """One dead letter."""
    async with call.services.database.read() as connection:
        row = await dead.one(connection, call.path["id"], lock=False)
    if row is None:
        raise Problem("not_found")
    return _letter(row)


async def replay_letter(call: Call[None]) -> None:
    """Put a letter's event back on its way: only who failed on it will handle it again."""
    async with call.services.database.write() as connection:
        row = await dead.one(connection, call.path["id"])
        if row is None:
            raise Problem("not_found")
        try:
            await revive(connection, row, call.now_ms)
        except EventError as error:
            raise Problem("bad_state", f"{error}; it can be dropped") from None


async def drop_letter(call: Call[None]) -> None:
    """Forget a letter."""
    async with call.services.database.write() as connection:
        if not await dead.drop(connection, call.path["id"]):
            raise Problem("not_found")


async def backlog(call: Call[None]) -> types.Backlog:
    """How much waits for the relay, and how much is dead."""
    async with call.services.database.read() as connection:
        count, since_ms = (await connection.execute(line.WAITING)).one()
        letters = (await connection.execute(line.DEAD)).scalar_one()
    return types.Backlog(count, utc(since_ms) if since_ms is not None else None, letters)


async def stream(call: Call[None]) -> Stream:
    """Events as they happen (server-sent events); Last-Event-ID brings what was missed."""
    after = call.headers.get("Last-Event-ID", "")
    wanted = call.query.types.split(",") if call.query.types else ["*"]
    services = call.services
    told = feed.follow(services.database, services.store, after if VALID.fullmatch(after) else None)

    async def pieces() -> AsyncGenerator[bytes]:
        try:
            async for event in told:
                if not isinstance(event, events.Event) or deliveries.wants(wanted, {}, event):
                    yield feed.written(event)
        finally:
            await told.aclose()

    return Stream(pieces())


async def revive(connection: AsyncConnection, row: Any, now_ms: int) -> None:
    """A webhook's letter goes to its endpoint again, any other to its stream. The letter of which
    that cannot be stays, with EventError.
    """
    if row.consumer == deliveries.CONSUMER:
        endpoint_id = row.topic.partition(":")[2]
        await deliveries.revive(connection, endpoint_id, row.payload, now_ms)
        await dead.drop(connection, row.id)
    else:
        await dead.again(connection, row, now_ms)


def _letter(row: Any) -> types.DeadLetter:
    return types.DeadLetter(
        id=row.id,
        topic=row.topic,
        consumer=row.consumer,
        event_id=row.event_id,
        error=row.error,
        attempts=row.attempts,
        at=utc(row.at_ms),
        event=Raw(row.payload.encode()) if row.event_id else None,
    )
