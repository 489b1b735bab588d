"""The operator's endpoints over HTTP; dashboards name metrics that exist (RT-14, RT-17)."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from cdn_router.admin.routes import AdminRoutes
from cdn_router.admin.shared import SharedPlan
from cdn_router.errors import Forbidden
from cdn_router.server import build, parts
from cdn_router.settings import PathwaySettings, Settings
from runtime.clock import SYSTEM
from runtime.service import Part, Web
from runtime.store import MemoryStore

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "operator-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PATHWAYS = [
    PathwaySettings(id=f"CDN-{name}", base_url=f"http://{name.lower()}", price_per_tb=price)
    for name, price in (("A", 4.0), ("B", 6.0))
]


class Operator:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self._url)
        assert parts.hostname and parts.port
        return parts.hostname, parts.port

    async def call(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        headers = more.get("headers", BEARER)
        async with self._session.request(
            method, self._url + path, json=body, headers=headers
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    settings = Settings(port=0, host="127.0.0.1", admin_token=TOKEN, pathways=PATHWAYS)
    running: list[Part] = parts(settings)
    for part in running:
        await part.start()
    listener = running[-1]
    assert isinstance(listener, Web)
    async with aiohttp.ClientSession() as session:
        yield Operator(session, listener.url)
    for part in reversed(running):
        await part.drain()
        await part.stop()


async def test_changes_need_the_operators_token(operator: Operator) -> None:
    for method, path, body in (
        ("PUT", "/v1/plan", {"generation": 1}),
        ("POST", "/v1/plan/dry-run", {"plan": {}}),
        ("PUT", "/v1/pathways/CDN-A", {"state": "drained"}),
    ):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "é"}):
            status, answer = await operator.call(method, path, body, headers=headers)
            assert (status, answer["error"]) == (403, "operator_only")
        status, _ = await operator.call(method, path, body)
        assert status == 200


async def test_a_token_of_any_octets_is_refused(operator: Operator) -> None:
    reader, writer = await asyncio.open_connection(*operator.address)
    writer.write(b"PUT /v1/plan HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer \xe9\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
    writer.close()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("decisions", b'{"newer":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        ("decisions", b'{"content":"\xff"}', 400),
        ("decisions", b"", 400),
        ("plan/dry-run", b" " * (1 << 20) + b"{}", 413),
    ],
)
async def test_bodies_of_no_shape(operator: Operator, path: str, body: bytes, status: int) -> None:
    async with aiohttp.ClientSession(headers=BEARER) as client:
        url = "http://{}:{}".format(*operator.address)
        async with client.post(f"{url}/v1/{path}", data=BytesIO(body)) as answer:
            assert answer.status == status and (await answer.json())["error"] != "internal"


def changing(peer: str, headers: dict[str, str]) -> web.Request:
    """A change of the plan, over a connection from there."""
    transport = Mock(**{"get_extra_info.side_effect": {"peername": (peer, 5_000)}.get})
    return make_mocked_request("PUT", "/v1/plan", headers=BEARER | headers, transport=transport)


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "", "127.0.0.1.example"])
def test_without_a_token_only_this_machine_may_change(peer: str) -> None:
    """RT-14: a router that nobody configured is no open door on the network."""
    router = build(Settings())
    shared = SharedPlan(router, MemoryStore(), SYSTEM, lambda _: None)
    routes = AdminRoutes(router, SYSTEM, "", shared)
    for told in (peer, "127.0.0.1"):
        with pytest.raises(Forbidden, match="admin_token"):
            routes.admit(changing(peer, {}).clone(remote=told))
    for here in ("127.0.0.1", "::1"):
        routes.admit(changing(here, {}))
        for name in ("X-Forwarded-For", "Forwarded", "x-real-ip"):
            with pytest.raises(Forbidden, match="admin_token"):
                routes.admit(changing(here, {name: "127.0.0.1"}))


async def test_a_plan_over_http(operator: Operator) -> None:
    rules = [{"name": "news", "content": "/live/news/", "only": ["CDN-B"]}]
    plan = {"generation": 7, "rules": rules, "policy": "headwater", "author": "ann"}
    asks = [{"content": "/live/news/1"}, {"content": "/vod/x"}]
    _, before = await operator.call("POST", "/v1/decisions", {"content": "/live/news/1"})
    status, dry = await operator.call("POST", "/v1/plan/dry-run", {"plan": plan, "asks": asks})
    assert status == 200 and before["pathways"][0]["id"] == "CDN-A"
    [news, film] = dry["asks"]
    assert news["before"]["pathways"] == ["CDN-A", "CDN-B"]
    assert news["after"]["pathways"] == ["CDN-B"] and news["after"]["rule"] == "news"
    assert film["after"]["rule"] == ""
    assert dry["sessions"] == {
        "judged": 1,
        "moved": 1,
        "before": {"CDN-A": 1},
        "after": {"CDN-B": 1},
    }
    _, held = await operator.call("GET", "/v1/plan")
    assert held["newest_generation"] == 0, "a dry run changes nothing"
    status, _ = await operator.call("PUT", "/v1/plan", plan)
    assert status == 200
    status, refused = await operator.call("PUT", "/v1/plan", plan)
    assert (status, refused["error"]) == (409, "stale_generation")
    for bad in ({"generation": "x"}, {"generation": 8, "nonsense": 1}, []):
        status, refused = await operator.call("PUT", "/v1/plan", bad)
        assert (status, refused["error"]) == (400, "bad_body")
    body = {"session_id": "s1", "content": "/live/news/1", "country": "SE"}
    _, decided = await operator.call("POST", "/v1/decisions", body)
    assert [p["id"] for p in decided["pathways"]] == ["CDN-B"]
    _, seen = await operator.call("GET", "/v1/sessions/s1")
    assert seen["decision"]["rule"] == "news" and seen["decision"]["generation"] == 7
    assert seen["decision"]["policy"] == "headwater" and len(seen["decision"]["candidates"]) == 2
    assert seen["verdict"]["obeyed"] is None and seen["told"][0]["pathway"] == "CDN-B"
    _, audit = await operator.call("GET", "/v1/audit")
    assert [(e["outcome"], e["author"]) for e in audit["audit"]] == [
        ("refused", "ann"),
        ("accepted", "ann"),
    ]
    _, screen = await operator.call("GET", "/v1/screen")
    assert screen["plan"]["policy"] == "headwater" and not screen["snapshot"]["stale"]
    assert {p["id"]: p["sessions"] for p in screen["pathways"]} == {"CDN-A": 1, "CDN-B": 1}
    assert screen["pathways"][1]["share"] == 0.5 and screen["heat"][0]["region"] == ""


async def test_gauges_tell_of_now(operator: Operator) -> None:
    """Sessions by pathway, the age of the snapshot: as they are when asked for (RT-15)."""
    await operator.call("GET", "/steer/hls?sid=s1")
    told = [(await operator.call("GET", "/metrics"))[1].splitlines() for _ in range(2)]
    assert 'headwater_router_sessions{pathway="CDN-A"} 1.0' in told[0]
    assert 'headwater_router_cost_dollars_per_hour{pathway="CDN-B"} 0.0' in told[0]
    name = "headwater_router_snapshot_age_seconds "
    ages = [float(line.split()[1]) for lines in told for line in lines if line.startswith(name)]
    assert len(ages) == 2 and min(ages) >= 0


async def test_dashboards_show_metrics_that_exist(operator: Operator) -> None:
    """Every headwater_ name in a panel's query is one that the router tells."""
    dashboard = json.loads((ROOT / "deploy/grafana/router.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for query in queries for name in re.findall(r"headwater_[a-z_]+", query)}
    _, text = await operator.call("GET", "/metrics")
    told = set(re.findall(r"^# TYPE (headwater_[a-z_]+)", text, re.MULTILINE))
    families = {name.removesuffix("_bucket") for name in named}
    assert len(families) >= 10 and families <= told, sorted(families - told)
    grid = [tuple(panel["gridPos"][key] for key in "xy") for panel in dashboard["panels"]]
    assert len(set(grid)) == len(grid), "panels do not cover each other"
