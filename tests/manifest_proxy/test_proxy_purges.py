"""Purges that operators asked for, heard over the shared store (section 11, MP-43)."""

import asyncio
import json
from asyncio import Task
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from manifest_proxy.errors import UpstreamError
from manifest_proxy.ledger import Ledger
from manifest_proxy.purges import LIVE, MAX_HEARD, PURGES, Purges, below
from manifest_proxy.spots import Clips
from manifest_proxy.upstream import Upstream
from manifest_proxy.urls import Origin as Place
from runtime.clock import ManualClock
from runtime.fetch import Fetched, Fetcher, FetchError
from runtime.store import MemoryStore, StoreError

PATHS = ("/vod/film/a.m3u8", "/vod/film/v/b.m3u8?_HLS_msn=1", "/vod/film-2/a.m3u8", "/live/c.mpd")
LEDGER = Ledger(ManualClock())


class Origin(Fetcher):
    def __init__(self) -> None:
        super().__init__(["http://o"])
        self.body = b"x"
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.fault: FetchError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def get(self, url: str, headers: Any = None, **_: Any) -> Fetched:
        self.asked.append((url.removeprefix("http://o"), headers or {}))
        body = self.body
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return Fetched(200, {"cache-control": "max-age=3600", "etag": '"e"'}, body)


def upstream(origin: Origin, clock: ManualClock | None = None) -> Upstream:
    return Upstream(
        origin,
        "http://o",
        clock or ManualClock(),
        stale_if_error_s=30,
        stale_while_revalidate_s=0.5,
        blocking_timeout_s=1,
        capacity=8,
        capacity_bytes=1_000,
    )


def event(*paths: Any, kind: str = "cdn.purge_requested", **more: str) -> bytes:
    return json.dumps({"type": kind, "data": {"cdn_id": "A", "paths": paths, **more}}).encode()


@pytest.mark.parametrize(
    "path, gone",
    [
        ("/vod/film/", PATHS[:2]),
        ("/vod/film/v/b.m3u8", PATHS[1:2]),
        ("/vod/film", ()),
        ("/live/", PATHS[3:]),
        ("/vod/", PATHS[:3]),
    ],
)
async def test_what_is_purged_goes_and_nothing_else(path: str, gone: tuple[str, ...]) -> None:
    origin = Origin()
    cache = upstream(origin)
    for each in PATHS:
        await cache.get(each)
    changed: list[None] = []
    Purges(MemoryStore(), cache, LEDGER, lambda: changed.append(None)).hear(event(path))
    assert tuple(each for each in PATHS if cache.fresh(each) is None) == gone
    assert len(changed) == 1
    origin.asked.clear()
    origin.fault = FetchError("unreachable", "o")
    for each in gone:
        with pytest.raises(UpstreamError):
            await cache.get(each)
    assert all("If-None-Match" not in headers for _, headers in origin.asked), "the copy is gone"


async def purged(origin: Origin, cache: Upstream, asking: Coroutine[Any, Any, Any]) -> Task[Any]:
    """What is asked of the origin, which holds it back, and purged on its way."""
    asked, before = asyncio.create_task(asking), len(origin.asked)
    origin.gate.clear()
    while len(origin.asked) == before:
        await asyncio.sleep(0)
    cache.purge(below(["/vod/film/"]))
    return asked


async def test_what_was_on_its_way_is_not_kept() -> None:
    origin = Origin()
    cache = upstream(origin)
    asked = await purged(origin, cache, cache.get(PATHS[0]))
    origin.gate.set()
    assert (await asked).body == b"x" and cache.fresh(PATHS[0]) is None


async def test_who_asks_after_a_purge_gets_what_is_fetched_after_it() -> None:
    """Not what was on its way to somebody before, and the CDN in between would hold (MP-43)."""
    origin = Origin()
    cache = upstream(origin)
    before = await purged(origin, cache, cache.get(PATHS[0]))
    origin.body = b"new"
    after = asyncio.create_task(cache.get(PATHS[0]))
    while len(origin.asked) < 2:
        await asyncio.sleep(0)
    origin.gate.set()
    assert ((await before).body, (await after).body) == (b"x", b"new")
    assert (await cache.get(PATHS[0])).body == b"new"


async def test_what_is_purged_while_the_origin_fails_is_not_served() -> None:
    clock, origin = ManualClock(), Origin()
    cache = upstream(origin, clock)
    await cache.get(PATHS[0])
    clock.advance(3601)
    origin.fault = FetchError("unreachable", "o")
    asked = await purged(origin, cache, cache.get(PATHS[0]))
    origin.gate.set()
    with pytest.raises(UpstreamError):
        await asked


class Slow(MemoryStore):
    """Is late with what it is given."""

    async def put(self, key: str, value: bytes, ttl_ms: int | None = None) -> None:
        for _ in range(9):
            await asyncio.sleep(0)
        await super().put(key, value, ttl_ms)


async def rest(ledger: Ledger) -> None:
    async with asyncio.timeout(60):
        while ledger._tasks:
            await asyncio.sleep(0)


async def test_what_was_on_its_way_is_not_shared_for_outages() -> None:
    origin, store = Origin(), MemoryStore()
    cache, ledger = upstream(origin), Ledger(ManualClock(), store)
    clips = Clips(cache, Place("http://o"), ledger, ManualClock())
    asked = await purged(origin, cache, clips._kept(PATHS[0]))
    origin.gate.set()
    await asked
    await rest(ledger)
    assert await ledger.last(PATHS[0]) is None
    await clips._kept(PATHS[0])
    await rest(ledger)
    assert await ledger.last(PATHS[0]) == b"x"


async def test_what_nodes_share_for_outages_is_purged_too() -> None:
    """MP-45, MP-46: with the origin down, a node that was just restarted has none of it either."""
    clock, store = ManualClock(), Slow()
    ours, others = Ledger(clock, store), Ledger(clock, store)
    ours.keep("/vod/slate/a.m3u8", b"old")
    ours.keep("/vod/else.m3u8", b"stays")
    ours.purge(below(["/vod/slate/"]))
    await rest(ours)
    assert await others.last("/vod/slate/a.m3u8") is None
    assert await others.last("/vod/else.m3u8") == b"stays"
    others.keep("/vod/slate/a.m3u8", b"new")
    await rest(others)
    ours.purge(below(["/vod/"]))
    await rest(ours)
    assert await others.last("/vod/slate/a.m3u8") == b"new", "it was never ours"
    others.purge(below(["/vod/"]))
    await rest(others)
    assert await ours.last("/vod/slate/a.m3u8") is None


async def test_a_purge_is_heard_once_whatever_the_number_of_cdns() -> None:
    cache = upstream(Origin())
    changed: list[None] = []
    part = Purges(MemoryStore(), cache, LEDGER, lambda: changed.append(None))
    before = PURGES._value.get()
    for _ in range(3):
        await cache.get(PATHS[0])
        part.hear(event("/vod/film/", "/live/", "/live/", purge_id="one"))
    assert cache.fresh(PATHS[0]) is not None and len(changed) == 1
    assert PURGES._value.get() == before + 2
    for number in range(MAX_HEARD):
        part.hear(event(purge_id=str(number)))
    part.hear(event("/vod/film/", purge_id="one"))
    assert cache.fresh(PATHS[0]) is None, "what is long ago is forgotten"


@pytest.mark.parametrize(
    "raw",
    [
        event("/vod/", kind="dlq.message_added"),
        b"cdn.purge_requested",
        event(7),
        b'{"type":"cdn.purge_requested"}',
        b'{"type":"cdn.purge_requested","data":{}}',
        b"\xffcdn.purge_requested",
    ],
)
async def test_what_is_no_purge_takes_nothing(raw: bytes) -> None:
    cache = upstream(Origin())
    await cache.get(PATHS[0])
    Purges(MemoryStore(), cache, LEDGER, lambda: None).hear(raw)
    assert cache.fresh(PATHS[0]) is not None


class Flapping(MemoryStore):
    """Refuses the first who listens."""

    refused = 0

    def subscribe(self, channel: str) -> Any:
        if not self.refused:
            self.refused += 1
            raise StoreError("unavailable", "x")
        return super().subscribe(channel)


async def test_a_node_that_may_have_missed_one_asks_the_origin(monkeypatch: Any) -> None:
    """An outage of both store and origin still leaves viewers what there is (MP-43)."""
    monkeypatch.setattr("manifest_proxy.purges.PAUSE_S", 0.01)
    origin, store = Origin(), Flapping()
    cache = upstream(origin)
    await cache.get(PATHS[0])
    part = Purges(store, cache, LEDGER, lambda: None)
    await part.start()
    try:
        async with asyncio.timeout(60):
            while cache.fresh(PATHS[0]) is not None:
                await asyncio.sleep(0.01)
            origin.fault = FetchError("unreachable", "o")
            assert (await cache.get(PATHS[0])).body == b"x"
            assert origin.asked[-1][1] == {"If-None-Match": '"e"'}
            origin.fault = None
            await cache.get(PATHS[3])
            await store.publish(LIVE, event("/live/"))
            while cache.fresh(PATHS[3]) is not None:
                await asyncio.sleep(0.01)
    finally:
        await part.stop()
