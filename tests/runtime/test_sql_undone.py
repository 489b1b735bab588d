"""A transaction that PostgreSQL undoes for another's sake is no fault of its statements."""

import asyncio

import pytest
from sqlalchemy import text

from runtime.sql import Database, SqlError

pytestmark = pytest.mark.twin
TOUCH = text("UPDATE pair SET n = n + 1 WHERE id = :id")


@pytest.mark.parametrize("kind", ["write", "change"])
async def test_one_of_two_that_wait_for_each_other_may_try_again(
    postgresql_url: str, kind: str
) -> None:
    async with Database(postgresql_url, timeout_ms=30_000) as database:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE pair (id int PRIMARY KEY, n int)"))
            await connection.execute(text("INSERT INTO pair VALUES (1, 0), (2, 0)"))
        both = asyncio.Barrier(2)

        async def touch(first: int, second: int) -> str:
            try:
                if kind == "write":
                    async with database.write() as connection:
                        await connection.execute(TOUCH, {"id": first})
                        await both.wait()
                        await connection.execute(TOUCH, {"id": second})
                else:
                    async with database.change() as ask:
                        await ask(TOUCH, {"id": first})
                        await both.wait()
                        await ask(TOUCH, {"id": second})
            except SqlError as error:
                return error.code
            return "done"

        assert sorted(await asyncio.gather(touch(1, 2), touch(2, 1))) == ["done", "undone"]
