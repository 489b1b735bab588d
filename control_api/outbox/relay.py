"""From the outbox to the streams, whatever is killed on the way (CTL-170).

Rules of the file
1. A batch is read in the order of `seq`, appended stream by stream to `evt:{domain}`, and only then
   marked as published, in one transaction with what else has to be written once per event.
2. Dying between any two steps repeats events, it never loses or reorders them: whoever takes over
   begins at the lowest row that is not marked. Consumers know repeats by the event's id.
3. One relay works at a time, by a lease in the store to which it publishes. A lease that two hold
   for a moment costs repeats, nothing else.
4. A store may forget: one inside a process or without a file with its end, a replica what it had
   not heard yet when it took over. So a stream's newest entry is looked at now and then, and where
   it is not what the database says was put there last, the minute before that is put there again.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import TextClause, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import events, server_time
from control_api.loops import beat_s
from control_api.outbox import line
from control_api.outbox.tables import outbox
from runtime import logs, metrics
from runtime.clock import SYSTEM, Clock
from runtime.sql import Database, Dialect, SqlError
from runtime.store import Store, StoreError

BATCH: Final = 200
POLL_S: Final = 0.1
REST_S: Final = 0.5  # between looks once nothing came for LIVELY_S
LIVELY_S: Final = 5.0
LEASE: Final = "evt:relay"
LEASE_MS: Final = 3_000
STREAM_LEN: Final = 100_000
LIVE: Final = "evt:live"  # the channel on which listeners of this moment are told
REPEAT_MS: Final = 60_000
CHECK_S: Final = 1.0
SWEEP_MS: Final = 60_000

log = logs.get("control")
WAITING = metrics.gauge("outbox_waiting", "events that no stream has yet")
LAG = metrics.gauge("outbox_lag_seconds", "age of the oldest event that no stream has yet")
PUBLISHED = metrics.counter("outbox_published", "events put into their stream", ("domain",))
FORGOTTEN = metrics.counter("outbox_forgotten", "streams whose end the store lost", ("domain",))

# Writes what has to exist once per event, in the transaction that marks the events.
Spread = Callable[[AsyncConnection, Sequence[Any], int], Awaitable[None]]


def stream_of(event_type: str) -> str:
    """The stream of an event type: one for each domain."""
    return f"evt:{event_type.partition('.')[0]}"


@dataclass(frozen=True, slots=True)
class Newest:
    """The event that a stream must end with, or either of two while one is on its way there."""

    ids: tuple[str, ...]
    published_ms: int


class Relay:
    """One process's attempt to be the relay."""

    def __init__(
        self,
        database: Database,
        store: Store,
        *,
        owner: str,
        spread: Sequence[Spread] = (),
        clock: Clock = SYSTEM,
        kept_ms: int = 86_400_000,
    ) -> None:
        self._database = database
        self._store = store
        self._owner = owner.encode()
        self._spread = spread
        self._clock = clock
        self._kept_ms = kept_ms
        self._newest: dict[str, Newest] = {}
        self._learnt = False
        self._full = False
        self._last_ms = 0
        self._swept_ms = 0
        self._checked_s = float("-inf")
        self._counted_s = float("-inf")
        self._came_s = clock.monotonic_s()

    async def run(self) -> None:
        """For ever: what is away is waited for."""
        while True:
            try:
                busy = await self.turn()
            except (SqlError, StoreError) as error:
                log.warning("relay_waits", error=str(error))
                busy = False
                with suppress(SqlError):
                    await self._count()
            if not busy:
                quiet_s = self._clock.monotonic_s() - self._came_s
                await asyncio.sleep(beat_s(POLL_S if quiet_s < LIVELY_S else REST_S))

    async def turn(self) -> bool:
        """One batch, if the lease is ours; True if there may be more."""
        if not await self._leads():
            self._gauge(0, None)  # another tells
            return False
        await self._check()
        async for _ in self.steps():
            pass
        await self._sweep()
        return self._full

    async def steps(self) -> AsyncIterator[str]:
        """The steps of one batch; whoever stops asking has died between two of them."""
        rows = await self._database.ask(_WAITING, {})
        self._full = len(rows) == BATCH
        if self._full:
            await self._count()
        else:
            self._gauge(len(rows), rows[0].created_ms if rows else None)
        if not rows:
            return
        self._came_s = self._clock.monotonic_s()
        yield "read"
        told: dict[str, list[Any]] = {}
        for row in rows:
            told.setdefault(stream_of(row.topic), []).append(row)
        self._last_ms = max(self._clock.now_ms(), self._last_ms + 1)
        for stream, mine in told.items():
            last, before = mine[-1].id, self._newest.get(stream)
            if before is not None:
                self._newest[stream] = Newest((*before.ids, last), before.published_ms)
            bodies = [row.payload.encode() for row in mine]
            await self._store.append_all(stream, bodies, max_len=STREAM_LEN)
            self._newest[stream] = Newest((last,), self._last_ms)
            PUBLISHED.labels(stream.removeprefix("evt:")).inc(len(bodies))
            yield "appended"
        async with self._database.write() as connection:
            for spread in self._spread:
                await spread(connection, rows, self._last_ms)
            told_of = {"seqs": json.dumps([row.seq for row in rows]), "at": self._last_ms}
            await connection.execute(_MARK[self._database.dialect], told_of)
        yield "marked"
        await self._store.publish(LIVE, *(row.payload.encode() for row in rows))

    async def _leads(self) -> bool:
        if not await self._store.renew(LEASE, self._owner, LEASE_MS):
            self._learnt = False
            if not await self._store.put_if_absent(LEASE, self._owner, LEASE_MS):
                return False
        if not self._learnt:
            await self._learn()
        return True

    async def _learn(self) -> None:
        """What others published last, and until when: our times go on from there."""
        self._newest.clear()
        self._checked_s = float("-inf")
        for row in await self._database.ask(_PUBLISHED, {}):
            self._newest[stream_of(row.topic)] = Newest((row.id,), row.published_ms)
            self._last_ms = max(self._last_ms, row.published_ms)
        self._learnt = True

    async def _check(self) -> None:
        """Publish again what a stream has forgotten."""
        now_s = self._clock.monotonic_s()
        if now_s - self._checked_s < CHECK_S:
            return
        for stream, newest in self._newest.items():
            body = await self._store.newest(stream)
            if body is not None and _id_of(body) in newest.ids:
                continue
            domain = stream.removeprefix("evt:")
            log.warning("stream_forgotten", stream=stream)
            async with self._database.write() as connection:
                await connection.execute(
                    update(outbox)
                    .where(outbox.c.published_ms > newest.published_ms - REPEAT_MS)
                    .where(outbox.c.topic.startswith(f"{domain}.", autoescape=True))
                    .values(published_ms=None)
                )
            FORGOTTEN.labels(domain).inc()
        self._checked_s = now_s

    async def _sweep(self) -> None:
        """Forget what was published longer ago than anybody may ask for, by our clock and by the
        database's: ours alone may be days ahead.
        """
        now_ms = self._clock.now_ms()
        if now_ms - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = now_ms
        until_ms = min(now_ms, await server_time.now_ms(self._database)) - self._kept_ms
        async with self._database.write() as connection:
            await connection.execute(delete(outbox).where(outbox.c.published_ms < until_ms))

    async def _count(self) -> None:
        """Tell what waits beyond a batch, or for the store; looks once a second."""
        now_s = self._clock.monotonic_s()
        if now_s - self._counted_s < CHECK_S:
            return
        (told,) = await self._database.ask(line.WAITING, {})
        self._gauge(told.waiting, told.since_ms)
        self._counted_s = now_s

    def _gauge(self, waiting: int, since_ms: int | None) -> None:
        WAITING.set(waiting)
        LAG.set(0 if since_ms is None else (self._clock.now_ms() - since_ms) / 1_000)


def _id_of(body: bytes) -> str:
    try:
        return events.decode(body).id
    except events.EventError:
        return ""


_WAITING = (
    select(outbox.c.seq, outbox.c.id, outbox.c.topic, outbox.c.key, outbox.c.payload)
    .add_columns(outbox.c.created_ms)
    .where(outbox.c.published_ms.is_(None))
    .order_by(outbox.c.seq)
    .limit(BATCH)
)
_MARK: Mapping[Dialect, TextClause] = {  # rows of a JSON array that nobody marked
    "postgresql": text(
        "UPDATE outbox SET published_ms = :at WHERE seq = ANY(ARRAY("
        "SELECT CAST(json_array_elements_text(CAST(CAST(:seqs AS text) AS json)) AS bigint)))"
        " AND published_ms IS NULL"
    ),
    "sqlite": text(
        "UPDATE outbox SET published_ms = :at WHERE seq IN (SELECT value FROM json_each(:seqs))"
        " AND published_ms IS NULL"
    ),
}
_LAST_MS = select(func.max(outbox.c.published_ms)).scalar_subquery()
_ENDS = (
    select(func.max(outbox.c.seq))
    .where(outbox.c.published_ms > _LAST_MS - REPEAT_MS)
    .group_by(outbox.c.topic, outbox.c.published_ms)
)
_PUBLISHED = (
    select(outbox.c.id, outbox.c.topic, outbox.c.published_ms)
    .where(outbox.c.seq.in_(_ENDS))
    .order_by(outbox.c.published_ms, outbox.c.seq)
)
