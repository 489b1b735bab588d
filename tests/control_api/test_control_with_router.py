"""Control and router over a real socket: `POST /v1/decisions` as one asks and the other answers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import cdn_router.server
import cdn_router.settings
from runtime.service import Web

MOST = [f"CDN-{number:02}" for number in range(63)] + ["x" * 64]


@pytest.fixture
async def router_url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A router of the CDNs `request.param`, else of the two it has by itself."""
    settings = cdn_router.settings.Settings(port=0, **getattr(request, "param", {}))
    parts = cdn_router.server.parts(settings)
    for part in parts:
        await part.start()
    yield next(part.url for part in parts if isinstance(part, Web))
    for part in reversed(parts):
        await part.stop()


async def test_control_plays_in_the_order_of_the_real_router(
    database: Any, make_api: Any, router_url: str
) -> None:
    api = await make_api(database, router="http", router_url=router_url)
    status, answer = await api.start()
    assert status == 201
    assert answer["decision"]["reason"] == "priority"
    assert answer["steering"]["hls"].startswith("http://localhost:8004/steer/hls?ss=")
    assert "/p/CDN-A~CDN-B/live/demo/" in answer["manifest_url"]
    async with api.client.put(
        f"{router_url}/v1/pathways/CDN-A", json={"state": "drained"}
    ) as response:
        assert response.status == 200
    _, answer = await api.start("other")
    assert answer["decision"]["reason"] == "drained"
    assert "/p/CDN-B~CDN-A/live/demo/" in answer["manifest_url"], "it is last (ST-17)"


@pytest.mark.parametrize(
    "router_url",
    [{"pathways": [{"id": name, "base_url": f"http://{name}.example"} for name in MOST]}],
    indirect=True,
    ids=["64 CDNs"],
)
async def test_as_many_cdns_as_the_router_takes_are_played_from(
    database: Any, make_api: Any, router_url: str
) -> None:
    api = await make_api(database, router="http", router_url=router_url)
    status, answer = await api.start()
    assert status == 201
    assert answer["decision"]["reason"] == "priority"
    assert f"/p/{'~'.join(MOST)}/live/demo/" in answer["manifest_url"]


async def test_rules_of_the_router_know_the_device(
    database: Any, make_api: Any, router_url: str
) -> None:
    api = await make_api(database, router="http", router_url=router_url)
    plan = {"generation": 1, "rules": [{"name": "r", "device": "tv", "only": ["CDN-B"]}]}
    async with api.client.put(f"{router_url}/v1/plan", json=plan) as response:
        assert response.status == 200
    for device_class, cohort in (("tv", "CDN-B"), ("web", "CDN-A~CDN-B")):
        status, answer = await api.start({"id": device_class, "class": device_class})
        assert status == 201 and f"/p/{cohort}/live/demo/" in answer["manifest_url"]
