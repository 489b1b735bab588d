"""One contract for both databases: transactions, one writer, migrations (CMP-11, CTL-20)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from sqlite3 import OperationalError
from struct import pack
from typing import Any

import pytest
from asyncpg import PostgresError
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    MetaData,
    Table,
    bindparam,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError

from runtime.asking import ServerAsker
from runtime.sql import Database, SqlError, parse

FIRST = '''
"""first"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.create_table("parent", sa.Column("id", sa.BigInteger, primary_key=True))
    op.create_table(
        "counter",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("parent.id")),
    )
def downgrade():
    op.drop_table("counter")
    op.drop_table("parent")
'''
SECOND = '''
"""second"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    with op.batch_alter_table("counter") as table:
        table.add_column(sa.Column("note", sa.String(20), nullable=True))
        table.create_check_constraint("ck_n", "n >= 0")
def downgrade():
    with op.batch_alter_table("counter") as table:
        table.drop_constraint("ck_n", type_="check")
        table.drop_column("note")
'''
BROKEN = '''
"""broken"""
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("CREATE TABLE half (id INTEGER)")
    op.execute("CREATE NONSENSE")
def downgrade():
    pass
'''


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "v0001.py").write_text(FIRST)
    (versions / "v0002.py").write_text(SECOND)
    return versions.parent


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.twin)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/er/t.sqlite"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
async def database(url: str, chain: Path) -> AsyncIterator[Database]:
    async with Database(url, timeout_ms=20_000) as opened:
        await opened.upgrade(chain)
        async with opened.write() as connection:
            await connection.execute(text("INSERT INTO counter (id, n) VALUES (1, 0)"))
        yield opened


async def count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(text("SELECT n FROM counter"))).scalar_one())


async def test_fifty_read_then_write_transactions_lose_nothing(database: Database) -> None:
    """CMP-11: a plain BEGIN loses 44 of these 50 on SQLite."""
    lock = "" if database.dialect == "sqlite" else " FOR UPDATE"

    async def increment() -> None:
        async with database.write() as connection:
            found = await connection.execute(text(f"SELECT n FROM counter WHERE id = 1{lock}"))
            await connection.execute(
                text("UPDATE counter SET n = :n"), {"n": found.scalar_one() + 1}
            )

    await asyncio.gather(*(increment() for _ in range(50)))
    assert await count(database) == 50


async def test_two_processes_worth_of_writers(database: Database, url: str) -> None:
    async with Database(url, timeout_ms=20_000) as other:

        async def add(target: Database) -> None:
            async with target.write() as connection:
                await connection.execute(text("UPDATE counter SET n = n + 1"))

        await asyncio.gather(*(add((database, other)[n % 2]) for n in range(20)))
    assert await count(database) == 20


async def test_a_failed_block_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.write() as connection:
            await connection.execute(text("UPDATE counter SET n = 9"))
            raise ZeroDivisionError
    assert await count(database) == 0


async def test_a_read_cannot_write_and_sees_one_moment(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.read() as connection:
            await connection.execute(text("UPDATE counter SET n = 9"))
    async with database.read() as connection:
        first = (await connection.execute(text("SELECT n FROM counter"))).scalar_one()
        async with database.write() as writer:
            await writer.execute(text("UPDATE counter SET n = 5"))
        assert (await connection.execute(text("SELECT n FROM counter"))).scalar_one() == first == 0
    assert await count(database) == 5


ASKING = text(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND (query LIKE 'SELECT pg_sleep%' OR query LIKE 'SELECT pg_backend_pid%')"
)
ASKED = text("SELECT n, :word AS word, id FROM counter WHERE id = :id")


async def test_one_statement_is_asked_alone(database: Database) -> None:
    """Many at a time, each with its own values; what was committed is seen at once."""
    asked = [database.ask(ASKED, {"id": 1, "word": f"w{n}"}) for n in range(20)]
    found = [list(map(tuple, rows)) for rows in await asyncio.gather(*asked)]
    assert found == [[(0, f"w{n}", 1)] for n in range(20)]
    async with database.write() as connection:
        await connection.execute(text("UPDATE counter SET n = 9"))
    assert [tuple(row) for row in await database.ask(ASKED, {"id": 1, "word": ""})] == [(9, "", 1)]
    assert list(await database.ask(ASKED, {"id": 2, "word": ""})) == []


async def test_what_is_asked_alone_has_the_columns_types(database: Database) -> None:
    """As in a transaction: documents, truth, big numbers, nothing."""
    told = JSON().with_variant(JSONB(), "postgresql")
    table = Table(
        "typed", MetaData(), Column("told", told), Column("good", Boolean), Column("n", BigInteger)
    )
    rows = [
        {"told": {"ö": [1, None, '"']}, "good": True, "n": 1 << 40},
        {"told": ["x"], "good": False, "n": None},
    ]
    async with database.write() as connection:
        await connection.run_sync(table.create)
        await connection.execute(insert(table), rows)
    query = select(table).where(table.c.good.in_((True, False))).order_by(table.c.good.desc())
    assert [row._asdict() for row in await database.ask(query, {})] == rows


async def test_what_is_asked_alone_cannot_write(database: Database) -> None:
    with pytest.raises((OperationalError, PostgresError)):
        await database.ask(text("UPDATE counter SET n = 5 RETURNING n"), {})
    assert await count(database) == 0


COUNTER = Table(
    "counter", MetaData(), Column("id", BigInteger, primary_key=True), Column("n", BigInteger)
)
ADD = insert(COUNTER)
RAISE = update(COUNTER).where(COUNTER.c.id == bindparam("of")).values(n=COUNTER.c.n + 1)


async def test_a_change_is_whole_or_nothing(database: Database) -> None:
    """Its statements see one another; an error and whoever leaves undo all of them, in silence."""
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with database.change() as ask:
        assert list(await ask(ADD, {"id": 2, "n": 7})) in ([], [(2,)])
        await ask(RAISE, {"of": 2})
        assert [tuple(row) for row in await ask(ASKED, {"id": 2, "word": "w"})] == [(8, "w", 2)]
    with pytest.raises((IntegrityError, PostgresError)):
        async with database.change() as ask:
            await ask(RAISE, {"of": 2})
            await ask(ADD, {"id": 2, "n": 0})
    with pytest.raises(KeyError):
        async with database.change() as ask:
            await ask(RAISE, {"of": 2})
            raise KeyError
    with pytest.raises(SqlError, match="timeout"):
        async with database.change(timeout_ms=50) as ask:
            await ask(RAISE, {"of": 2})
            await asyncio.sleep(60)
    async with database.change() as ask:
        await ask(RAISE, {"of": 2})
    assert [tuple(row) for row in await database.ask(ASKED, {"id": 2, "word": ""})] == [(9, "", 2)]
    await database.stop()
    assert told == []


def open_ones(database: Database) -> list[Any]:
    assert isinstance(database._asker, ServerAsker)
    return [each for each in database._asker._lending._made if not each.is_closed()]


@pytest.mark.twin
async def test_who_heard_the_last_words_of_a_server_is_asked_nothing(postgresql_url: str) -> None:
    """What it says while nobody asks, a moment before it hangs up."""
    fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
    one = text("SELECT pg_backend_pid()")

    def heard(database: Database) -> None:
        for connection in open_ones(database):
            connection._protocol.data_received(b"E" + pack("!i", 4 + len(fields)) + fields)

    async with Database(postgresql_url, timeout_ms=20_000) as database:
        ((pid,),) = await database.ask(one, {})
        heard(database)
        ((again,),) = await database.ask(one, {})
        assert again != pid
        heard(database)
        with pytest.raises(SqlError) as caught:
            async with database.change():
                pass
        assert caught.value.code == "unavailable"
        async with database.change() as ask:
            assert await ask(one, {})


@pytest.mark.twin
async def test_an_asking_connection_that_was_cut_is_made_anew(postgresql_url: str) -> None:
    one, other = text("SELECT pg_backend_pid()"), text("SELECT pg_terminate_backend(:pid)")
    late = text("SELECT pg_sleep(60)")
    async with Database(postgresql_url, timeout_ms=20_000) as database:
        ((pid,),) = await database.ask(one, {})
        sleeping = asyncio.create_task(database.ask(late, {}))
        await asyncio.sleep(0)
        with pytest.raises(SqlError) as caught:
            await database.ask(late, {}, timeout_ms=50)
        assert caught.value.code == "timeout"
        cut: set[int] = set()
        async with database.read() as connection:
            while not sleeping.done():
                for row in await connection.execute(ASKING):
                    await connection.execute(other, {"pid": row.pid})
                    cut.add(row.pid)
        with pytest.raises(SqlError) as caught:
            await sleeping
        assert caught.value.code == "unavailable"
        while cut & {each.get_server_pid() for each in open_ones(database)}:
            await asyncio.sleep(0.01)  # it hears of it in a moment
        ((again,),) = await database.ask(one, {})
        assert again != pid


async def test_constraints_hold_and_pass_through(database: Database) -> None:
    for statement in (
        "INSERT INTO counter (id, n, parent_id) VALUES (2, 0, 77)",
        "INSERT INTO counter (id, n) VALUES (1, 0)",
        "UPDATE counter SET n = -1",
    ):
        with pytest.raises(IntegrityError):
            async with database.write() as connection:
                await connection.execute(text(statement))


async def test_big_numbers_fit(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE counter SET n = 1700000000000"))
    assert await count(database) == 1_700_000_000_000


async def test_the_chain_goes_up_and_down_with_data(database: Database, chain: Path) -> None:
    async def columns() -> set[str]:
        async with database.write() as connection:
            return await connection.run_sync(
                lambda c: {each["name"] for each in inspect(c).get_columns("counter")}
            )

    assert await database.revision() == "0002"
    assert "note" in await columns()
    await database.downgrade(chain, "0001")
    assert await database.revision() == "0001"
    assert "note" not in await columns()
    assert await count(database) == 0
    await database.upgrade(chain)
    await database.upgrade(chain)
    assert "note" in await columns()
    await database.downgrade(chain)
    assert await database.revision() is None


async def test_a_broken_migration_changes_nothing(database: Database, chain: Path) -> None:
    (chain / "versions" / "v0003.py").write_text(BROKEN)
    with pytest.raises(DBAPIError):
        await database.upgrade(chain)
    assert await database.revision() == "0002"
    async with database.write() as connection:
        assert not await connection.run_sync(lambda c: inspect(c).has_table("half"))


async def test_processes_that_start_together_migrate_once(url: str, chain: Path) -> None:
    async with Database(url, timeout_ms=20_000) as one, Database(url, timeout_ms=20_000) as two:
        await asyncio.gather(one.upgrade(chain), two.upgrade(chain))
        assert await one.revision() == await two.revision() == "0002"


async def test_a_late_database_is_a_timeout(database: Database) -> None:
    entered = asyncio.Event()

    async def hold() -> None:
        async with database.write() as connection:
            await connection.execute(text("UPDATE counter SET n = n + 1"))
            entered.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await entered.wait()
    with pytest.raises(SqlError) as caught:
        async with database.write(timeout_ms=50) as connection:
            await connection.execute(text("UPDATE counter SET n = n + 1"))
    assert caught.value.code == "timeout"
    holder.cancel()
    await asyncio.wait([holder])
    async with database.write() as connection:
        await connection.execute(text("UPDATE counter SET n = n + 1"))
    assert await count(database) == 1


async def test_the_callers_own_timeout_is_not_the_databases(database: Database) -> None:
    with pytest.raises(TimeoutError):
        async with database.read():
            raise TimeoutError


async def test_an_absent_server_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(SqlError) as caught:
        await database.start()
    assert caught.value.code == "unavailable"
    await database.stop()


@pytest.mark.parametrize("bad", ["mysql://h/x", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"sql\.url"):
        parse(bad)


def test_embedded_is_one_file(tmp_path: Path) -> None:
    assert Database.embedded(tmp_path).dialect == "sqlite"
    assert Database("postgres://h/x").dialect == "postgresql"
