"""A primary that dies, and the one whom Sentinels name then; signed in by ACL (CMP-2, CTL-188)."""

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from redis import asyncio as driver
from twins.sentinels import SERVICE, Watched, watched

from runtime.store import RedisStore, StoreError
from runtime.store.sentinels import Named, pool

pytestmark = pytest.mark.twin


@pytest.fixture
def servers() -> Iterator[Watched]:
    with watched() as made:
        yield made


async def until_written(store: RedisStore, key: str) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                return await store.put(key, b"1")
            except StoreError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_failover_keeps_what_was_replicated(
    number: signal.Signals, servers: Watched
) -> None:
    """Over the lane and the pool; a primary that comes back is a replica, and not written to."""
    store = RedisStore(servers.url, timeout_ms=4_000)
    await store.start()
    first, second = servers.servers
    assert (await store.admit("acc", "s", device="d", detail=b"x", limit=1)).admitted
    await store.append("evt", b"1")
    assert [m.body for m in await store.read("evt", "g", "c")] == [b"1"]
    assert await store._quick.wait(1, 10_000) == 1
    servers.tell(first, number)
    await until_written(store, "after")
    servers.until(second, "info replication", "role:master")
    assert (await store.heartbeat("acc", "s", limit=1)).beat == "live"
    await store.append("evt", b"2")
    async with asyncio.timeout(60):
        while True:
            try:
                assert [m.body for m in await store.read("evt", "g", "c")] == [b"2"]
                break
            except StoreError:
                await asyncio.sleep(0.05)
    if number is signal.SIGSTOP:
        servers.tell(first, signal.SIGCONT)
    else:
        servers.serve(first)
    servers.until(first, "info replication", "role:slave.*master_link_status:up")
    await until_written(store, "again")
    servers.tell(second, signal.SIGKILL)
    await until_written(store, "back")
    assert await store.get("again") in (b"1", None)
    assert (await store.heartbeat("acc", "s", limit=1)).beat == "live"
    await store.stop()


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel:///x",
        "redis+sentinel://a:1",
        "redis+sentinel://:1/x",
        "redis+sentinel://app:hidden@h:1/svc/hidden",
        "redis+sentinel://app:hidden@h:1/svc/-1",
        "redis+sentinel://app:hidden@h:x/svc",
        "redis+sentinel://app:hidden@g:1,h:99999/svc",
        "redis+sentinel://app:hidden@[h/svc",
        "redis+sentinel://app:hidden\u2100@h/svc",
        "redis://app:hidden@h:x/0",
        "redis://app:hidden@h:1/hidden",
        "gopher://app:hidden@h",
    ],
)
async def test_an_address_that_is_none_is_refused_by_its_settings_name(url: str) -> None:
    """What it says stays out of the error: it may hold a password."""
    with pytest.raises(ValueError, match=r"^store\.url: ") as caught:
        pool(driver.ConnectionPool, url, retry=None)
    assert "hidden" not in str(caught.value) and caught.value.__suppress_context__


def test_databases_have_numbers() -> None:
    for url in ("redis+sentinel://h/svc/2", "redis://h:1/2", "unix:///a/b?db=2"):
        found = pool(driver.ConnectionPool, url, retry=None)
        assert found.connection_kwargs["db"] == 2


async def test_a_server_that_is_no_primary_is_not_asked(servers: Watched, monkeypatch: Any) -> None:
    """A Sentinel that has not heard of it yet names a replica, and is the first to answer."""
    _, second = servers.servers
    plain, named = Named._ask, []

    async def ask(self: Named, host: str, port: int) -> tuple[str, int]:
        named.append(port)
        return ("127.0.0.1", second) if len(named) % 3 == 1 else await plain(self, host, port)

    monkeypatch.setattr(Named, "_ask", ask)
    store = RedisStore(servers.url, timeout_ms=10_000)
    await store.start()
    await store.put("key", b"1")
    assert await store.get("key") == b"1"
    assert len(named) >= 3
    await store.stop()


async def test_no_sentinel_no_primary_no_service() -> None:
    store = RedisStore(f"redis+sentinel://127.0.0.1:1,127.0.0.1:2/{SERVICE}", timeout_ms=4_000)
    with pytest.raises(StoreError, match="unavailable"):
        await store.start()
    await store.stop()
