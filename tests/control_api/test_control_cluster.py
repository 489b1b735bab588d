"""The API over a cluster of Redis: sessions, limits and events as over one server (CTL-22)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from control_api import events, seed
from runtime.sql import Database
from runtime.store import RedisStore

pytestmark = pytest.mark.twin


@pytest.fixture
async def store(redis_cluster_url: str) -> AsyncIterator[RedisStore]:
    shared = RedisStore(redis_cluster_url, timeout_ms=10_000)
    await shared.start()
    await shared._quick.flushall()
    yield shared
    await shared.stop()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.embedded(tmp_path, timeout_ms=20_000) as opened:
        yield opened


async def test_a_session_from_start_to_stop(
    database: Database, store: RedisStore, make_api: Any
) -> None:
    api = await make_api(database, store=store, limits={"login_per_min": 1})
    status, one = await api.start("one")
    assert status == 201
    session = f"/v1/sessions/{one['session_id']}"
    status, told = await api.send("POST", f"{session}/heartbeat", {"position_ms": 5})
    assert (status, told["commands"]) == (200, [])
    assert (await api.start("one"))[0] == 201
    status, told = await api.send("POST", f"{session}/heartbeat", {})
    assert (status, told["reason"]) == (410, "replaced")
    assert (await api.send("POST", f"{session}/stop"))[0] == 204

    wrong = {"grant_type": "password", "username": "demo@headwater.example", "password": "x"}
    tries = [(await api.send("POST", "/v1/auth/token", wrong))[0] for _ in range(2)]
    assert tries == [401, 429]

    await api.services.playback.ledger.flush()
    mine: list[str] = []
    async with asyncio.timeout(60):
        while len(mine) < 2:
            for message in await store.read("evt:playback", "test", "me", block_ms=1_000):
                event = events.decode(message.body)
                assert event.subject == seed.ACCOUNT
                if event.data["session_id"] == one["session_id"]:
                    mine.append(event.type.rpartition(".")[2])
    assert mine == ["started", "ended"]
