"""A control API on a real listener over each database, with hand-made routers and a real signer."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from argon2 import PasswordHasher
from control_rigs.hooks import Desk, Site, desk_of
from sqlalchemy import delete, insert, make_url
from twins.plugin import empty_database

import cat
from control_api import endpoint, issuer, keys, seed, server
from control_api import kept as kept_answers
from control_api.catalogue import front
from control_api.issuer import VIEWER_SCOPES, Issuer
from control_api.migrations import LOCATION
from control_api.routerclient import Choice, Decision, Question, SteeringUrls
from control_api.schema import account, entitlement, metadata
from control_api.settings import Settings
from control_api.times import now_ms
from runtime import asking, sql
from runtime.clock import ManualClock
from runtime.sql import Database
from runtime.store import MemoryStore

WORK = server.WORK
PASSWORD = "headwater-demo"
WAIT_MS = 60_000  # for what a test does not want to be late


class FixedRouter:
    """Answers B before A, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    async def decide(self, question: Question, timeout_s: float) -> Decision:
        self.asked.append(question)
        order = [Choice("CDN-B", "http://b.example"), Choice("CDN-A", "http://a.example")]
        urls = SteeringUrls("http://r.example/steer/hls?ss=1", "http://r.example/steer/dash?ss=1")
        return Decision(order, "probe_failed", "probes of CDN-A failed", 10, urls)


class Api:
    """A client of a running control API, signed in as the demo user unless told otherwise."""

    def __init__(self, url: str, client: aiohttp.ClientSession, home: Path, router: Any) -> None:
        self.url = url
        self.client = client
        self.home = home
        self.router = router
        self.settings = Settings(port=0)
        self.database: Database
        self.services: Any

    def bearer(self, account_id: str = seed.ACCOUNT, **claims: Any) -> dict[str, str]:
        """A header with a token of the built-in issuer's own key."""
        scopes = claims.pop("scopes", VIEWER_SCOPES)
        now_s = claims.pop("now_s", now_ms() // 1_000)
        token = self.issuer(**claims).issue(account_id, scopes, now_s)
        return {"Authorization": f"Bearer {token}"}

    def issuer(self, **changed: Any) -> Issuer:
        options: dict[str, Any] = {
            "name": self.settings.public_url,
            "audience": self.settings.audience,
            "life_s": 900,
            "leeway_s": 30,
        }
        material = keys.load_or_create(self.home / "issuer-keys.json", keys.issuer_keys)
        return Issuer(material, **(options | changed))

    def token_keys(self) -> cat.KeySet:
        return cat.KeySet.from_json(self.home / "token-keys.json")

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        account_id: str = seed.ACCOUNT,
        **more: Any,
    ) -> tuple[int, Any]:
        """Status and decoded body of one call."""
        headers = self.bearer(account_id) | more.pop("headers", {})
        if body is not None:
            more["json"] = body
        async with self.client.request(
            method, self.url + path, headers=headers, **more
        ) as response:
            raw = await response.read()
            return response.status, await response.json(content_type=None) if raw else None

    async def start(self, device: Any = "one", **body: Any) -> tuple[int, Any]:
        body = body or {"channel_id": "ch_demo"}
        account_id = body.pop("account_id", seed.ACCOUNT)
        profile = body.pop("profile", "")
        return await self.send(
            "POST",
            f"/v1{profile}/playback/start",
            {"device": device if isinstance(device, dict) else {"id": device}, **body},
            account_id=account_id,
        )


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Argon2id with its least cost: what it costs is the library's own business."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            issuer,
            "PasswordHasher",
            partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1),
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def patient_connections() -> Iterator[None]:
    """A machine may be too busy to sign in to its PostgreSQL for a while."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (asking, sql):
            patch.setattr(module, "OPEN_S", WAIT_MS / 1000)
        yield


def upgraded(url: str) -> str:
    async def upgrade() -> None:
        async with Database(url, timeout_ms=WAIT_MS) as opened:
            await opened.upgrade(LOCATION)

    asyncio.run(upgrade())
    return url


@pytest.fixture(scope="session")
def sqlite_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at our revision, to be copied."""
    path = tmp_path_factory.mktemp("model") / "control.sqlite"
    upgraded(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_model(postgresql_server: str) -> Iterator[str]:
    with empty_database(postgresql_server) as url:
        yield str(make_url(upgraded(url)).database)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.twin)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each engine; every data test runs on both (CMP-10). It is empty, or for tests
    that ask for a migrated one or an API a copy of the model.
    """
    wanted = not {"migrated", "make_api"}.isdisjoint(request.fixturenames)
    if request.param == "sqlite":
        path = tmp_path / "control.sqlite"
        if wanted:
            shutil.copy(request.getfixturevalue("sqlite_model"), path)
        yield f"sqlite:///{path}"
        return
    model = request.getfixturevalue("postgresql_model") if wanted else "template1"
    with empty_database(request.getfixturevalue("postgresql_server"), model) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, timeout_ms=WAIT_MS) as opened:
        yield opened


@pytest.fixture
def migrated(database: Database) -> Database:
    """The database at our revision."""
    return database


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.twin)]
)
def kept_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database of each engine at our revision, for all tests of a file."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("kept") / "control.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_model"), path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgresql_server")
    with empty_database(server, request.getfixturevalue("postgresql_model")) as url:
        yield url


@pytest.fixture
async def kept(kept_url: str) -> AsyncIterator[Database]:
    """The file's database with its tables empty."""
    async with Database(kept_url, timeout_ms=WAIT_MS) as opened:
        async with opened.write() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(delete(table))
        yield opened


@pytest.fixture
async def make_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Starts APIs; what was started is stopped."""
    async with AsyncExitStack() as stack:

        async def make(
            database: Database,
            router: Any = None,
            *,
            key_routes: Any = None,
            store: Any = None,
            **changed: Any,
        ) -> Api:
            settings = Settings(
                port=0,
                access_cache_s=changed.pop("access_cache_s", 0),  # tests write rights by hand
                limits={"search_per_s": 1_000} | changed.pop("limits", {}),
                timeouts=dict.fromkeys(
                    ("start_ms", "request_ms", "access_ms", "search_ms", "suggest_ms"), WAIT_MS
                )
                | {
                    "router_ms": changed.pop("router_ms", WAIT_MS),
                    "breaker_s": changed.pop("breaker_s", 30),
                },
                **changed,
            )
            router = router or FixedRouter()
            made: list[Any] = []
            for name in ("LATE_MS", "FILL_MS"):
                monkeypatch.setattr(kept_answers, name, WAIT_MS)
            monkeypatch.setattr(front, "SEEN_MS", 2 * WAIT_MS)
            monkeypatch.setattr(server, "WORK", (lambda each: made.append(each) or (), *WORK))
            parts = server.parts(
                settings,
                database=database,
                folder=tmp_path,
                token_signer=server.signer(settings, tmp_path / "token-keys.json"),
                router=None if router == "http" else router,
                demo=True,
                key_routes=key_routes,
                store=store,
            )
            for part in parts:
                await part.start()
                stack.push_async_callback(part.stop)
            client = await stack.enter_async_context(aiohttp.ClientSession())
            api = Api(parts[-1].url, client, tmp_path, router)  # type: ignore[attr-defined]
            api.settings, api.database = settings, database
            api.services = made[0]
            return api

        yield make


@pytest.fixture
async def api(database: Database, make_api: Any) -> Api:
    started: Api = await make_api(database)
    return started


class Wheel(ManualClock):
    """The clock of an API and of its store, turned by hand."""

    def __init__(self) -> None:
        super().__init__(now_ms())


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """Turn it after the API was made; access tokens live for 900 s of it."""
    clock = Wheel()
    monkeypatch.setattr(endpoint, "now_ms", clock.now_ms)
    return clock


@pytest.fixture
async def turned(database: Database, make_api: Any, wheel: Wheel) -> Api:
    """An API, and its in-process store, on the `wheel`'s time."""
    started: Api = await make_api(database, store=MemoryStore(clock=wheel))
    return started


@pytest.fixture
async def neighbour(api: Api) -> str:
    """Another household with the same package."""
    return await add_neighbour(api)


@pytest.fixture
async def turned_neighbour(turned: Api) -> str:
    """The same on turned time."""
    return await add_neighbour(turned)


async def add_neighbour(api: Api) -> str:
    """`acc_neighbour`: two streams, the demo's package."""
    row = dict(seed.ROWS[0][1]) | {"id": "acc_neighbour", "max_streams": 2}
    grant = dict(seed.ROWS[-1][1]) | {
        "id": "ent_n",
        "account_id": "acc_neighbour",
        "source_ref": "n",
    }
    async with api.database.write() as connection:
        await connection.execute(insert(account).values(row))
        await connection.execute(insert(entitlement).values(grant))
    return "acc_neighbour"


@pytest.fixture
async def site() -> Site:
    """An endpoint's server that nobody asks yet."""
    return Site()


@pytest.fixture
async def desk(migrated: Database, site: Site) -> AsyncIterator[Desk]:
    async with desk_of(migrated, site) as desk:
        yield desk
