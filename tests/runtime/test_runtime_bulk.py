"""Many rows at once, alike on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import JSON, BigInteger, Column, MetaData, String, Table, select, text
from sqlalchemy.dialects.postgresql import JSONB

from runtime import bulk
from runtime.sql import Database

TABLE = Table(
    "many",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("told", JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    Column("at_ms", BigInteger),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
)
ROWS = [
    {"id": f"r{n}", "told": {"n": n, "ö": ['"', "\\", None]}, "at_ms": 1 << 40 if n % 2 else None}
    for n in range(2 * bulk.BATCH_ROWS + 1)
]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.twin)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/t.sqlite"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database(url, timeout_ms=60_000) as opened:
        yield opened


async def test_rows_come_back_and_a_failed_block_leaves_none(database: Database) -> None:
    async with database.write() as connection:
        await connection.run_sync(TABLE.create)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as connection:
            await bulk.put(connection, TABLE, ROWS)
            raise ZeroDivisionError
    async with database.write() as connection:
        await bulk.put(connection, TABLE, [])
        await bulk.put(connection, TABLE, ROWS)
    async with database.read() as connection:
        found = {row.id: row for row in await connection.execute(select(TABLE))}
    assert len(found) == len(ROWS)
    for row in ROWS:
        told = found[str(row["id"])]
        assert (told.told, told.at_ms, told.version) == (row["told"], row["at_ms"], 1)
