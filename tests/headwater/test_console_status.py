"""The state of the whole, told whatever is down (control-api section 3, `/status`)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web
from sqlalchemy import insert

from control_api.flags import Flags
from control_api.flags.tables import feature_flag
from control_api.outbox.tables import outbox
from control_api.schema import epg_import_run, epg_source, metadata
from headwater.console import status
from headwater.console.status import Watch
from runtime.service import Web
from runtime.sql import Database, SqlError
from runtime.store import MemoryStore, StoreError

NOW_MS = 1_700_000_000_000


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lives is waited for, however slow the machine."""
    monkeypatch.setattr(status, "ANSWERS_S", 60.0)


class DeadDatabase:
    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        raise SqlError("unavailable", "postgresql://u:hunter2@db")
        yield


class DeadStore:
    async def get(self, key: str) -> bytes | None:
        raise StoreError("unavailable", "password=hunter2")


class Router:
    """Counts who asks whether it is ready."""

    def __init__(self) -> None:
        self.asked = 0
        self.ready = True

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/readyz", self.tell)
        return app

    async def tell(self, _: web.Request) -> web.Response:
        self.asked += 1
        said = {"ready": self.ready, "parts": {"disk": None if self.ready else "/srv is full"}}
        return web.json_response(said, status=200 if self.ready else 503)


@pytest.fixture
async def router() -> AsyncIterator[tuple[Router, str]]:
    router = Router()
    part = Web("router", router.app(), host="127.0.0.1", port=0)
    await part.start()
    yield router, part.url
    await part.stop()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path}/x.sqlite", timeout_ms=10_000) as opened:
        async with opened.write() as connection:
            for table in (epg_source, epg_import_run, outbox, feature_flag):
                await connection.run_sync(lambda sync, one: metadata.create_all(sync, [one]), table)
        yield opened


def call(database: Any, store: Any, now_ms: int = NOW_MS) -> Any:
    services = SimpleNamespace(database=database, store=store, flags=Flags())
    return SimpleNamespace(now_ms=now_ms, services=services)


async def test_all_is_well_and_how_old_things_are(database: Database, router: Any) -> None:
    run = {"id": "imp_1", "source_id": "src", "state": "applied", "started_ms": 0}
    run["ended_ms"] = NOW_MS - 60_000
    line = {"topic": "x", "key": "x", "payload": "{}"}
    async with database.write() as connection:
        await connection.execute(insert(epg_source).values(id="src", format="xmltv"))
        await connection.execute(insert(epg_import_run).values(run))
        for age_ms, published_ms in ((9_000, NOW_MS), (2_500, None), (1_000, None)):
            times = {"created_ms": NOW_MS - age_ms, "published_ms": published_ms}
            await connection.execute(insert(outbox).values(line | times | {"id": f"e{age_ms}"}))
    watch = Watch({"router": router[1]})
    told = await watch.status(call(database, MemoryStore()))
    assert [(each.name, each.says) for each in told.parts] == [
        ("database", "ready"),
        ("store", "ready"),
        ("router", "ready"),
    ]
    assert (told.state, told.outbox_lag_s, told.guide_age_s) == ("ok", 2.5, 60.0)
    assert await watch.status(call(database, DeadStore(), NOW_MS + 4_999)) is told
    assert router[0].asked == 1, "kept for five seconds"
    late = await watch.status(call(database, MemoryStore(), NOW_MS + 8_000))
    assert (late.state, late.outbox_lag_s) == ("bad", 10.5)


async def test_what_viewers_do_without_is_told(database: Database) -> None:
    asked = call(database, MemoryStore())
    assert (await Watch({}).status(asked)).limited == []
    row = {"version": 1, "changed_ms": 1}
    async with database.write() as connection:
        for name, value in (("search", False), ("starts", 40), ("router", False), ("rails", True)):
            values = row | {"name": name, "value": value}
            await connection.execute(insert(feature_flag).values(values))
    await asked.services.flags.refresh(database)
    told = (await Watch({}).status(asked)).limited
    assert [(each.name, each.says) for each in told] == [("starts", "for 40 %"), ("search", "off")]


async def test_what_is_down_is_told_and_nothing_else(router: Any) -> None:
    """Engines that refuse, a service that is silent, one that has a reason of its own."""
    router[0].ready = False
    watch = Watch({"router": router[1], "origin": "http://127.0.0.1:1"})
    told = await watch.status(call(DeadDatabase(), DeadStore()))
    assert [(each.name, each.says) for each in told.parts] == [
        ("database", "no answer"),
        ("store", "no answer"),
        ("router", "not ready"),
        ("origin", "no answer"),
    ]
    assert (told.state, told.outbox_lag_s, told.guide_age_s) == ("bad", None, None)
    text = msgspec.json.encode(told).decode()
    assert not any(word in text for word in ("hunter2", "127.0.0.1", "/srv"))


def test_anybody_may_keep_it_for_five_seconds() -> None:
    [route] = Watch({}).routes()
    assert (route.path, route.scope, route.cache_s) == ("/status.json", None, 5)
