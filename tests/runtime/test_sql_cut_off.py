"""Who is cut off in the middle keeps nothing locked (CMP-11), and leaves nobody behind."""

import asyncio
import threading
from pathlib import Path

from sqlalchemy import text

from runtime.sql import Database


class CutOff(Exception):
    pass


async def test_a_writer_whose_rows_are_still_in_memory_locks_nothing(tmp_path: Path) -> None:
    """As a traceback keeps them until the collector comes."""
    async with Database.embedded(tmp_path, timeout_ms=60_000) as database:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE t (i INTEGER)"))
            await connection.execute(text("INSERT INTO t VALUES (1), (2), (3)"))
        held = []
        try:
            async with database.write() as connection:
                await connection.execute(text("INSERT INTO t VALUES (4)"))
                raw = await connection.get_raw_connection()
                driver = raw.driver_connection
                assert driver is not None
                rows = await driver.execute("SELECT i FROM t")
                held.append(await rows.fetchone())
                held.append(rows)
                await connection.invalidate()
                raise CutOff
        except CutOff:
            pass
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO t VALUES (5)"))
            found = (await connection.execute(text("SELECT i FROM t ORDER BY i"))).scalars().all()
        assert found == [1, 2, 3, 5] and len(held) == 2


async def test_what_nobody_waits_for_any_more_ends_before_its_loop(tmp_path: Path) -> None:
    """A thread that tells a closed loop of its statement fails where nobody catches it."""
    before, begun, goes_on = set(threading.enumerate()), threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        return int(goes_on.wait(60))

    async with Database.embedded(tmp_path, timeout_ms=60_000) as database:

        async def ask() -> None:
            async with database.read() as connection:
                raw = await connection.get_raw_connection()
                assert raw.driver_connection is not None
                await raw.driver_connection.create_function("slow", 0, slow)
                await connection.execute(text("SELECT slow()"))

        asking = asyncio.create_task(ask())
        await asyncio.to_thread(begun.wait, 60)
        while not asking.done():  # once more while it gives back its connection, too
            asking.cancel()
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.1, goes_on.set)
    workers = {each for each in threading.enumerate() if "_connection_worker" in each.name}
    assert workers <= before
