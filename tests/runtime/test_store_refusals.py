"""A real server that is there and serves nobody: unavailable, however it is asked (CTL-188)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis import asyncio as driver
from redis.exceptions import ConnectionError as ServerGone
from redis.exceptions import RedisClusterException, ResponseError

from runtime.store import RedisStore, StoreError, clients

pytestmark = pytest.mark.twin
Ask = Callable[[RedisStore], Awaitable[Any]]
WRITES: dict[str, Ask] = {
    "command": lambda store: store.put("refused", b"1"),
    "script": lambda store: store.incr_and_publish("refused:n", "refused", b""),
    "pipeline": lambda store: store.heartbeats([("refused", "s", 1)]),
    "pool": lambda store: store.read("refused:s", "g", "c"),
    "waiting": lambda store: store.read("refused:s", "g", "c", block_ms=1),
}


@pytest.fixture
async def operator(redis_url: str) -> AsyncIterator[Any]:
    """Who rules the server; afterwards it is as it was."""
    client = driver.Redis.from_url(redis_url, single_connection_client=True)
    await client.ping()
    yield client
    await client.config_set("requirepass", "")
    await client.execute_command("REPLICAOF", "NO", "ONE")
    await client.aclose()


@pytest.mark.parametrize("way", WRITES)
async def test_a_server_that_became_a_replica(way: str, redis_url: str, operator: Any) -> None:
    """And is written to again once it is the primary."""
    ask, store = WRITES[way], RedisStore(redis_url, timeout_ms=20_000)
    await store.start()
    await store.admit("refused", "s", device="d", detail=b"", limit=1)
    await operator.execute_command("REPLICAOF", "127.0.0.1", "9")
    with pytest.raises(StoreError, match="unavailable: READONLY"):
        await ask(store)
    await operator.execute_command("REPLICAOF", "NO", "ONE")
    await ask(store)
    await store.stop()


@pytest.mark.parametrize("fault", [RedisClusterException("none"), OSError("away"), None])
async def test_a_vain_search_for_another_server_is_no_other_error(
    fault: Exception | None, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it last: None never ends."""

    async def anew(_client: object) -> None:
        if fault is not None:
            raise fault
        await asyncio.Event().wait()

    async def refused() -> None:
        raise ResponseError("READONLY a replica")

    store = RedisStore(redis_url, timeout_ms=20_000)
    await store.start()
    store._timeout_s = 0.05
    monkeypatch.setattr(clients, "anew", anew)
    async with asyncio.timeout(60):
        with pytest.raises(StoreError, match="unavailable: READONLY"):
            await store._ask(refused(), within_s=30.0)
    await store.stop()


@pytest.mark.parametrize("fault", [ServerGone("closed"), OSError("closed"), None])
async def test_who_is_cancelled_is_so_whatever_the_driver_makes_of_it(
    fault: Exception | None,
) -> None:
    """Else work that outlives a store that is away outlives its own end; None is an answer."""

    async def swallows() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if fault is not None:
                raise fault from None

    store = RedisStore("redis://127.0.0.1:1", timeout_ms=60_000)
    asking = asyncio.create_task(store._ask(swallows()))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()


async def test_a_server_that_wants_a_password(redis_url: str, operator: Any) -> None:
    store = RedisStore(redis_url, timeout_ms=20_000)
    await store.start()
    await operator.config_set("requirepass", "secret")
    with pytest.raises(StoreError, match="unavailable: NOAUTH"):
        await store.get("refused")
    await store.stop()
    with pytest.raises(StoreError) as caught:
        await store.start()
    assert caught.value.code == "unavailable"
    await store.stop()
    wrong = RedisStore(redis_url.replace("unix://", "unix://:wrong@"), timeout_ms=20_000)
    with pytest.raises(StoreError) as caught:
        await wrong.get("refused")
    assert caught.value.code == "unavailable"
    await wrong.stop()


async def test_a_store_that_stopped_and_starts_again(redis_url: str, operator: Any) -> None:
    store = RedisStore(redis_url, timeout_ms=20_000)
    await store.start()
    await store.put("refused", b"1")
    await store.stop()
    known = len(await operator.client_list())
    with pytest.raises(StoreError, match="unavailable: closed"):
        await store.get("refused")
    assert len(await operator.client_list()) <= known
    await store.start()
    assert await store.get("refused") == b"1"
    await store.stop()
