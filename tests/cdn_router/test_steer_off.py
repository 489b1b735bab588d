"""Steering switched off by a rule: 410 for whom it is meant, by either way (ST-18, ST-20)."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from cdn_router.rules.book import Book
from cdn_router.rules.rule import LOTS, Rule, Who
from cdn_router.server import parts
from cdn_router.settings import Settings
from runtime.service import Web

ONE, OTHER = Who(tenant="one"), Who(tenant="other")


def test_the_first_rule_that_fits_says_who_is_steered() -> None:
    book = Book([Rule("kept", region="SE"), Rule("off", tenant="one", percent=30, off=True)], "AB")
    assert all(book.steers(OTHER, lot) for lot in range(LOTS))
    assert book.steers(Who(tenant="one", region="SE"), 0)
    assert Counter(book.steers(ONE, lot) for lot in range(LOTS)) == {False: 3_000, True: 7_000}
    assert not Book([Rule("all", off=True)], "AB").steers(Who(), LOTS - 1)


@pytest.fixture
async def listener() -> AsyncIterator[Web]:
    [web] = [p for p in parts(Settings(port=0, host="127.0.0.1")) if isinstance(p, Web)]
    await web.start()
    yield web
    await web.stop()


async def test_whose_steering_is_off_is_told_so_by_either_way(listener: Web) -> None:
    async with aiohttp.ClientSession(listener.url) as http:

        async def started(tenant: str) -> Any:
            body = {"session_id": tenant, "tenant": tenant}
            async with http.post("/v1/decisions", json=body) as answer:
                assert answer.status == 200
                return await answer.json()

        async def polled(url: str, **headers: str) -> int:
            async with http.get(url, headers=headers) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert answer.headers["Cache-Control"] == "no-store"
                if answer.status != 200:
                    assert (await answer.json())["error"] == "steering_off"
                return answer.status

        async def planned(**members: Any) -> None:
            async with http.get("/v1/plan") as answer:
                newest = (await answer.json())["newest_generation"]
            plan = {"generation": newest + 1, **members}
            async with http.put("/v1/plan", json=plan) as answer:
                assert answer.status == 200, await answer.text()

        urls = {}
        for tenant in ("one", "other"):
            steering = (await started(tenant))["steering"]
            urls[tenant] = listener.url + "/" + steering["hls"].split("/", 3)[3]
        assert [await polled(url) for url in urls.values()] == [200, 200]
        await planned(rules=[{"name": "off", "tenant": "one", "off": True}])
        for headers in ({}, {"Connection": "close"}):  # the latter is not the short way's
            assert [await polled(url, **headers) for url in urls.values()] == [410, 200]
        gone, kept = await started("one"), await started("other")
        assert gone["steering"] is None and gone["pathways"] == kept["pathways"]
        assert kept["steering"]
        await planned(rules=[{"name": "off", "off": True}])
        assert [await polled(url) for url in urls.values()] == [410, 410]
        await planned()
        assert [await polled(url) for url in urls.values()] == [200, 200]


@pytest.mark.parametrize("protocol", ["hls", "dash"])
async def test_a_manifest_that_the_router_knows_nothing_of_is_told_too(
    listener: Web, protocol: str
) -> None:
    """Control's question came too late, and the manifest names a steering server all the same. Its
    player keeps to its list (ST-20): 410 is all it is told, no time to ask again and nothing else
    that could stop playback.
    """
    poll = f"/steer/{protocol}?sid=late"
    async with aiohttp.ClientSession(listener.url) as http:
        for generation, tenant, status in ((1, "one", 200), (2, "", 410), (3, "", 410)):
            rule = {"name": "off", "tenant": tenant, "off": True}
            plan = {"generation": generation, "rules": [rule]}
            async with http.put("/v1/plan", json=plan) as answer:
                assert answer.status == 200
            async with http.get(poll) as answer:
                assert answer.status == status, "nothing is known of its tenant"
                told = await answer.json()
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert answer.headers["Cache-Control"] == "no-store"
                if status == 410:
                    assert told["error"] == "steering_off" and "PATHWAY-PRIORITY" not in told
                    assert not {"Retry-After", "Location"} & {*answer.headers}
