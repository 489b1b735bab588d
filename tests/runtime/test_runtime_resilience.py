"""Single flight, breaker, clock, trace and sampled metrics: the small parts without sockets."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.contextvars import bound_contextvars

from runtime import metrics, trace
from runtime.breaker import Breaker, BreakerOpen
from runtime.clock import SYSTEM, ManualClock
from runtime.flight import SingleFlight


class Work:
    """Something slow that is let go by hand."""

    def __init__(self) -> None:
        self.calls = 0
        self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.calls += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return self.calls


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_callers_share_one_flight() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    work = Work()
    callers = [asyncio.create_task(flight.do("k", work)) for _ in range(20)]
    other = asyncio.create_task(flight.do("other", work))
    await settle()
    assert (work.calls, len(flight)) == (2, 2)
    work.go.set()
    assert len({await caller for caller in callers}) == 1
    await other
    assert len(flight) == 0
    await flight.do("k", work)
    assert work.calls == 3


async def test_what_comes_late_goes_on_without_who_left() -> None:
    """Whoever is next has it, or its error; that nobody is left to hear of it harms nobody."""
    flight: SingleFlight[str, int] = SingleFlight()
    work = Work()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await flight.soon("k", work, 0.001)
    assert (work.calls, work.cancelled, len(flight)) == (1, 0, 1)
    next_one = asyncio.create_task(flight.soon("k", work, 60))
    await settle()
    work.go.set()
    assert await next_one == 1
    await settle()
    assert len(flight) == 0
    work.go.clear()
    with pytest.raises(TimeoutError):
        await flight.soon("k", work, 0.001)
    work.error = ValueError("no")
    work.go.set()
    await settle()
    assert (work.calls, len(flight)) == (2, 0)


async def test_who_waits_for_what_is_late_may_leave_too() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    work = Work()
    only = asyncio.create_task(flight.soon("k", work, 60))
    await settle()
    only.cancel()
    await settle()
    assert only.cancelled() and (work.cancelled, len(flight)) == (1, 0)


async def test_a_failure_goes_to_all_and_is_not_kept() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.error = ValueError("no")
    work.go.set()
    results = await asyncio.gather(
        *(flight.do("k", work) for _ in range(5)), return_exceptions=True
    )
    assert [type(each) for each in results] == [ValueError] * 5
    assert (work.calls, len(flight)) == (1, 0)


async def test_one_leaver_does_not_stop_the_others_but_the_last_does() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    work = Work()
    first, second = (asyncio.create_task(flight.do("k", work)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert (work.cancelled, len(flight)) == (0, 1)
    second.cancel()
    await settle()
    assert (work.cancelled, len(flight)) == (1, 0)


async def fail() -> None:
    raise OSError("down")


async def succeed() -> str:
    return "up"


async def opened(clock: ManualClock, **more: object) -> Breaker:
    breaker = Breaker("dep", clock=clock, **more)  # type: ignore[arg-type]
    for _ in range(5):
        assert breaker.state == "closed"
        with pytest.raises(OSError, match="down"):
            await breaker.call(fail)
    assert breaker.state == "open"
    return breaker


async def test_the_breaker_opens_after_five_in_a_row() -> None:
    clock = ManualClock()
    breaker = Breaker("dep", clock=clock)
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(OSError, match="down"):
                await breaker.call(fail)
        assert await breaker.call(succeed) == "up"
    breaker = await opened(clock)
    clock.advance(29.5)
    with pytest.raises(BreakerOpen) as caught:
        await breaker.call(succeed)
    assert caught.value.retry_after_s == pytest.approx(0.5)


async def test_who_fails_while_others_are_answered_says_nothing() -> None:
    """CTL-187: calls that a busy process ends late, all at once, switch off nothing."""
    breaker = Breaker("crowd", counts=(OSError,))
    late = Work()
    late.error = OSError()
    waiting = [asyncio.create_task(breaker.call(late)) for _ in range(9)]
    await settle()
    good = Work()
    good.go.set()
    await breaker.call(good)
    late.go.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert breaker.state == "closed"
    for _ in range(5):
        assert breaker.state == "closed"
        with pytest.raises(OSError):
            await breaker.call(late)
    assert breaker.state == "open", "nobody was answered since"


async def test_exactly_one_probe_goes_through() -> None:
    """CTL-187; purgatory lets 10 of 10 through (CMP-30)."""
    clock = ManualClock()
    breaker = await opened(clock)
    clock.advance(30)
    work = Work()
    calls = [asyncio.create_task(breaker.call(work)) for _ in range(10)]
    await settle()
    assert (work.calls, breaker.state) == (1, "half_open")
    work.go.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in results].count(BreakerOpen) == 9
    assert breaker.state == "closed"


async def test_a_failed_probe_waits_again_and_a_cancelled_one_does_not() -> None:
    clock = ManualClock()
    breaker = await opened(clock)
    clock.advance(30)
    with pytest.raises(OSError, match="down"):
        await breaker.call(fail)
    with pytest.raises(BreakerOpen):
        await breaker.call(succeed)
    clock.advance(30)
    probe = asyncio.create_task(breaker.call(Work()))
    await settle()
    probe.cancel()
    await settle()
    assert await breaker.call(succeed) == "up"


async def test_an_old_calls_answer_does_not_close_an_open_breaker() -> None:
    clock = ManualClock()
    breaker = Breaker("dep", clock=clock)
    old = Work()
    late = asyncio.create_task(breaker.call(old))
    await settle()
    for _ in range(5):
        with pytest.raises(OSError, match="down"):
            await breaker.call(fail)
    old.go.set()
    await late
    assert breaker.state == "open"


async def test_errors_that_do_not_count() -> None:
    breaker = Breaker("dep", counts=(OSError,))

    async def wrong() -> None:
        raise ValueError("caller's own")

    for _ in range(9):
        with pytest.raises(ValueError, match="own"):
            await breaker.call(wrong)
    assert breaker.state == "closed"


def test_the_manual_clock_moves_forward_only() -> None:
    clock = ManualClock(1000)
    clock.advance(1.5)
    assert (clock.now_ms(), clock.monotonic_s()) == (2500, 1.5)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)
    assert SYSTEM.now_ms() > 1_700_000_000_000
    assert SYSTEM.monotonic_s() <= SYSTEM.monotonic_s()


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "garbage",
        PARENT.upper(),
        PARENT + "-extra",
        PARENT.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)
def test_a_malformed_traceparent_is_dropped(bad: str | None) -> None:
    assert trace.continued(bad) is None


def test_a_trace_is_continued_with_a_span_of_our_own() -> None:
    mine = trace.continued(PARENT)
    assert mine is not None
    assert mine.split("-")[1] == PARENT.split("-")[1]
    assert mine.split("-")[2] != PARENT.split("-")[2]
    assert trace.continued("01" + PARENT[2:] + "-more") is not None
    with bound_contextvars(request_id="r1", traceparent=mine):
        sent = trace.outgoing()
    assert sent["X-Request-Id"] == "r1"
    assert sent["traceparent"].split("-")[1] == PARENT.split("-")[1]


@pytest.mark.parametrize("given", ["a b", "", "x" * 65, "ü", "a\n"])
def test_a_strange_request_id_is_replaced(given: str) -> None:
    assert trace.request_id({"X-Request-Id": given}) != given
    assert trace.request_id({"X-Request-Id": "req_1.a:b-C"}) == "req_1.a:b-C"


def test_sampled_sources_add_up_and_leave() -> None:
    sampled = metrics.Sampled("test_sampled", "for this test", ("kind",))
    leave = sampled.add(lambda: {("a",): 2.0})
    sampled.add(lambda: {("a",): 3.0, ("b",): 1.0})

    def read() -> dict[str, float]:
        families = text_string_to_metric_families(metrics.exposition().decode())
        found = next(f for f in families if f.name == "headwater_test_sampled")
        return {sample.labels["kind"]: sample.value for sample in found.samples}

    assert read() == {"a": 5.0, "b": 1.0}
    leave()
    assert read() == {"a": 3.0, "b": 1.0}
