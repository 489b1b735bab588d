"""Real engines killed and started again under load: the degradation matrix (CTL-187..189).

HEADWATER_LONG_FAULTS=1 keeps each engine down for longer and takes them in pairs.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select
from twins import engines
from twins.engines import Engine

from control_api.ledger import Ledger
from control_api.schema import playback_session
from runtime.sql import Database
from runtime.store import RedisStore

LONG = os.environ.get("HEADWATER_LONG_FAULTS") == "1"
DOWN_S = 8.0 if LONG else 1.5
BACK_S = 90.0  # to be as before without a hand; the breaker alone waits 30
pytestmark = [pytest.mark.twin, pytest.mark.serial]


@pytest.fixture
def postgresql() -> Iterator[Engine]:
    with engines.postgresql() as engine:
        yield engine


@pytest.fixture
def redis() -> Iterator[Engine]:
    with engines.redis() as engine:
        yield engine


async def up(part: Any) -> bool:
    try:
        await part.start()
    except Exception:
        return False
    return True


@pytest.fixture
async def sql(postgresql: Engine) -> Any:
    database = Database(postgresql.url, timeout_ms=2_000)
    await eventually(lambda: up(database), "PostgreSQL does not start")
    yield postgresql, database
    await database.stop()


@pytest.fixture
async def memory(redis: Engine) -> Any:
    store = RedisStore(redis.url, timeout_ms=2_000)
    await eventually(lambda: up(store), "Redis does not start")
    yield redis, store
    await store.stop()


async def eventually(true: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + BACK_S
    while not await true():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.2)


class Load:
    """Viewers that start, beat and stop, and remember what they were told."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.statuses: dict[str, set[int]] = {"start": set(), "beat": set(), "check": set()}
        self.started: list[str] = []
        self.stopped: list[str] = []

    async def viewer(self, device: str) -> None:
        while True:
            status, told = await self.api.start(device, content_id="cnt_film")
            self.statuses["start"].add(status)
            if status == 201:
                session_id = told["session_id"]
                self.started.append(session_id)
                path = f"/v1/sessions/{session_id}"
                for _ in range(2):
                    status, _ = await self.api.send("POST", f"{path}/heartbeat", {})
                    self.statuses["beat"].add(status)
                    await asyncio.sleep(0.05)
                status, _ = await self.api.send("POST", f"{path}/stop")
                if status == 204:
                    self.stopped.append(session_id)
            question = {"device": {"id": device}, "content_id": "cnt_film"}
            status, _ = await self.api.send("POST", "/v1/entitlements/check", question)
            self.statuses["check"].add(status)
            await asyncio.sleep(0.1)

    async def recovered(self) -> bool:
        """A start, a beat and a stop succeed again."""
        status, told = await self.api.start("probe", content_id="cnt_film")
        if status != 201:
            return False
        path = f"/v1/sessions/{told['session_id']}"
        beat, _ = await self.api.send("POST", f"{path}/heartbeat", {})
        stop, _ = await self.api.send("POST", f"{path}/stop")
        return (beat, stop) == (200, 204)


DOWN = ["redis", "postgresql", *(["both"] if LONG else [])]


@pytest.mark.parametrize("down", DOWN)
async def test_killed_engines_cost_nothing_that_was_acknowledged(
    down: str, sql: Any, memory: Any, make_api: Any
) -> None:
    """No 500 and no 4xx that is not meant; what was told started or stopped is so in the end."""
    (tables, database), (cells, store) = sql, memory
    api = await make_api(
        database,
        store=store,
        access_cache_s=60,
        flush_s=0.5,
        breaker_s=30 if LONG else 0.5,
        limits={"start_per_s": 1_000, "login_per_min": 1_000},
    )
    await store.put("live:since", b"1")
    load = Load(api)
    viewers = [asyncio.create_task(load.viewer(f"d{n}")) for n in range(3)]
    await eventually(_seen(load, 6), "nothing starts")
    killed = {"redis": [cells], "postgresql": [tables], "both": [cells, tables]}[down]
    for engine in killed:
        engine.kill()
    await asyncio.sleep(DOWN_S)
    for engine in killed:
        engine.start()
    await eventually(load.recovered, "it stays down")
    for viewer in viewers:
        viewer.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    assert load.statuses["start"] <= {201, 503}, load.statuses
    assert load.statuses["beat"] <= {200, 503}, load.statuses
    assert load.statuses["check"] <= {200, 503}, load.statuses
    await eventually(lambda: _paid(api.services.playback.ledger), "debts stay")
    async with database.read(timeout_ms=10_000) as connection:
        rows = {row.id: row for row in await connection.execute(select(playback_session))}
    assert set(load.started) <= set(rows), "a session that was told of is not there"
    assert all(rows[each].ended_ms is not None for each in load.stopped)


def _seen(load: Load, count: int) -> Callable[[], Awaitable[bool]]:
    async def seen() -> bool:
        return len(load.started) >= count

    return seen


async def _paid(ledger: Ledger) -> bool:
    try:
        await ledger.flush()
    except Exception:
        return False
    return True
