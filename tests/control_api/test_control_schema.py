"""The migration chain makes the tables of schema.py on both databases and unmakes them (CTL-20)."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, CheckConstraint, Connection, func, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from control_api import schema, seed
from control_api.issuer import Passwords
from control_api.migrations import LOCATION
from runtime.sql import Database


def reflected(connection: Connection) -> dict[str, Any]:
    """What the database says it has, for those things that autogenerate does not compare; search
    has tables and indices of each engine's own.
    """
    eye = inspect(connection)
    return {
        table: {check["name"] for check in eye.get_check_constraints(table)}
        for table in sorted(eye.get_table_names())
        if table != "alembic_version" and not table.startswith("search_")
    }


async def test_chain_makes_exactly_the_declared_schema(migrated: Database) -> None:
    declared = {
        name: {check.name for check in table.constraints if isinstance(check, CheckConstraint)}
        for name, table in sorted(schema.metadata.tables.items())
    }
    async with migrated.write() as connection:
        found = await connection.run_sync(reflected)
        options = {
            "compare_type": True,
            "compare_server_default": False,
            "include_name": lambda name, *_: not str(name).startswith(("search_", "ix_search_")),
        }
        drift = await connection.run_sync(
            lambda c: compare_metadata(MigrationContext.configure(c, opts=options), schema.metadata)
        )
    assert found == declared
    assert drift == []


async def test_up_down_up_with_data(migrated: Database) -> None:
    await seed.plant(migrated, Passwords(), "one")
    revision = await migrated.revision()
    await migrated.downgrade(LOCATION)
    assert await migrated.revision() is None
    async with migrated.write() as connection:
        assert await connection.run_sync(reflected) == {}
    await migrated.upgrade(LOCATION)
    await migrated.upgrade(LOCATION)
    assert await migrated.revision() == revision
    await seed.plant(migrated, Passwords(), "one")


async def test_seed_is_idempotent_and_follows_the_password(migrated: Database) -> None:
    passwords = Passwords()

    async def state() -> tuple[dict[str, int], str]:
        async with migrated.read() as connection:
            counts = {
                name: (
                    await connection.execute(select(func.count()).select_from(table))
                ).scalar_one()
                for name, table in schema.metadata.tables.items()
            }
            stored = (await connection.execute(select(schema.credential.c.hash))).scalar_one()
        return counts, stored

    await seed.plant(migrated, passwords, "one")
    first = await state()
    await seed.plant(migrated, passwords, "one")
    assert await state() == first
    await seed.plant(migrated, passwords, "two")
    counts, stored = await state()
    assert counts == first[0]
    assert await passwords.matches("two", stored) and not await passwords.matches("one", stored)


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        (schema.account, {"status": "odd"}),
        (schema.rights_window, {"end_ms": seed.SINCE_MS}),
        (schema.rights_window, {"content_id": "cnt_film"}),
        (schema.credential, {"account_id": "acc_none"}),
    ],
    ids=["status", "window", "two subjects", "foreign key"],
)
async def test_database_refuses_nonsense(migrated: Database, table: Any, changed: Any) -> None:
    """CTL-21: on both engines."""
    await seed.plant(migrated, Passwords(), "one")
    rows = [row for known, row in seed.ROWS if known is table] or [
        {"account_id": "acc_demo", "kind": "password", "subject": "s"}
    ]
    with pytest.raises(IntegrityError):
        async with migrated.write() as connection:
            await connection.execute(insert(table).values(rows[0] | {"id": "x"} | changed))


def test_epochs_and_counters_are_64_bit() -> None:
    """CTL-21: an Integer passes on SQLite and fails on PostgreSQL past 2^31-1."""
    numbers = [
        column
        for table in schema.metadata.tables.values()
        for column in table.columns
        if column.type.__visit_name__ in ("integer", "big_integer")
    ]
    assert len(numbers) > 30
    assert all(isinstance(column.type, BigInteger) for column in numbers)
