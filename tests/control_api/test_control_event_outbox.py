"""An event is told if and only if its change was made (CTL-170)."""

from typing import Any

import pytest
from sqlalchemy import insert, select

from control_api import events, seed
from control_api.outbox import emit
from control_api.outbox.tables import outbox
from control_api.schema import account
from control_api.times import utc
from runtime.sql import Database

NOW_MS = 1_700_000_000_000
DATA = {"account_id": "acc_1", "state": "active", "reason": None}


async def rows(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list((await connection.execute(select(outbox).order_by(outbox.c.seq))).all())


async def test_the_event_shares_the_fate_of_its_change(migrated: Database) -> None:
    household = dict(seed.ROWS[0][1]) | {"id": "acc_1"}
    with pytest.raises(RuntimeError):
        async with migrated.write() as connection:
            await connection.execute(insert(account).values(household))
            await emit(connection, "account.created", DATA, NOW_MS)
            raise RuntimeError("half-way")
    assert await rows(migrated) == []
    async with migrated.write() as connection:
        await connection.execute(insert(account).values(household))
        told = await emit(connection, "account.created", DATA, NOW_MS)
    (row,) = await rows(migrated)
    assert (row.id, row.topic, row.key, row.published_ms) == (
        told,
        "account.created",
        "acc_1",
        None,
    )
    event = events.decode(row.payload.encode())
    assert event.data == {"account_id": "acc_1", "state": "active"}, "nothing is told of None"
    assert (event.time, event.subject) == (utc(NOW_MS), "acc_1")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("account.exploded", DATA, "unknown_type"),
        ("account.created", DATA | {"password": "x"}, "unknown_field"),
        ("account.created", {"account_id": "acc_1"}, "missing_field"),
        ("account.created", {"state": "active"}, "missing_field"),
        ("account.created", DATA | {"account_id": "no id"}, "bad_value"),
        ("account.created", DATA | {"state": "x" * 2_000}, "bad_value"),
        ("account.created", DATA | {"state": 1}, "bad_value"),
    ],
)
async def test_what_the_table_does_not_describe_is_not_told(
    migrated: Database, name: str, data: Any, code: str
) -> None:
    with pytest.raises(events.EventError) as caught:
        async with migrated.write() as connection:
            await emit(connection, name, data, NOW_MS)
    assert caught.value.code == code and await rows(migrated) == []
