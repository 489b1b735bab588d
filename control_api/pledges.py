"""What a process owes the database, in the store as well: it is paid though the process dies
(CTL-188, CTL-189).

Rules of the file
1. A start or an end that the database could not take is acknowledged once a copy of it lies in the
   stream `owed`. The process pays from its own memory; whoever pays second pays nothing.
2. Copies are paid in their order, by one process at a time: an end never comes before its start.
3. Bounded: beyond `MAX_KEPT` the oldest give way, which is counted and told, not each time.
"""

import asyncio
import secrets
from typing import Any, Final

import msgspec

from control_api.guarded import Shelf
from control_api.ledger import Debt, End, Ledger, Sign
from runtime import logs, metrics
from runtime.clock import SYSTEM, Clock
from runtime.sql import SqlError
from runtime.store import Message, Store, StoreError

OWED: Final = "owed"
LEASE: Final = "owed:lease"
LEASE_MS: Final = 30_000
READER: Final = "ledger"  # one group and one consumer: what is pending is the next one's
MOST: Final = 100
MAX_KEPT: Final = 100_000
TELL_S: Final = 60.0

log = logs.get("control")
DROPPED = metrics.counter("control_pledges_dropped", "the oldest copies, for want of room")
UNPLEDGED = metrics.counter("control_unpledged", "debts that only their process knows")


class Copy(msgspec.Struct, array_like=True):
    """One of the three."""

    start: dict[str, Any] | None = None
    sign: tuple[str, Sign] | None = None
    end: End | None = None


class Pledges:
    """One process's copies, and its turns to pay everybody's."""

    def __init__(self, shelf: Shelf, ledger: Ledger, clock: Clock = SYSTEM) -> None:
        self._shelf = shelf
        self._ledger = ledger
        self._clock = clock
        self._owner = secrets.token_bytes(8)
        self._untold = 0
        self._quiet_until_s = clock.monotonic_s()

    async def start(self, row: dict[str, Any]) -> None:
        """A session that began."""
        self._ledger.start(row)
        await self._keep(Copy(start=row))

    async def end(self, end: End) -> None:
        """One that is over, with the latest place that this process knows of."""
        sign = self._ledger.sign(end.account_id, end.session_id)
        self._ledger.end(end)
        known = [] if sign is None else [Copy(sign=(end.session_id, sign))]
        await self._keep(*known, Copy(end=end))

    async def _keep(self, *copies: Copy) -> None:
        bodies = [msgspec.msgpack.encode(copy) for copy in copies]
        try:
            dropped = await self._shelf.ask(
                lambda store: store.append_all(OWED, bodies, max_len=MAX_KEPT)
            )
        except StoreError as error:
            UNPLEDGED.inc(len(copies))
            log.warning("unpledged", error=str(error))
            return
        if dropped:
            self._tell(dropped)

    def _tell(self, dropped: int) -> None:
        """The oldest copies gave way: if their processes die, nobody pays them."""
        DROPPED.inc(dropped)
        self._untold += dropped
        now_s = self._clock.monotonic_s()
        if now_s >= self._quiet_until_s:
            log.error("pledges_dropped", count=self._untold, kept=MAX_KEPT)
            self._untold, self._quiet_until_s = 0, now_s + TELL_S

    async def run(self, pause_s: float) -> None:
        """Pay now and then, for ever."""
        while True:
            await asyncio.sleep(pause_s)
            try:
                while await self.pay() == MOST:
                    pass
            except (SqlError, StoreError) as error:
                log.warning("pledges_wait", error=str(error))

    async def pay(self) -> int:
        """How many copies were paid."""
        return await self._shelf.ask(self._paid)

    async def _paid(self, store: Store) -> int:
        if not await store.put_if_absent(LEASE, self._owner, LEASE_MS):
            return 0
        try:
            found = await store.claim(OWED, READER, READER, min_idle_ms=0, count=MOST)
            if not found:
                found = await store.read(OWED, READER, READER, count=MOST)
            debts = [debt for message in found if (debt := _debt(message)) is not None]
            if debts:
                await self._ledger.settle(debts)
            paid = [message.id for message in found]
            await store.ack(OWED, READER, paid)
            await store.drop(OWED, paid)  # else those that are not would be trimmed for them
            return len(found)
        finally:
            await store.release(LEASE, self._owner)


def _debt(message: Message) -> Debt | None:
    try:
        copy = msgspec.msgpack.decode(message.body, type=Copy)
    except ValueError:
        log.error("pledge_unreadable", id=message.id)
        return None
    return copy.start or copy.sign or copy.end
