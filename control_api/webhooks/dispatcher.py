"""Sends what is due: each endpoint on its own, in order per subject (CTL-152, CTL-153).

Rules of the file
1. One process at a time serves an endpoint, by a lease in the store; a lease lost half-way costs a
   repetition under the same id, nothing else.
2. A slow endpoint has a task and four connections of its own, so it delays no other.
3. Deliveries of one subject go one after the other; a failed one is retried when its time comes and
   lets those behind it pass.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.loops import beat_s
from control_api.webhooks import deliveries
from control_api.webhooks.sender import Outcome, Sender, body_of
from control_api.webhooks.settings import Webhooks
from control_api.webhooks.tables import webhook_endpoint
from runtime import logs, metrics
from runtime.abreast import abreast
from runtime.clock import SYSTEM, Clock
from runtime.sql import Database, SqlError
from runtime.store import Store, StoreError

AT_ONCE: Final = 4
BATCH: Final = 100
POLL_S: Final = 0.5
LEASE_MS: Final = 60_000
SWEEP_MS: Final = 60_000

log = logs.get("control")
SENT = metrics.counter("webhook_attempts", "messages to endpoints", ("outcome",))
DROPPED = metrics.counter("webhook_dropped", "deliveries that paused endpoints were too late for")
endpoint = webhook_endpoint.c


class Dispatcher:
    """The sending side of one process; nothing new is sent while `sends` says no."""

    def __init__(
        self,
        database: Database,
        store: Store,
        sender: Sender,
        settings: Webhooks,
        *,
        owner: str,
        clock: Clock = SYSTEM,
        chance: Callable[[], float] = random.random,
        sends: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._store = store
        self._sender = sender
        self._settings = settings
        self._owner = owner.encode()
        self._clock = clock
        self._chance = chance
        self._sends = sends
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._swept_ms = 0

    async def run(self) -> None:
        """For ever: what is away is waited for."""
        try:
            while True:
                try:
                    if self._sends():
                        await self.turn()
                except (SqlError, StoreError) as error:
                    log.warning("webhooks_wait", error=str(error))
                await asyncio.sleep(beat_s(POLL_S))
        finally:
            serving = list(self._serving.values())
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)  # they give back their leases

    async def turn(self) -> "list[asyncio.Task[None]]":
        """Look once what is due; the tasks that serve now."""
        now_ms = self._clock.now_ms()
        await self._sweep(now_ms)
        waiting = await deliveries.due_endpoints(self._database, now_ms)
        for endpoint_id in waiting:
            if endpoint_id not in self._serving:
                task = asyncio.create_task(self._serve(endpoint_id))
                self._serving[endpoint_id] = task
                task.add_done_callback(partial(self._served, endpoint_id))
        return list(self._serving.values())

    def _served(self, endpoint_id: str, _: "asyncio.Task[None]") -> None:
        del self._serving[endpoint_id]

    async def _serve(self, endpoint_id: str) -> None:
        lease = f"evt:hook:{endpoint_id}"
        try:
            if not await self._store.put_if_absent(lease, self._owner, LEASE_MS):
                return
            try:
                await self._drain(endpoint_id, lease)
            finally:
                await self._store.release(lease, self._owner)
        except (SqlError, StoreError) as error:
            log.warning("webhook_waits", endpoint=endpoint_id, error=str(error))

    async def _drain(self, endpoint_id: str, lease: str) -> None:
        now_ms = self._clock.now_ms()
        async with self._database.read() as connection:
            query = select(webhook_endpoint).where(endpoint.id == endpoint_id)
            target = (await connection.execute(query)).first()
            rows = await deliveries.due(connection, endpoint_id, now_ms, BATCH)
        if target is None or (target.state != "active" and target.probe_ms is None):
            return
        if target.state == "paused":
            if not await self._revived(target, rows):
                return
            rows = rows[1:]
        queues: dict[str, list[Any]] = {}
        for row in rows:
            queues.setdefault(row.key, []).append(row)
        gate, open_ = asyncio.Semaphore(AT_ONCE), asyncio.Event()
        open_.set()

        async def follow(queue: list[Any]) -> None:
            for row in queue:
                async with gate:
                    if not open_.is_set():
                        return
                    if not await self._store.renew(lease, self._owner, LEASE_MS):
                        return
                    if not await self._attempt(target, row):
                        open_.clear()

        await abreast(*(asyncio.create_task(follow(queue)) for queue in queues.values()))

    async def _attempt(self, target: Any, row: Any) -> bool:
        outcome = await self._send(target, row)
        async with self._database.write() as connection:
            return await self._settle(connection, row, outcome)

    async def _settle(self, connection: AsyncConnection, row: Any, outcome: Outcome) -> bool:
        now_ms = self._clock.now_ms()
        probe_ms = now_ms + 1_000 * self._settings.probe_s
        return await deliveries.settle(
            connection, row, outcome, now_ms, chance=self._chance(), probe_ms=probe_ms
        )

    async def _send(self, target: Any, row: Any) -> Outcome:
        outcome = await self._sender.send(target, row.event_id, body_of(row.payload))
        SENT.labels("taken" if outcome.good else "failed").inc()
        log.info(
            "webhook_attempt",
            endpoint=target.id,
            message=row.event_id,
            status=outcome.status,
            error=outcome.error,
        )
        return outcome

    async def _revived(self, target: Any, rows: Any) -> bool:
        """Try a paused endpoint with the first that waits; it resumes if that is taken, and is
        disabled if it says that it is gone.
        """
        now_ms = self._clock.now_ms()
        outcome = await self._send(target, rows[0]) if rows else None
        good = outcome is not None and outcome.good
        changes: dict[str, Any] = {"probe_ms": now_ms + 1_000 * self._settings.probe_s}
        if good:
            changes |= {"state": "active", "reason": None, "version": endpoint.version + 1}
        tried = (endpoint.state == "paused", endpoint.probe_ms.is_not(None))
        async with self._database.write() as connection:
            change = update(webhook_endpoint).where(endpoint.id == target.id, *tried)
            await connection.execute(change.values(**changes))
            if outcome is None or not (good or outcome.status == deliveries.GONE):
                return False
            return await self._settle(connection, rows[0], outcome)

    async def _sweep(self, now_ms: int) -> None:
        if now_ms - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = now_ms
        oldest_ms = now_ms - 1_000 * self._settings.queue_s
        async with self._database.write() as connection:
            paused = select(endpoint.id).where(endpoint.state != "active")
            for endpoint_id in (await connection.execute(paused)).scalars().all():
                most = self._settings.queue_max
                DROPPED.inc(await deliveries.trim(connection, endpoint_id, oldest_ms, most))
            await deliveries.forget(connection, now_ms - 1_000 * self._settings.kept_s)
