"""From the outbox to the streams, whatever is killed on the way (CTL-170).

Rules of the file
1. A batch is read in the order of `seq`, appended event by event to `evt:{domain}`, and only then
   marked as published, in one transaction with what else has to be written once per event.
2. Dying between any two steps repeats events, it never loses or reorders them: whoever takes over
   begins at the lowest row that is not marked. Consumers know repeats by the event's id.
3. One relay works at a time, by a lease in the store to which it publishes. A lease that two hold
   for a moment costs repeats, nothing else.
4. A store inside the process forgets its streams with it: what was published in the last seconds
   before the end is published again at the start.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.outbox.tables import outbox
from runtime import logs, metrics
from runtime.clock import SYSTEM, Clock
from runtime.sql import Database, SqlError
from runtime.store import Store, StoreError

BATCH: Final = 200
POLL_S: Final = 0.1
LEASE: Final = "evt:relay"
LEASE_MS: Final = 3_000
STREAM_LEN: Final = 100_000
LIVE: Final = "evt:live"  # the channel on which listeners of this moment are told
REPEAT_MS: Final = 60_000
SWEEP_MS: Final = 60_000

log = logs.get("control")
WAITING = metrics.gauge("outbox_waiting", "events that no stream has yet")
LAG = metrics.gauge("outbox_lag_seconds", "age of the oldest event that no stream has yet")
PUBLISHED = metrics.counter("outbox_published", "events put into their stream", ("domain",))

# Writes what has to exist once per event, in the transaction that marks the events.
Spread = Callable[[AsyncConnection, Sequence[Any], int], Awaitable[None]]


def stream_of(event_type: str) -> str:
    """The stream of an event type: one for each domain."""
    return f"evt:{event_type.partition('.')[0]}"


class Relay:
    """One process's attempt to be the relay. `forgetful`: the store ends with this process."""

    def __init__(
        self,
        database: Database,
        store: Store,
        *,
        owner: str,
        spread: Sequence[Spread] = (),
        clock: Clock = SYSTEM,
        kept_ms: int = 86_400_000,
        forgetful: bool = False,
    ) -> None:
        self._database = database
        self._store = store
        self._owner = owner.encode()
        self._spread = spread
        self._clock = clock
        self._kept_ms = kept_ms
        self._forgetful = forgetful
        self._last_ms = 0
        self._swept_ms = 0

    async def run(self) -> None:
        """For ever: what is away is waited for."""
        while True:
            try:
                busy = await self.turn()
            except (SqlError, StoreError) as error:
                log.warning("relay_waits", error=str(error))
                busy = False
            if not busy:
                await asyncio.sleep(POLL_S)

    async def turn(self) -> bool:
        """One batch, if the lease is ours; True if there may be more."""
        if not await self._leads():
            return False
        if self._forgetful:
            await self._repeat()
            self._forgetful = False
        steps = 0
        async for _ in self.steps():
            steps += 1
        await self._sweep()
        return steps > BATCH

    async def steps(self) -> AsyncIterator[str]:
        """The steps of one batch; whoever stops asking has died between two of them."""
        rows = await self._database.ask(_WAITING, {})
        self._gauge(rows)
        if not rows:
            return
        yield "read"
        for row in rows:
            await self._store.append(stream_of(row.topic), row.payload.encode(), max_len=STREAM_LEN)
            PUBLISHED.labels(row.topic.partition(".")[0]).inc()
            yield "appended"
        self._last_ms = max(self._clock.now_ms(), self._last_ms + 1)
        async with self._database.write() as connection:
            for spread in self._spread:
                await spread(connection, rows, self._last_ms)
            await connection.execute(
                update(outbox)
                .where(outbox.c.seq.in_([row.seq for row in rows]))
                .values(published_ms=self._last_ms)
            )
        yield "marked"
        for row in rows:
            await self._store.publish(LIVE, row.payload.encode())

    async def _leads(self) -> bool:
        if await self._store.renew(LEASE, self._owner, LEASE_MS):
            return True
        return await self._store.put_if_absent(LEASE, self._owner, LEASE_MS)

    async def _repeat(self) -> None:
        async with self._database.write() as connection:
            newest = (await connection.execute(select(func.max(outbox.c.published_ms)))).scalar()
            if newest is not None:
                again = outbox.c.published_ms > newest - REPEAT_MS
                await connection.execute(update(outbox).where(again).values(published_ms=None))

    async def _sweep(self) -> None:
        """Forget what was published longer ago than anybody may ask for."""
        now_ms = self._clock.now_ms()
        if now_ms - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = now_ms
        async with self._database.write() as connection:
            await connection.execute(
                delete(outbox).where(outbox.c.published_ms < now_ms - self._kept_ms)
            )

    def _gauge(self, rows: Sequence[Any]) -> None:
        WAITING.set(len(rows))
        LAG.set((self._clock.now_ms() - rows[0].created_ms) / 1_000 if rows else 0)


_WAITING = (
    select(outbox.c.seq, outbox.c.id, outbox.c.topic, outbox.c.key, outbox.c.payload)
    .add_columns(outbox.c.created_ms)
    .where(outbox.c.published_ms.is_(None))
    .order_by(outbox.c.seq)
    .limit(BATCH)
)
