"""Two origins, breakers, and copies that are renewed behind the viewers' backs (MP-23, MP-43)."""

import asyncio
from collections.abc import Mapping

import pytest

from manifest_proxy.errors import UpstreamError
from manifest_proxy.origins import FAILURES, OPEN_S
from manifest_proxy.upstream import Upstream
from runtime.clock import ManualClock
from runtime.fetch import Fetched, Fetcher, FetchError

GOOD = Fetched(200, {"cache-control": "max-age=2"}, b"good")


class Two(Fetcher):
    """Origins a and b: each has an answer, a failure, or says nothing until `release`."""

    def __init__(self, **answers: Fetched | FetchError | None) -> None:
        super().__init__(["http://a", "http://b"])
        self.answers = answers
        self.asked: list[str] = []
        self.release = asyncio.Event()

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Fetched:
        name = url[len("http://")]
        self.asked.append(name)
        answer = self.answers[name]
        if answer is None:
            await self.release.wait()
            answer = GOOD
        if isinstance(answer, FetchError):
            raise answer
        return answer


def cache(origins: Fetcher, clock: ManualClock, **options: float) -> Upstream:
    return Upstream(
        origins,
        "http://a",
        clock,
        stale_if_error_s=0,
        blocking_timeout_s=14,
        capacity=8,
        capacity_bytes=1000,
        backup_url="http://b",
        **options,  # type: ignore[arg-type]
    )


REFUSED = FetchError("refused", "x")


@pytest.mark.parametrize(
    "first, asked",
    [
        (GOOD, "a"),
        (REFUSED, "ab"),
        (Fetched(500, {}, b""), "ab"),
        (FetchError("timeout", "x"), "ab"),
        (None, "ab"),  # says nothing: hedged
    ],
)
async def test_the_second_origin_is_asked_when_the_first_fails_or_dawdles(
    first: Fetched | FetchError | None, asked: str
) -> None:
    origins = Two(a=first, b=GOOD)
    version = await cache(origins, ManualClock(), hedge_s=0.01).get("/m")
    assert version.body == b"good" and "".join(origins.asked) == asked
    assert version.url.root == b"http://a", "equal bytes whoever answered"


async def test_a_held_playlist_is_not_hedged_by_time() -> None:
    origins = Two(a=None, b=GOOD)
    held = asyncio.create_task(cache(origins, ManualClock(), hedge_s=0.01).get("/m?_HLS_msn=1"))
    await asyncio.sleep(0.1)
    assert origins.asked == ["a"] and not held.done()
    origins.release.set()
    assert (await held).body == b"good" and origins.asked == ["a"]


@pytest.mark.parametrize("status", [404, 410, 503])
async def test_an_answer_with_a_meaning_is_final_for_that_origin(status: int) -> None:
    origins = Two(a=Fetched(status, {}, b""), b=GOOD)
    with pytest.raises(UpstreamError) as caught:
        await cache(origins, ManualClock()).get("/m")
    assert caught.value.status == status and origins.asked == ["a"]


async def test_when_both_fail_the_first_failure_is_told() -> None:
    origins = Two(a=FetchError("timeout", "x"), b=REFUSED)
    with pytest.raises(UpstreamError) as caught:
        await cache(origins, ManualClock()).get("/m")
    assert (caught.value.code, caught.value.status) == ("origin_timeout", 504)


async def test_an_origin_that_keeps_failing_is_left_alone_for_a_while() -> None:
    clock, origins = ManualClock(), Two(a=REFUSED, b=GOOD)
    upstream = cache(origins, clock)
    for at in range(FAILURES + 3):
        await upstream.get(f"/{at}")
    assert origins.asked.count("a") == FAILURES
    clock.advance(OPEN_S)
    origins.answers |= {"a": GOOD, "b": REFUSED}
    await upstream.get("/x")
    await upstream.get("/y")
    assert origins.asked[-1] == "a", "a probe found it well"


async def test_an_expired_copy_serves_once_more_while_the_next_is_fetched() -> None:
    clock, origins = ManualClock(), Two(a=GOOD, b=REFUSED)
    upstream = cache(origins, clock, stale_while_revalidate_s=1.0)
    version = await upstream.get("/m")
    clock.advance(2.5)
    origins.answers["a"] = Fetched(200, {"cache-control": "max-age=2"}, b"new")
    assert upstream.fresh("/m") is version and upstream.fresh("/m") is version
    async with asyncio.timeout(60):
        while (found := upstream.fresh("/m")) is version:
            await asyncio.sleep(0)
    assert found and found.body == b"new" and origins.asked == ["a", "a"]
    clock.advance(3.1)
    assert upstream.fresh("/m") is None, "too old to be shown unasked"
