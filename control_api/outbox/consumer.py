"""A consumer of events: at least once, in order per subject, three retries, then a dead letter.

Rules of the file (CTL-170, CTL-172)
1. Each stream is read by a group; a message is acknowledged when it was handled, was handled
   before (its id is remembered for 24 h), or lies with the dead letters.
2. Messages of one subject are handled one after the other; those of different subjects do not wait
   for each other, so a poisonous one holds up its own subject only, and that for 10.5 s.
3. What a dead consumer left is claimed when it was idle for 30 s, and at once by one that works
   alone (`alone`): before what is new, so that no event overtakes another of its subject. Nor does
   one that was given meanwhile to a consumer whose turn is over, but whose read still waited.
4. While the database, the store or what the handler works with (`Later`) is away, nothing is
   acknowledged and nothing given up, and a subject's next event waits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from math import inf
from typing import Final

from control_api import events
from control_api.outbox import dead
from runtime import logs, metrics
from runtime.clock import SYSTEM, Clock
from runtime.sql import Database, SqlError
from runtime.store import Message, Store, StoreError

DELAYS_S: Final = (0.5, 2.0, 8.0)  # before the second, third and fourth try
SEEN_MS: Final = 86_400_000
IDLE_MS: Final = 30_000
BLOCK_MS: Final = 5_000
IN_HAND: Final = 256  # messages read and not yet done with, per stream
DEAD_LEN: Final = 10_000
PAUSE_S: Final = 0.5
LATER_S: Final = 2.0

Handle = Callable[[events.Event], Awaitable[None]]

log = logs.get("control")
LAG = metrics.gauge("events_lag", "events that a group has not handled yet", ("consumer", "domain"))
HANDLED = metrics.counter("events_handled", "events by outcome", ("consumer", "outcome"))


class Later(Exception):
    """Raised by a handler: what it works with is away, the event itself may be fine."""


class Consumer:
    """One member of a group that follows some domains' streams."""

    def __init__(
        self,
        database: Database,
        store: Store,
        group: str,
        domains: Sequence[str],
        handle: Handle,
        *,
        name: str,
        clock: Clock = SYSTEM,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        idle_ms: int = IDLE_MS,
        alone: bool = False,
    ) -> None:
        self._database = database
        self._store = store
        self._group = group
        self._streams = [f"evt:{domain}" for domain in domains]
        self._handle = handle
        self._name = name
        self._clock = clock
        self._sleep = sleep
        self._idle_ms = idle_ms
        self._alone = alone
        self._block_ms = min(BLOCK_MS, idle_ms // 2 + 1)  # 0 would not wait at all

    async def run(self) -> None:
        """For ever, each stream on its own."""
        try:
            async with asyncio.TaskGroup() as group:
                for stream in self._streams:
                    group.create_task(self._follow(stream))
        finally:
            for stream in self._streams:  # another tells, if any
                self._lag(stream, 0)

    async def _follow(self, stream: str) -> None:
        last: dict[str, asyncio.Task[None]] = {}  # by subject: the task to wait for
        in_hand: dict[asyncio.Task[None], str] = {}  # the message that each is about
        looked_s = -inf
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    if self._clock.monotonic_s() - looked_s > self._idle_ms / 1_000 / 2:
                        looked_s = self._clock.monotonic_s()
                        messages = await self._abandoned(stream)
                    else:
                        room = IN_HAND - len(in_hand)
                        messages = await self._store.read(
                            stream, self._group, self._name, count=room, block_ms=self._block_ms
                        )
                        if messages and self._alone:
                            messages = await self._abandoned(stream)
                    lag = await self._store.lag(stream, self._group)
                except StoreError as error:
                    log.warning("consumer_waits", consumer=self._group, error=str(error))
                    looked_s = -inf  # what was read may be ours, and its answer lost
                    await self._sleep(PAUSE_S)
                    continue
                self._lag(stream, lag)
                held = set(in_hand.values())
                for message in messages:
                    if message.id in held:
                        continue
                    subject = _subject(message.body)
                    work = self._after(last.get(subject), stream, message)
                    task = last[subject] = group.create_task(work)
                    in_hand[task] = message.id
                    task.add_done_callback(in_hand.pop)
                    task.add_done_callback(partial(_forget, last, subject))
                while len(in_hand) >= IN_HAND:
                    await asyncio.wait(in_hand, return_when=asyncio.FIRST_COMPLETED)

    def _lag(self, stream: str, entries: int) -> None:
        LAG.labels(self._group, stream.removeprefix("evt:")).set(entries)

    async def _abandoned(self, stream: str) -> list[Message]:
        """What is pending for so long; of one that works alone everything, its own too."""
        idle_ms, most = (0, 2 * IN_HAND) if self._alone else (self._idle_ms, IN_HAND)
        return await self._store.claim(
            stream, self._group, self._name, min_idle_ms=idle_ms, count=most
        )

    async def _after(
        self, before: "asyncio.Task[None] | None", stream: str, message: Message
    ) -> None:
        """One message, once its subject's former one is through."""
        if before is not None:
            await asyncio.wait([before])
        while True:
            try:
                outcome = await self.settle(stream, message)
            except (SqlError, StoreError) as error:
                log.warning("event_waits", consumer=self._group, id=message.id, error=str(error))
                await self._sleep(LATER_S)
            else:
                HANDLED.labels(self._group, outcome).inc()
                return

    async def settle(self, stream: str, message: Message) -> str:
        """Handle, recognise or bury a message, then acknowledge it: handled, repeated or dead."""
        try:
            event = events.decode(message.body)
        except events.EventError as error:
            return await self._bury(stream, message, str(error), 1)
        mark = f"dedup:{self._group}:{event.id}"
        if await self._store.get(mark) is not None:
            await self._store.ack(stream, self._group, [message.id])
            return "repeated"
        failures = 0
        while True:
            try:
                await self._handle(event)
            except Later as error:
                log.warning("consumer_waits", consumer=self._group, error=str(error))
                await self._sleep(LATER_S)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
                log.info("event_failed", consumer=self._group, id=event.id, error=failure)
                failures += 1
                if failures > len(DELAYS_S):
                    return await self._bury(stream, message, failure, failures)
                await self._sleep(DELAYS_S[failures - 1])
            else:
                await self._store.put(mark, b"1", SEEN_MS)
                await self._store.ack(stream, self._group, [message.id])
                return "handled"

    async def _bury(self, stream: str, message: Message, error: str, attempts: int) -> str:
        payload = message.body.decode(errors="replace").replace("\0", "\ufffd")
        async with self._database.write() as connection:
            await dead.bury(
                connection, stream, self._group, payload, error, attempts, self._clock.now_ms()
            )
        await self._store.append(f"{stream}:dlq", message.body, max_len=DEAD_LEN)
        await self._store.ack(stream, self._group, [message.id])
        return "dead"


def _subject(body: bytes) -> str:
    try:
        return events.decode(body).subject
    except events.EventError:
        return ""


def _forget(
    last: dict[str, "asyncio.Task[None]"], subject: str, done: "asyncio.Task[None]"
) -> None:
    if last.get(subject) is done:
        del last[subject]
