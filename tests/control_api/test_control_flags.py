"""What operators switch, and who obeys: every flag of the table from outside (section 12)."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

import control_api
from control_api import flags, household, rights, seed
from control_api.catalogue.tables import audit_log
from control_api.flags import work
from control_api.flags.table import TABLE
from control_api.flags.tables import feature_flag
from control_api.problems import Problem
from control_api.schema import asset, content, rights_window
from control_api.webhooks import dispatcher
from runtime.sql import Database, SqlError
from runtime.store import MemoryStore

FLAGS = "/v1/admin/flags"
TAPE = {"event_id": "evt_any"}
SCOPES = frozenset({"admin", "recording", "playback", "entitlement:check", "catalog:write"})


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    return await make_api(kept, store=MemoryStore())


@pytest.fixture
async def lone_database(tmp_path: Path, sqlite_model: Path) -> AsyncIterator[Database]:
    """Whoever obeys a flag does so whatever the database."""
    path = tmp_path / "lone.sqlite"
    shutil.copy(sqlite_model, path)
    async with Database(f"sqlite:///{path}", timeout_ms=10_000) as opened:
        yield opened


@pytest.fixture
async def lone(lone_database: Database, make_api: Any) -> Any:
    return await make_api(lone_database, store=MemoryStore())


async def ask(api: Any, method: str, path: str, body: Any = None, **more: str) -> Any:
    headers = api.bearer(scopes=SCOPES) | more
    async with api.client.request(method, api.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def switch(api: Any, name: str, value: Any) -> Any:
    _, _, headers = await ask(api, "GET", f"{FLAGS}/{name}")
    tag = {"If-Match": headers["ETag"]}
    status, told, _ = await ask(api, "PUT", f"{FLAGS}/{name}", {"value": value}, **tag)
    assert status == 200, told
    return told


@asynccontextmanager
async def switched(api: Any, name: str, value: Any) -> AsyncIterator[None]:
    await switch(api, name, value)
    try:
        yield
    finally:
        await switch(api, name, TABLE[name].default)


def refused(answer: Any, name: str) -> bool:
    status, told, headers = answer
    found = (status, told.get("code"), told.get("flag"))
    return found == (503, "switched_off", name) and int(headers["Retry-After"]) > 0


async def test_flags_are_set_by_name_version_and_type(api: Any) -> None:
    _, page, _ = await ask(api, "GET", FLAGS)
    assert [each["name"] for each in page["items"]] == list(TABLE)
    assert all(each["value"] == each["default"] and not each["version"] for each in page["items"])
    path = f"{FLAGS}/rails"
    for value, tag, status in (
        (False, None, 428),
        (False, '"v1"', 412),
        (1, '"v0"', 400),
        ("off", '"v0"', 400),
        (None, '"v0"', 400),
        (False, '"v0"', 200),
        (True, '"v0"', 412),
    ):
        match = {} if tag is None else {"If-Match": tag}
        assert (await ask(api, "PUT", path, {"value": value}, **match))[0] == status, value
    status, told, headers = await ask(api, "GET", path)
    assert (told["value"], told["version"], headers["ETag"]) == (False, 1, '"v1"')
    for value in (True, -1, 101, 10**30):
        match = {"If-Match": '"v0"'}
        assert (await ask(api, "PUT", f"{FLAGS}/starts", {"value": value}, **match))[0] == 400
    for method in ("GET", "PUT"):
        match = {"If-Match": "*"}
        assert (await ask(api, method, f"{FLAGS}/nonsense", {"value": True}, **match))[0] == 404
    async with api.database.read() as connection:
        (line,) = (await connection.execute(select(audit_log))).all()
    assert (line.action, line.target) == ("flag.set", "rails")
    assert (line.before, line.after) == ({"value": True}, {"value": False})


async def test_of_two_that_set_a_flag_at_once_one_did(api: Any) -> None:
    match = {"If-Match": '"v0"'}
    asked = [ask(api, "PUT", f"{FLAGS}/search", {"value": False}, **match) for _ in range(8)]
    found = sorted(status for status, _, _ in await asyncio.gather(*asked))
    assert found == [200] + 7 * [412]


async def test_what_is_switched_off_is_refused_or_empty(lone: Any) -> None:
    search, suggest = "/v1/search?q=film", "/v1/search/suggest?q=film"
    assert (await ask(lone, "GET", search))[0] == 200
    async with switched(lone, "search", False):
        assert refused(await ask(lone, "GET", search), "search")
        assert (await ask(lone, "GET", suggest))[:2] == (200, {"items": []})
    async with switched(lone, "rails", False):
        assert (await ask(lone, "GET", "/v1/rails"))[1]["items"] == []
        assert (await ask(lone, "GET", "/v1/rails/popular"))[1]["items"] == []
        path = "/v1/catalog/contents/cnt_film/related"
        assert (await ask(lone, "GET", path))[1]["items"] == []
    assert (await ask(lone, "GET", "/v1/rails/popular"))[1]["items"]
    async with switched(lone, "recordings", False):
        for path, body in (("/v1/recordings", TAPE), ("/v1/recording-rules", {"title": "x"})):
            assert refused(await ask(lone, "POST", path, body), "recordings")
            assert (await ask(lone, "GET", path))[0] == 200
    assert (await ask(lone, "POST", "/v1/recording-rules", {"title": "x"}))[0] == 201
    assert (await ask(lone, "GET", search))[0] == 200


async def test_a_share_of_accounts_starts(lone: Any) -> None:
    """The same ones every time; what runs goes on."""
    status, running = await lone.start("one")
    assert status == 201
    async with switched(lone, "starts", 0):
        for device in ("one", "two"):
            status, told = await lone.start(device)
            assert (status, told["code"], told["flag"]) == (503, "switched_off", "starts")
        path = f"/v1/sessions/{running['session_id']}/heartbeat"
        assert (await ask(lone, "POST", path, {"position_ms": 1}))[0] == 200
    assert (await lone.start("two"))[0] == 201


def test_shares_grow_and_are_as_large_as_they_say() -> None:
    known, accounts = flags.Flags(), [f"acc_{n}" for n in range(2_000)]

    def admitted(share: int) -> set[str]:
        known._values = {"starts": share}
        found = set()
        for each in accounts:
            try:
                known.admit("starts", each)
                found.add(each)
            except Problem:
                continue
        return found

    few, more = admitted(10), admitted(50)
    assert few < more and not admitted(0) and len(admitted(100)) == 2_000
    assert 120 < len(few) < 280 and 850 < len(more) < 1_150


async def test_starts_leave_the_router_alone(lone: Any) -> None:
    async with switched(lone, "router", False):
        _, told = await lone.start("one")
        assert told["decision"]["reason"] == "router_off" and not lone.router.asked
        assert [each["id"] for each in told["cdns"]] == ["CDN-A", "CDN-B"]
    _, told = await lone.start("one")
    assert told["decision"]["reason"] != "router_off" and lone.router.asked


async def test_nothing_is_kept_on_devices(lone: Any) -> None:
    async with lone.database.write() as connection:
        await connection.execute(update(rights_window).values(offline=True))
    for value in (True, False):
        async with switched(lone, "downloads", value):
            _, told = await lone.start("one", content_id="cnt_film")
            body = {"device": {"id": "one"}, "content_id": "cnt_film"}
            _, checked, _ = await ask(lone, "POST", "/v1/entitlements/check", body)
        assert told["constraints"]["offline"] is checked["constraints"]["offline"] is value


async def test_webhooks_wait(lone: Any, monkeypatch: Any) -> None:
    looked = asyncio.Event()

    async def turn(_: Any) -> Any:
        looked.set()

    monkeypatch.setattr(dispatcher, "POLL_S", 0.01)
    monkeypatch.setattr(dispatcher.Dispatcher, "turn", turn)
    async with asyncio.timeout(60):
        await looked.wait()
        async with switched(lone, "webhooks", False):
            looked.clear()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(looked.wait(), 0.2)
        await looked.wait()


async def test_free_titles_play_while_accounts_cannot_be_looked_up(
    lone_database: Database, make_api: Any, monkeypatch: Any
) -> None:
    """Section 12, `AVOD by policy open`: what costs something stays shut."""
    api = await make_api(lone_database, store=MemoryStore(), access_cache_s=60)
    copies: dict[Any, Any] = {
        content: {"id": "cnt_free"},
        asset: {"id": "ast_free", "content_id": "cnt_free"},
        rights_window: {"id": "rwn_free", "content_id": "cnt_free", "licence": "free"},
    }
    async with api.database.write() as connection:
        for table, row in seed.ROWS:
            if table in copies and "cnt_film" in (row.get("id"), row.get("content_id")):
                await connection.execute(insert(table).values(row | copies[table]))

    async def check(title: str, account_id: str = seed.ACCOUNT) -> Any:
        body = {"device": {"id": "new"}, "content_id": title}
        path = "/v1/entitlements/check"
        return await api.send("POST", path, body, account_id=account_id)

    for title in ("cnt_free", "cnt_film"):
        assert (await check(title))[0] == 200, title

    async def away(*_: Any) -> Any:
        raise SqlError("unavailable", "gone")

    await switch(api, "free_without_rights", True)
    monkeypatch.setattr(household, "ask", away)
    monkeypatch.setattr(rights, "find_terms", away)
    status, told = await check("cnt_free", "acc_else")
    assert (status, told.get("source")) == (200, "open"), told
    assert (await check("cnt_film", "acc_else"))[1]["code"] == "not_entitled"
    await api.services.playback.cases.changed(seed.ACCOUNT)
    status, told = await check("cnt_free")
    assert (status, told.get("source")) == (200, "open"), "an account that changed since: no copy"
    assert (await check("cnt_film"))[1]["code"] == "not_entitled", "what it bought is unknown"
    assert (await check("cnt_other", "acc_else"))[1]["code"] == "entitlement_unavailable"
    await switch(api, "free_without_rights", False)
    assert (await check("cnt_free", "acc_else"))[1]["code"] == "entitlement_unavailable"


async def obeyed(api: Any, value: bool) -> None:
    async with asyncio.timeout(60):
        while api.services.flags.on("search") is not value:
            await asyncio.sleep(0.02)


async def test_other_nodes_are_told(kept: Any, make_api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(work, "LOOK_S", 3_600)
    shared = MemoryStore()
    one, two = await make_api(kept, store=shared), await make_api(kept, store=shared)
    await switch(one, "search", False)
    await obeyed(two, False)
    monkeypatch.setattr(work, "whenever", lambda *_: asyncio.Event().wait())
    late = await make_api(kept, store=shared)
    assert not late.services.flags.on("search"), "read before anybody is served"


async def test_a_flag_is_set_whether_or_not_it_can_be_read_again(
    kept: Any, make_api: Any, monkeypatch: Any
) -> None:
    """The others are told all the same."""
    monkeypatch.setattr(work, "LOOK_S", 3_600)
    shared = MemoryStore()
    one, two = await make_api(kept, store=shared), await make_api(kept, store=shared)

    async def away(_: Any) -> None:
        raise SqlError("timeout", "late")

    monkeypatch.setattr(one.services.flags, "refresh", away)
    assert (await switch(one, "search", False))["version"] == 1
    await obeyed(two, False)


async def test_of_two_reads_at_once_the_newer_counts() -> None:
    known, late = flags.Flags(), asyncio.Event()
    value, reads = False, 0

    class Slow:
        """A database whose first answer takes its time."""

        @asynccontextmanager
        async def read(self) -> AsyncIterator[Any]:
            yield self

        async def execute(self, _: Any) -> Any:
            nonlocal reads
            reads += 1
            rows = [SimpleNamespace(name="search", value=value)]
            if reads == 1:
                await late.wait()
            return SimpleNamespace(all=lambda: rows)

    slow: Any = Slow()
    first = asyncio.create_task(known.refresh(slow))
    await asyncio.sleep(0)
    value = True
    second = asyncio.create_task(known.refresh(slow))
    for _ in range(10):
        await asyncio.sleep(0)
    late.set()
    await asyncio.gather(first, second)
    assert known.on("search")


async def test_a_node_looks_by_itself(kept: Any, make_api: Any, monkeypatch: Any) -> None:
    """Whatever the store says; what this release does not know counts for nothing."""
    monkeypatch.setattr(work, "LOOK_S", 0.05)
    api = await make_api(kept, store=MemoryStore())
    rows = {"search": False, "of_later": {"a": 1}, "starts": 700}
    async with kept.write() as connection:
        for name, value in rows.items():
            row = {"name": name, "value": value, "version": 1, "changed_ms": 1}
            await connection.execute(insert(feature_flag).values(row))
    await obeyed(api, False)
    assert api.services.flags["starts"] == TABLE["starts"].default
    status, told, _ = await ask(api, "GET", f"{FLAGS}/starts")
    assert (status, told["value"], told["version"]) == (200, 100, 1)


def test_every_flag_is_obeyed_by_something() -> None:
    named = re.compile(r'(?:\.on\(|flag=)"(\w+)"')
    code = Path(control_api.__file__).parent.rglob("*.py")
    assert {name for path in code for name in named.findall(path.read_text())} == set(TABLE)
