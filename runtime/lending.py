"""A few connections to PostgreSQL, each lent to one at a time. To take one back costs asyncpg's own
pool more than a small question does.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from weakref import WeakSet

import asyncpg

from runtime.abreast import abreast

IDLE_S = 300.0  # so long without work, and a connection is made anew
LEAVE_S = 1.0  # for the server to say that it stopped a query
LAST_WORDS = ("FATAL", "PANIC")  # of a server that closes the connection, a moment later


class Lending:
    """`most` connections, made on demand; the one that came back last goes first. What nobody took
    for `IDLE_S` is closed when the next one is taken. One that is still being made when its caller
    leaves is for the next, who has less time: each would else be cut off while his is made.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        most: int,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._most = most
        self._now_s = now_s
        self._out = 0
        self._turns = asyncio.Semaphore(most)
        self._idle: deque[tuple[float, Any]] = deque()  # since when, the longest first
        self._made: WeakSet[Any] = WeakSet()
        self._leaving: set[asyncio.Task[None]] = set()
        self._coming: set[asyncio.Task[Any]] = set()  # for whoever is next
        self._closed = False

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Any]:
        """A connection that is in no transaction, and open as far as is known."""
        connection = await self._taken()
        give_back = self._back
        try:
            yield connection
        except asyncio.CancelledError:
            give_back = self._leave
            raise
        except asyncpg.InternalClientError:  # it heard its server's last words while it was idle
            connection.terminate()
            raise
        except asyncpg.PostgresError as error:
            if error.as_dict().get("severity_en") in LAST_WORDS:
                connection.terminate()
            raise
        finally:
            give_back(connection)

    async def warm(self) -> None:
        """Each connection that nobody has is made, or proved by a query."""
        free = self._most - self._out
        async with AsyncExitStack() as stack:
            tasks = [
                asyncio.create_task(stack.enter_async_context(self.lent())) for _ in range(free)
            ]
            await abreast(*tasks)
            for task in tasks:
                await task.result().execute("SELECT 1")

    async def close(self) -> None:
        """At once, whoever has a connection."""
        self._closed = True
        for connection in list(self._made):
            connection.terminate()
        for task in self._coming:
            task.cancel()
        await asyncio.gather(*self._leaving, *self._coming, return_exceptions=True)

    async def _taken(self) -> Any:
        await self._turns.acquire()
        self._out += 1
        try:
            self._drop()
            while self._idle:
                _, connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
            if self._closed:
                raise asyncpg.InterfaceError("closed")
        except BaseException:
            self._free()
            raise
        coming = asyncio.create_task(self._connected())
        try:
            return await asyncio.shield(coming)
        except asyncio.CancelledError:
            self._coming.add(coming)
            coming.add_done_callback(self._passed_on)
            raise

    async def _connected(self) -> Any:
        try:
            connection = await self._connect()
        except BaseException:
            self._free()
            raise
        self._made.add(connection)
        if self._closed:
            connection.terminate()
        return connection

    def _passed_on(self, coming: asyncio.Task[Any]) -> None:
        self._coming.discard(coming)
        if not coming.cancelled() and coming.exception() is None:
            self._back(coming.result())

    def _drop(self) -> None:
        """Close what has been idle for too long."""
        before_s = self._now_s() - IDLE_S
        while self._idle and self._idle[0][0] < before_s:
            self._idle.popleft()[1].terminate()

    def _back(self, connection: Any) -> None:
        """The connection of one who ended; one that is in no state to go on is closed."""
        if not connection.is_closed():
            if connection.is_in_transaction():
                connection.terminate()
            else:
                self._idle.append((self._now_s(), connection))
        self._free()

    def _free(self) -> None:
        self._out -= 1
        self._turns.release()

    def _leave(self, connection: Any) -> None:
        """Nobody waits until the server has said that it stopped."""
        task = asyncio.create_task(self._left(connection))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _left(self, connection: Any) -> None:
        """Queries that were given up must not pile up in a server that answers; the connection to
        one that does not is closed.
        """
        try:
            async with asyncio.timeout(LEAVE_S):
                with suppress(asyncpg.InFailedSQLTransactionError):  # an answer as well
                    await connection.execute("SELECT 1")  # a server that hung up gives none
                await undone(connection)
        except Exception:
            connection.terminate()
        self._back(connection)


async def undone(connection: Any) -> None:
    """Of a change that came to no end nothing remains, on a connection that is still one."""
    if not connection.is_closed() and connection.is_in_transaction():
        await connection.execute("ROLLBACK")
