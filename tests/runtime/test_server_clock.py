"""Time that several machines share, whatever their own clocks say."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime import clock
from runtime.clock import ManualClock, SteadyClock
from runtime.store import MemoryStore, RedisStore, SessionPolicy, StoreError
from runtime.store.server_clock import AGAIN_S, ServerClock


class Stepped:
    """The machine's clock, set wrong by `ahead_s`."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + 1_000 * self.ahead_s

    def monotonic_s(self) -> float:
        return time.monotonic()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Stepped:
    stepped = Stepped()
    monkeypatch.setattr(clock, "SYSTEM", stepped)
    return stepped


def test_a_steady_clock_goes_on_by_monotonic_time() -> None:
    hand = ManualClock(5_000)
    steady = SteadyClock(hand)
    hand.advance(2.5)
    assert steady.now_ms() == 7_500
    steady.tell(100)
    hand.advance(1)
    assert steady.now_ms() == 1_100


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Starts clients of one store."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    made: list[Any] = []

    async def one(**options: Any) -> Any:
        if url or not made:
            client = (
                RedisStore(url, timeout_ms=10_000, **options) if url else MemoryStore(**options)
            )
            made.append(client)
            await client.start()
            if url and len(made) == 1:
                await client._quick.flushall()
        return made[-1]

    yield one
    for each in made:
        await each.stop()


@pytest.mark.parametrize("ahead_s", [3_600, -3_600])
async def test_sessions_and_limits_do_not_mind_a_step_of_the_clock(
    make: Any, ahead_s: int, machine: Stepped
) -> None:
    """CTL-102, CTL-108, CTL-164: a session stays live, a limit opens when it has to."""
    policy = SessionPolicy(ttl_ms=60_000)
    rate = {"limit": 1, "period_ms": 100, "burst": 1}
    first = await make(policy=policy)
    await first.admit("acc", "one", device="d", detail=b"", limit=1)
    machine.ahead_s = ahead_s
    wrong = await make(policy=policy)  # one that begins with the wrong time
    assert await wrong.reap() == []
    assert abs(wrong.now_ms() - first.now_ms()) < 1_800_000, "one time for all"
    for each in (first, wrong):
        assert (await each.heartbeat("acc", "one", limit=1)).beat == "live"
        await each.gcra("rl:x", **rate)
    machine.ahead_s = 0
    for each in (first, wrong, await make(policy=policy)):
        assert await each.reap() == []
        assert (await each.heartbeat("acc", "one", limit=1)).beat == "live"
        assert not (await each.admit("acc", "two", device="e", detail=b"", limit=1)).admitted
        assert (await each.gcra("rl:x", **rate)).retry_after_ms <= 200


async def test_an_answer_corrects_what_it_proves_wrong(machine: Stepped) -> None:
    """The server's time was at its earliest when asked and at its latest when answered."""
    hand = ManualClock(1_000_000)
    coming: list[tuple[float, int]] = []

    async def ask() -> list[bytes]:
        took_s, told = coming.pop()
        hand.advance(took_s)
        if not told:
            raise StoreError("timeout", "no answer from the store in time")
        return [b"%d" % (told // 1_000), b"%d" % (told % 1_000 * 1_000)]

    found = ServerClock(ask)
    found._clock = hand
    found.tell(hand.now_ms())
    for took_s, told, expected in (
        (0.0, 900_000, 900_000),
        (0.4, 900_000, 900_400),  # it is between 900,000 and 900,400
        (0.4, 900_700, 900_800),
        (0.4, 905_000, 905_000),
        (0.4, 0, 905_400),  # no answer
    ):
        coming.append((took_s, told))
        await found.learn()
        assert found.now_ms() == expected, told
    hand.advance(AGAIN_S)
    coming.append((0.0, 1_905_000))
    found.now_ms()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert found.now_ms() == 1_905_000, "asked again by itself"
    await found.close()


async def test_limits_that_a_wrong_clock_wrote_are_begun_anew(make: Any) -> None:
    """A server whose own clock goes back does not keep its limits shut for as long."""
    hand = ManualClock(1_000_000_000)
    store = await make(clock=hand)

    async def asked(times: int) -> list[bool]:
        rate = {"limit": 1, "period_ms": 1_000, "burst": 2}
        return [(await store.gcra("rl:y", **rate)).allowed for _ in range(times)]

    assert await asked(3) == [True, True, False]
    hand._now_ms -= 1_000
    assert await asked(1) == [False], "so much may clocks differ"
    hand._now_ms -= 3_600_000
    assert await asked(3) == [True, True, False]
