"""Writers that are cut off in the middle keep nothing locked (CMP-11)."""

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
