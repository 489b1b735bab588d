"""What is so whoever asks is read once for many accounts, and again when it changed (CTL-83)."""

from typing import Any

import pytest
from sqlalchemy import insert, text, update

from control_api import rights, seed
from control_api.schema import account, channel
from runtime.sql import Database

QUESTION = {"device": {"id": "d"}, "channel_id": "ch_demo"}


async def ask(api: Any, account_id: str) -> int:
    status, _ = await api.send("POST", "/v1/entitlements/check", QUESTION, account_id=account_id)
    return int(status)


async def test_terms_are_read_once_until_told_or_old(
    database: Any, make_api: Any, wheel: Any, monkeypatch: Any
) -> None:
    """CTL-83, CTL-85: the neighbour's question reads what is the neighbour's; a change that was
    told counts at once for everybody, an untold one when the terms are a minute old.
    """
    api = await make_api(database, access_cache_s=60)
    read, find = [], rights.find_terms

    async def counted(*args: Any) -> rights.Terms:
        read.append(args[1:3])
        return await find(*args)

    monkeypatch.setattr("control_api.rights.find_terms", counted)
    strangers = [f"acc_{n}" for n in range(4)]
    await add(api, strangers)
    assert await ask(api, seed.ACCOUNT) == 200
    assert await ask(api, strangers[0]) == 403, "no package is the stranger's"
    assert read == [("channel", "ch_demo")]

    await publish(api, "draft")
    assert await ask(api, strangers[1]) == 403, "nobody was told"
    api.services.playback.cases.forget("ch_demo")
    assert [await ask(api, each) for each in (seed.ACCOUNT, strangers[2])] == [404, 404]
    assert len(read) == 2
    await publish(api, "published")
    wheel.advance(59)
    assert await ask(api, strangers[3]) == 404
    wheel.advance(1)
    assert [await ask(api, each) for each in (seed.ACCOUNT, strangers[3])] == [200, 403]
    assert len(read) == 3


async def publish(api: Any, status: str) -> None:
    async with api.database.write() as connection:
        demo = channel.c.id == "ch_demo"
        await connection.execute(update(channel).where(demo).values(status=status))


async def add(api: Any, account_ids: list[str]) -> None:
    rows = [dict(seed.ROWS[0][1]) | {"id": each} for each in account_ids]
    async with api.database.write() as connection:
        await connection.execute(insert(account), rows)


@pytest.mark.twin
async def test_connections_that_the_server_closed_are_made_anew(postgresql_url: str) -> None:
    """CTL-187: whoever comes next sees nothing of it."""
    async with Database(postgresql_url, timeout_ms=60_000) as database:
        async with database.read() as victim:
            await victim.execute(text("SELECT 1"))
            raw = (await victim.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.close()
        async with database.read() as connection:
            assert (await connection.execute(text("SELECT 2"))).scalar_one() == 2
