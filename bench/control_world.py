"""Engines, services and rows for the bench of the control API.

The API has core 0 to itself; PostgreSQL, Redis, the router and the load share core 1.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import insert

from bench import harness
from control_api import keys, seed
from control_api.issuer import Issuer
from control_api.schema import (
    account,
    asset,
    channel,
    channel_source,
    content,
    content_text,
    entitlement,
    epg_event,
    epg_event_text,
    epg_source,
    package,
    package_content,
    rights_window,
)
from control_api.settings import Settings
from runtime.sql import Database

ACCOUNTS, TITLES, CHANNELS = 2_000, 500, 200
HALF_HOUR_MS = 1_800_000
PROGRAMMES = 16  # of each channel: 8 h of half hours
POSTGRESQL_BIN = Path("/usr/lib/postgresql/15/bin")  # Debian keeps it off PATH
SCOPES = frozenset({"playback", "entitlement:check", "recording"})
SEGMENTS = 6  # `min_wal_size` keeps five


@dataclass(frozen=True)
class World:
    """Where everything is."""

    api: subprocess.Popen[bytes]
    postgresql: subprocess.Popen[bytes]
    port: int
    database_url: str
    store_url: str
    folder: Path
    base_ms: int

    def bearer(self, number: int, scopes: frozenset[str] = SCOPES) -> str:
        """A fresh access token of one account."""
        material = keys.load_or_create(self.folder / "control/issuer-keys.json", keys.issuer_keys)
        settings = Settings()
        issuer = Issuer(
            material,
            name=settings.public_url,
            audience=settings.audience,
            life_s=900,
            leeway_s=30,
        )
        return f"Bearer {issuer.issue(f'acc_b{number}', scopes, int(time.time()))}"


@contextmanager
def opened() -> Iterator[World]:
    """The world, from ready to gone."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hw-")))
        home.chmod(0o755)
        server, url = stack.enter_context(_postgresql(home))
        store_port, port, router_port = (harness.free_port() for _ in range(3))
        _process(stack, store_port, 1, *_redis(store_port))
        headwater = str(Path(sys.executable).parent / "headwater")
        environment = {
            "HEADWATER_DATA__DIR": str(home / "data"),
            "HEADWATER_LOG__LEVEL": "error",
            "HEADWATER_SQL__URL": url,
            "HEADWATER_STORE__URL": f"redis://127.0.0.1:{store_port}",
            "HEADWATER_CONTROL__PORT": str(port),
            "HEADWATER_CONTROL__LIMITS__HEARTBEAT_PER_MIN": "1000000",
            "HEADWATER_CONTROL__LIMITS__GUIDE_PER_S": "1000000",
            "HEADWATER_CONTROL__ROUTER_URL": f"http://127.0.0.1:{router_port}",
            "HEADWATER_ROUTER__PORT": str(router_port),
        }
        stack.enter_context(_environment(environment))
        api = _process(stack, port, harness.SERVER_CORE, headwater, "control")
        _process(stack, router_port, harness.LOAD_CORE, headwater, "router")
        base_ms = int(time.time() * 1_000) // HALF_HOUR_MS * HALF_HOUR_MS
        yield World(
            api, server, port, url, environment["HEADWATER_STORE__URL"], home / "data", base_ms
        )


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _process(stack: ExitStack, port: int, core: int, *command: str) -> subprocess.Popen[bytes]:
    process = harness.start(command, port, core)
    stack.callback(harness.stop, process)
    return process


def _redis(port: int) -> list[str]:
    limits = ["--save", "", "--appendonly", "no"]
    return [harness.tool("redis-server"), "--bind", "127.0.0.1", "--port", str(port), *limits]


@contextmanager
def _postgresql(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """As it comes, durable commits included."""
    data = home / "pg"
    as_user: list[str] = []
    if os.geteuid() == 0:  # initdb refuses root
        as_user = ["runuser", "-u", "postgres", "--"]
        subprocess.run(["install", "-d", "-o", "postgres", str(data)], check=True)
    shape = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(
        [*as_user, str(POSTGRESQL_BIN / "initdb"), "-D", str(data), *shape],
        check=True,
        capture_output=True,
        cwd="/",
    )
    port = harness.free_port()
    flags = ["-D", str(data), "-k", str(data), "-h", "127.0.0.1", "-p", str(port)]
    server = harness.start(
        [*as_user, str(POSTGRESQL_BIN / "postgres"), *flags], port, harness.LOAD_CORE
    )
    try:
        yield server, f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        harness.stop(server)


async def settled(world: World) -> None:
    """PostgreSQL as it is once it has run for a while: its next segments of WAL are old ones to be
    written over. A new server fills each with 16 MB of zeros while every commit waits (75 ms here).
    """
    connection = await asyncpg.connect(world.database_url)
    for _ in range(SEGMENTS):
        await connection.execute("SELECT pg_logical_emit_message(false, 'bench', '')")
        await connection.execute("SELECT pg_switch_wal()")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def plant(world: World) -> None:
    """Households on Basic, titles and channels in it, and their guide."""
    database = Database(world.database_url, timeout_ms=60_000)
    async with database, database.write() as connection:
        for table, rows in _rows(world.base_ms):
            await connection.execute(insert(table), rows)


def _rows(base_ms: int) -> list[tuple[Any, list[dict[str, Any]]]]:
    home, basic = dict(seed.ROWS[0][1]), "pkg_basic"
    window = {"territory": "**", "licence": "svod", "platform": "*", "tier": 1, **seed.ALWAYS}
    titles, channels = range(TITLES), range(CHANNELS)
    slots = [(n, at) for n in channels for at in range(PROGRAMMES)]
    return [
        (account, [home | {"id": f"acc_b{n}", "max_streams": 3} for n in range(ACCOUNTS)]),
        (
            package,
            [{"id": basic, "kind": "svod", "tier": 1, "name": "Basic"}],
        ),
        (
            entitlement,
            [
                {
                    "id": f"ent_b{n}",
                    "account_id": f"acc_b{n}",
                    "package_id": basic,
                    "source": "bench",
                    "source_ref": str(n),
                    "state": "active",
                    "start_ms": seed.SINCE_MS,
                }
                for n in range(ACCOUNTS)
            ],
        ),
        (
            content,
            [
                {
                    "id": f"cnt_b{n}",
                    "kind": "movie",
                    "status": "published",
                    "duration_ms": 5_400_000,
                    "orig_lang": "en",
                    "updated_ms": seed.SINCE_MS,
                }
                for n in titles
            ],
        ),
        (
            content_text,
            [
                {"content_id": f"cnt_b{n}", "lang": "en", "title": f"T{n}", "sort_title": f"t{n}"}
                for n in titles
            ],
        ),
        (
            asset,
            [
                {
                    "id": f"ast_b{n}",
                    "content_id": f"cnt_b{n}",
                    "kind": "vod",
                    "origin_path": f"/vod/b{n}/",
                }
                for n in titles
            ],
        ),
        (
            channel,
            [
                {"id": f"ch_b{n}", "slug": f"b{n}", "number": 1_000 + n, "status": "published"}
                for n in channels
            ],
        ),
        (
            rights_window,
            [{"id": f"rwn_b{n}", "content_id": f"cnt_b{n}", **window} for n in titles],
        ),
        (
            rights_window,
            [{"id": f"rwn_c{n}", "channel_id": f"ch_b{n}", **window} for n in channels],
        ),
        (
            package_content,
            [
                {"package_id": basic, "target_kind": "content", "target_id": f"cnt_b{n}"}
                for n in titles
            ],
        ),
        (epg_source, [{"id": "src_bench", "format": "xmltv"}]),
        (
            channel_source,
            [
                {"source_id": "src_bench", "xmltv_id": f"b{n}", "channel_id": f"ch_b{n}"}
                for n in channels
            ],
        ),
        (
            epg_event,
            [
                {
                    "id": f"evt_b{n}.{at}",
                    "channel_id": f"ch_b{n}",
                    "start_ms": base_ms + at * HALF_HOUR_MS,
                    "end_ms": base_ms + (at + 1) * HALF_HOUR_MS,
                    "source_id": "src_bench",
                    "lang": "en",
                    "hash": "bench",
                }
                for n, at in slots
            ],
        ),
        (
            epg_event_text,
            [
                {
                    "event_id": f"evt_b{n}.{at}",
                    "lang": "en",
                    "title": f"Programme {at} of {n}",
                    "descr": "Two lines of text, as a guide has them for a programme. " * 3,
                }
                for n, at in slots
            ],
        ),
    ]
