"""Who leaves a question: its connection serves again or is closed, whatever the server says
(CTL-188).
"""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from runtime.asking import ServerAsker
from runtime.lending import IDLE_S, Lending


class Connection:
    """In a transaction that the server undoes, or answers with an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.asked, self.terminated = error, asyncio.Event(), False
        self.within = True

    def is_in_transaction(self) -> bool:
        return self.within

    def is_closed(self) -> bool:
        return self.terminated

    async def fetch(self, *_: Any) -> None:
        self.asked.set()
        await asyncio.Event().wait()

    async def execute(self, sql: str) -> None:
        if sql == "ROLLBACK":
            if self.error is not None:
                raise self.error
            self.within = False

    def terminate(self) -> None:
        self.terminated = True


class Server:
    """Makes connections."""

    def __init__(self, *errors: Exception | None) -> None:
        self.made: list[Connection] = []
        self.errors = list(errors)

    async def __call__(self) -> Connection:
        connection = Connection(self.errors.pop(0))
        self.made.append(connection)
        return connection


async def leave(server: Server, asker: ServerAsker) -> None:
    async def change() -> None:
        async with asker.change():
            await server.made[-1].fetch()

    leaving = asyncio.create_task(change())
    while not server.made or not server.made[-1].asked.is_set():
        await asyncio.sleep(0)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving


@pytest.mark.parametrize(
    "error",
    [
        OSError("gone"),
        TimeoutError("late"),
        asyncpg.AdminShutdownError("stopped"),
        asyncpg.InterfaceError("another operation is in progress"),
        asyncpg.InternalServerError("of no class that says that nobody is there"),
    ],
)
async def test_a_change_that_cannot_be_undone_makes_room_for_another(error: Exception) -> None:
    server, asker = Server(error, None), ServerAsker({})
    lending = asker._lending = Lending(server, 1)
    await leave(server, asker)
    async with asyncio.timeout(60), lending.lent() as connection:
        assert connection is server.made[1] and server.made[0].terminated
        connection.within = False
    await asker.close()


async def test_a_connection_whose_change_is_undone_serves_again() -> None:
    server, asker = Server(None), ServerAsker({})
    lending = asker._lending = Lending(server, 1)
    await leave(server, asker)
    async with asyncio.timeout(60), lending.lent() as connection:
        assert connection is server.made[0] and not connection.terminated
    await asker.close()
    assert connection.terminated
    with pytest.raises(asyncpg.InterfaceError):
        async with lending.lent():
            pass


async def test_who_cannot_be_connected_or_leaves_before_takes_no_turn() -> None:
    refusals: list[Exception] = [ConnectionRefusedError(), asyncpg.TooManyConnectionsError("full")]
    gate = asyncio.Event()

    async def connect() -> Connection:
        if refusals:
            raise refusals.pop()
        await gate.wait()
        connection = Connection()
        connection.within = False
        return connection

    lending = Lending(connect, 1)
    for _ in range(2):
        with pytest.raises((ConnectionError, asyncpg.TooManyConnectionsError)):
            async with asyncio.timeout(60), lending.lent():
                pass
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), lending.lent():
                pass
    gate.set()
    async with asyncio.timeout(60), lending.lent():
        pass
    await lending.warm()
    await lending.close()


async def test_what_is_made_for_one_who_leaves_is_the_next_ones() -> None:
    """Else nobody ever has one while making it takes longer than who is next has left."""
    gate, begun = asyncio.Event(), 0

    async def connect() -> Connection:
        nonlocal begun
        begun += 1
        await gate.wait()
        connection = Connection()
        connection.within = False
        return connection

    async def cut_off(lending: Lending) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), lending.lent():
                pass

    lending = Lending(connect, 1)
    for _ in range(3):
        await cut_off(lending)
    gate.set()
    async with asyncio.timeout(60), lending.lent():
        assert begun == 1
    await lending.close()
    gate.clear()
    lending = Lending(connect, 1)
    await cut_off(lending)
    async with asyncio.timeout(60):
        await lending.close()


async def test_a_connection_that_nobody_took_for_long_is_closed() -> None:
    now_s = 0.0
    server = Server(None, None, None)
    lending = Lending(server, 2, lambda: now_s)
    async with asyncio.timeout(60), lending.lent() as first, lending.lent() as second:
        first.within = second.within = False
    now_s = IDLE_S
    async with lending.lent() as found:
        assert found is first, "it came back last"
    now_s += 1
    async with lending.lent() as found:
        assert found is first and not first.terminated and second.terminated
    now_s += IDLE_S + 1
    async with lending.lent() as found:
        assert found is server.made[2] and first.terminated
        found.within = False
    await lending.close()
