"""A database that hangs is one that is away: where a copy would do, nobody waits for it (CTL-84,
CTL-188).
"""

import asyncio
from math import inf
from typing import Any

import pytest
from control_rigs.titles import load, row

from control_api import cases, endpoint, kept, seed
from control_api.epg.grid import HALF_HOUR_MS
from control_api.kept import FRESH_MS, STALE_MS, Kept
from control_api.times import now_ms
from runtime.sql import Database

PUBLIC = ("/v1/rails", "/v1/rails/popular", "/v1/genres", "/v1/epg", "/v1/epg/now")
FILM = {"device": {"id": "one"}, "content_id": "cnt_film"}


async def got(api: Any, path: str, **headers: str) -> tuple[int, str, Any]:
    async with api.client.get(api.url + path, headers=headers) as response:
        return response.status, response.headers.get("X-Source", ""), await response.json()


@pytest.mark.parametrize("path", PUBLIC)
async def test_a_copy_is_given_while_the_database_hangs(
    api: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """And whoever has none waits for his whole time."""
    await load(api, row("s_a", genres=["noir"]))
    status, source, told = await got(api, path)
    assert (status, source) == (200, "")
    budgets: list[float] = []

    def patience_s(budget_ms: float) -> float:
        budgets.append(budget_ms)
        return 0.001

    class Hung:
        async def __aenter__(self) -> Any:
            await asyncio.Event().wait()

        async def __aexit__(self, *_: object) -> None:
            return None

    later_ms = now_ms() + HALF_HOUR_MS
    monkeypatch.setattr(endpoint, "now_ms", lambda: later_ms)
    monkeypatch.setattr(kept, "patience_s", patience_s)
    monkeypatch.setattr(Database, "read", lambda *_, **__: Hung())
    assert await got(api, path) == (200, "stale", told)
    told_ms = {"X-Request-Timeout-Ms": "87654"}
    assert await got(api, path, **told_ms) == (200, "stale", told)
    assert set(budgets) == {inf, 87_654}
    other = {"X-Request-Timeout-Ms": "40"}
    assert (await got(api, f"{path}?max_age=3", **other))[0] == 503


def test_two_waits_fit_into_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LATE_MS", 1_000)
    assert [kept.patience_s(ms) for ms in (inf, 5_000, 300, 3)] == [1, 1, 0.1, 0.001]


async def test_what_comes_late_is_there_for_the_next() -> None:
    """It is made once; a copy older than a day is none."""
    answers: Kept[str, int] = Kept()
    free, made = asyncio.Event(), 0

    async def make() -> int:
        nonlocal made
        await free.wait()
        made += 1
        return made

    free.set()
    assert await answers.get("k", 0, make) == (1, False)
    free.clear()
    for _ in range(3):
        assert await answers.get("k", FRESH_MS, make, budget_ms=1) == (1, True)
    old = asyncio.create_task(answers.get("k", STALE_MS, make, budget_ms=1))
    free.set()
    assert await old == (2, False), "nothing else would do"
    assert await answers.get("k", FRESH_MS, make, budget_ms=1) == (2, False)


async def test_rights_that_come_late_are_those_of_before(
    database: Any, make_api: Any, wheel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless something was told of them: then there is nothing but to wait."""
    api = await make_api(database, access_cache_s=60)
    known = api.services.playback.cases
    free, ask = asyncio.Event(), cases.household.ask

    async def late(*given: Any) -> Any:
        await free.wait()
        return await ask(*given)

    async def asked() -> tuple[int, str]:
        status, told = await api.send("POST", "/v1/entitlements/check", FILM)
        return status, told.get("source") or told["code"]

    assert await asked() == (200, "sql")
    monkeypatch.setattr(cases.household, "ask", late)
    monkeypatch.setattr(known, "_late_s", 0.001)
    wheel.advance(61)
    assert [await asked() for _ in range(2)] == [(200, "stale")] * 2
    known.forget(seed.ACCOUNT)
    waiting = asyncio.create_task(asked())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    free.set()
    assert await waiting == (200, "sql")
    assert await asked() == (200, "cache")
