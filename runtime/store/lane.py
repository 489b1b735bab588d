"""One connection for all commands that do not wait: they leave as they come, and the answers come
back in their order.

A pool lends each command a connection of its own, which takes seven times as long as the command.

Rules of the file
1. The driver opens the connection on demand (address, TLS, sign-in, database); from then on it is
   read and written here. RESP2: what is asked here is answered alike in RESP3.
2. An answer is of the oldest command without one; a caller that left meanwhile misses it.
3. One timer for all. A command unanswered for `timeout_s` is late; where nothing at all was heard
   since it left, the connection is given up with everything on it. A loop that stood still for
   longer than `STALL_S` looks once at what came in before it judges.
4. Nothing is sent twice.
5. All that need a connection wait for one attempt, `timeout_s` at most, and share its error.
6. A reply that the server does not serve is StoreError (`replies`); where another may, the
   connection is given up.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import hiredis
from redis import asyncio as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ServerGone
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as ServerLate

from runtime import tracing
from runtime.store import replies, sentinels
from runtime.store.interface import StoreError

Word = str | bytes | int | float
STALL_S = 0.02
MAX_WAITING = 20_000
TOLD = {"db.system.name": "redis"}
_packed: Any = hiredis.pack_command  # its stub says one word


def late() -> StoreError:
    return StoreError("timeout", "no answer from the store in time")


def gone(error: BaseException) -> StoreError:
    return StoreError("unavailable", type(error).__name__)


def heard(answers: list[Any]) -> list[Any]:
    """The same; raises the first error that is no reply."""
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, ResponseError):
            raise answer
    return answers


def answered(answers: list[Any]) -> list[Any]:
    """The same; raises the first error reply."""
    for answer in answers:
        if isinstance(answer, ResponseError):
            raise answer
    return answers


class Lane:
    """The connection's owner. Raises StoreError, and the driver's ResponseError."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._wire: _Wire | None = None
        self._opening: asyncio.Task[_Wire] | None = None
        self._closed = False

    async def ask(self, *command: Word) -> Any:
        """One command's answer."""
        with tracing.span(str(command[0]), "client", TOLD):
            return await (await self._open()).send(command)

    async def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """Several commands' answers; the first that is an error is raised."""
        return answered(await self.ask_each(commands))

    async def ask_each(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """The same, an error reply being the answer of its own command."""
        with tracing.span("PIPELINE", "client", TOLD):
            wire = await self._open()
            asked = [wire.send(command) for command in commands]
            return heard(await asyncio.gather(*asked, return_exceptions=True))

    async def close(self) -> None:
        """What waits is answered with an error, and so is what is asked from now on. Takes what is
        left of an attempt to connect."""
        self._closed = True
        if self._opening is not None:
            await asyncio.wait([self._opening])
        await self._drop()

    async def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    async def _open(self) -> "_Wire":
        if self._closed:
            raise StoreError("unavailable", "closed")
        if self._wire is not None and not self._wire.lost:
            return self._wire
        if self._opening is None:
            self._opening = asyncio.create_task(self._opened())
            self._opening.add_done_callback(self._attempted)
        return await asyncio.shield(self._opening)

    async def _opened(self) -> "_Wire":
        await self._drop()
        self._wire = wire = _Wire(await self._connected(), self._timeout_s)
        return wire

    def _attempted(self, attempt: "asyncio.Task[_Wire]") -> None:
        self._opening = None
        if not attempt.cancelled():
            attempt.exception()  # everybody who waited may have left

    async def _connected(self) -> Any:
        shape = {"protocol": 2, "socket_timeout": None, "retry": Retry(NoBackoff(), 0)}
        pool = sentinels.pool(driver.ConnectionPool, self._url, **shape)
        connection = pool.make_connection()
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.connect()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, ServerLate | TimeoutError):
                raise late() from None
            if isinstance(error, ServerGone | OSError):
                raise gone(error) from None
            raise
        return connection


class _Waiting(NamedTuple):
    sent_s: float
    answer: "asyncio.Future[Any]"


class _Wire(asyncio.Protocol):
    """A connection that was opened."""

    def __init__(self, connection: Any, timeout_s: float) -> None:
        self.lost = False
        self._connection = connection  # kept: it closes its socket when it is forgotten
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=replies.error)
        self._waiting: deque[_Waiting] = deque()
        self._heard_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._look_s = 0.0  # when the timer is to fire
        self._postponed = False
        self._transport: Any = connection._writer.transport
        self._transport.set_protocol(self)

    def send(self, command: Sequence[Word]) -> "asyncio.Future[Any]":
        """The answer to come."""
        if self.lost or len(self._waiting) >= MAX_WAITING:
            raise StoreError("unavailable", "lost" if self.lost else "too many commands wait")
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(_Waiting(self._loop.time(), answer))
        self._transport.write(_packed(tuple(command)))
        if self._timer is None:
            self._look_in(self._timeout_s)
        return answer

    def data_received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                waiter = self._waiting.popleft().answer
                if isinstance(answer, replies.Refused) and answer.elsewhere:
                    self._transport.abort()
                if waiter.done():
                    continue
                if isinstance(answer, Exception):
                    waiter.set_exception(answer)
                else:
                    waiter.set_result(answer)
        except (hiredis.HiredisError, IndexError):
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
        for _, answer in self._waiting:
            if not answer.done():
                answer.set_exception(StoreError("unavailable", "lost"))
        self._waiting.clear()

    async def close(self) -> None:
        self.connection_lost(None)
        self._transport.abort()  # over TLS a close waits for the server's
        await self._connection.disconnect(nowait=True)

    def _look_in(self, wait_s: float) -> None:
        self._look_s = self._loop.time() + wait_s
        self._timer = self._loop.call_later(wait_s, self._look)

    def _look(self) -> None:
        """What is late, and when to look again."""
        self._timer, now_s = None, self._loop.time()
        stalled = now_s - self._look_s > STALL_S
        self._postponed = stalled and not self._postponed
        if self._postponed:
            self._look_in(STALL_S / 2)
            return
        for sent_s, answer in self._waiting:
            due_s = sent_s + self._timeout_s
            if answer.done():
                continue
            if now_s < due_s:
                self._look_in(due_s - now_s)
                return
            answer.set_exception(late())
            if self._heard_s < sent_s:
                self._transport.abort()
