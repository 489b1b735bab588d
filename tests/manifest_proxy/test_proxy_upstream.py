"""The cache in front of the origin: freshness, single flight, bounded staleness (MP-24, MP-43)."""

import asyncio
from collections.abc import Mapping

import pytest

from manifest_proxy.errors import UpstreamError
from manifest_proxy.upstream import MAX_COHORTS, Upstream
from native.holes import Template
from runtime.clock import ManualClock
from runtime.fetch import Fetched, Fetcher, FetchError


class ScriptedOrigin(Fetcher):
    """A client whose origin answers what the test says; every question is noted."""

    def __init__(self) -> None:
        super().__init__(["http://o"])
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.timeouts: list[float | None] = []
        self.answer: Fetched | FetchError = Fetched(200, {"cache-control": "max-age=2"}, b"one")
        self.gate = asyncio.Event()
        self.gate.set()

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Fetched:
        self.asked.append((url, headers or {}))
        self.timeouts.append(timeout_s)
        await self.gate.wait()
        if isinstance(self.answer, FetchError):
            raise self.answer
        return self.answer


def upstream(origin: Fetcher, clock: ManualClock, capacity: int = 8) -> Upstream:
    return Upstream(
        origin,
        "http://o",
        clock,
        stale_if_error_s=10,
        blocking_timeout_s=14,
        capacity=capacity,
        capacity_bytes=100,
    )


@pytest.mark.parametrize("status", [200, 304])
async def test_what_was_asked_before_a_doubt_does_not_end_it(status: int) -> None:
    clock, origin, told = ManualClock(), ScriptedOrigin(), {"cache-control": "max-age=2"}
    cache = upstream(origin, clock)
    origin.answer = Fetched(200, told | {"etag": '"a"'}, b"one")
    await cache.get("/m")
    clock.advance(3)
    origin.gate.clear()
    asked = asyncio.create_task(cache.get("/m"))
    while len(origin.asked) < 2:
        await asyncio.sleep(0)
    cache.doubt()
    origin.answer = Fetched(status, told, b"one" if status == 200 else b"")
    origin.gate.set()
    assert (await asked).body == b"one" and cache.fresh("/m") is None


async def test_a_copy_is_used_for_its_max_age_and_then_revalidated() -> None:
    clock, origin = ManualClock(), ScriptedOrigin()
    cache = upstream(origin, clock)
    assert cache.fresh("/m") is None
    origin.answer = Fetched(200, {"cache-control": "public, max-age=2", "etag": '"a"'}, b"one")
    version = await cache.get("/m")
    clock.advance(1.9)
    assert cache.fresh("/m") is version and await cache.get("/m") is version
    clock.advance(0.1)
    assert cache.fresh("/m") is None
    origin.answer = Fetched(304, {"cache-control": "max-age=2"}, b"")
    assert await cache.get("/m") is version, "what it compiled to is kept"
    assert [headers for _, headers in origin.asked] == [{}, {"If-None-Match": '"a"'}]
    clock.advance(2)
    origin.answer = Fetched(200, {"cache-control": "max-age=2"}, b"two")
    assert (await cache.get("/m")).body == b"two"


@pytest.mark.parametrize(
    "headers, lifetime_s",
    [
        ({"cache-control": "max-age=5"}, 5),
        ({"cache-control": "max-age=9, s-maxage=3"}, 3),
        ({"cache-control": "max-age=9", "age": "4"}, 5),
        ({"cache-control": "max-age=9", "age": "-4"}, 9),
        ({"cache-control": "no-cache, max-age=9"}, 0),
        ({"cache-control": "no-store"}, 0),
        ({"cache-control": "x-max-age=9"}, 0),
        ({}, 0),
    ],
)
async def test_lifetimes(headers: dict[str, str], lifetime_s: int) -> None:
    clock, origin = ManualClock(), ScriptedOrigin()
    cache = upstream(origin, clock)
    origin.answer = Fetched(200, headers, b"x")
    version = await cache.get("/m")
    assert version.fresh_until_s == clock.monotonic_s() + lifetime_s


async def test_a_crowd_causes_one_fetch() -> None:
    origin = ScriptedOrigin()
    cache = upstream(origin, ManualClock())
    origin.gate.clear()
    crowd = [asyncio.create_task(cache.get("/m")) for _ in range(200)]
    other = asyncio.create_task(cache.get("/m?_HLS_msn=5"))
    while len(origin.asked) < 2:
        await asyncio.sleep(0)
    origin.gate.set()
    versions = {id(version) for version in await asyncio.gather(*crowd)}
    assert len(versions) == 1 and len(origin.asked) == 2
    assert (await other).body == b"one"
    assert origin.timeouts == [None, 14], "a held playlist may take longer"


async def test_stale_while_the_origin_fails_but_not_for_ever() -> None:
    clock, origin = ManualClock(), ScriptedOrigin()
    cache = upstream(origin, clock)
    version = await cache.get("/m")
    clock.advance(3)
    origin.answer = FetchError("refused", "o")
    assert await cache.get("/m") is version
    asked = len(origin.asked)
    assert await cache.get("/m") is version and len(origin.asked) == asked, "asked once a second"
    clock.advance(1)
    assert await cache.get("/m") is version and len(origin.asked) == asked + 1
    clock.advance(10)
    with pytest.raises(UpstreamError, match="origin_refused"):
        await cache.get("/m")
    origin.answer = Fetched(200, {}, b"back")
    assert (await cache.get("/m")).body == b"back"


@pytest.mark.parametrize(
    "answer, status",
    [
        (Fetched(404, {}, b""), 404),
        (Fetched(410, {}, b""), 410),
        (Fetched(425, {}, b""), 425),
        (Fetched(503, {}, b""), 503),
        (Fetched(500, {}, b""), 502),
        (Fetched(302, {}, b""), 502),
        (Fetched(304, {}, b""), 502),
        (FetchError("timeout", "o"), 504),
        (FetchError("unreachable", "o"), 502),
        (FetchError("too_large", "o"), 502),
    ],
)
async def test_statuses(answer: Fetched | FetchError, status: int) -> None:
    """O20 passes what has a meaning, MP-31 and MP-34 name the rest."""
    origin = ScriptedOrigin()
    origin.answer = answer
    with pytest.raises(UpstreamError) as caught:
        await upstream(origin, ManualClock()).get("/m")
    assert caught.value.status == status


async def test_gone_is_gone_even_with_a_copy() -> None:
    clock, origin = ManualClock(), ScriptedOrigin()
    cache = upstream(origin, clock)
    await cache.get("/m")
    clock.advance(3)
    origin.answer = Fetched(410, {}, b"")
    with pytest.raises(UpstreamError):
        await cache.get("/m")


async def test_memory_is_bounded_by_count_and_bytes() -> None:
    origin = ScriptedOrigin()
    cache = upstream(origin, ManualClock(), capacity=3)
    for name in "abcd":
        await cache.get(f"/{name}")
    assert [cache.fresh(f"/{name}") is not None for name in "abcd"] == [False, True, True, True]
    origin.answer = Fetched(200, {"cache-control": "max-age=2"}, b"x" * 99)
    await cache.get("/big")
    assert [cache.fresh(f"/{name}") is not None for name in "bcd"] == [False] * 3
    assert cache.fresh("/big") is not None


async def test_cohorts_of_a_version_are_compiled_once_and_bounded() -> None:
    version = await upstream(ScriptedOrigin(), ManualClock()).get("/m")
    made = [version.compiled_for(0, lambda: Template([b"x"])) for _ in range(3)]
    assert made[0] is made[1] is made[2]
    for cohort in range(MAX_COHORTS * 2):
        version.compiled_for(cohort, lambda: Template([b"x"]))
    assert len(version.compiled) == MAX_COHORTS
