"""The router over HTTP: decisions, steering headers, the operator's view, probes of servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import cat
from cdn_router.health import State
from cdn_router.prober import Prober, Target
from cdn_router.server import build, parts
from cdn_router.settings import PathwaySettings, Settings
from runtime.clock import SYSTEM
from runtime.fetch import Fetcher
from runtime.service import Web

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])


@dataclass
class Client:
    session: aiohttp.ClientSession
    url: str

    async def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        data = None if body is None else json.dumps(body)
        async with self.session.request(
            method, self.url + path, data=data, headers=headers
        ) as answer:
            names = {name.lower(): value for name, value in answer.headers.items()}
            text = await answer.text()
            return answer.status, names, json.loads(text) if text else None


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    *_, listener = parts(Settings(port=0, ttl_s=10))
    assert isinstance(listener, Web)
    await listener.start()
    async with aiohttp.ClientSession() as session:
        yield Client(session, listener.url)
    await listener.drain()
    await listener.stop()


async def test_a_decision(client: Client) -> None:
    body = {"session_id": "ses_1", "content": "/live/demo/", "country": "SE", "newer": True}
    status, headers, answer = await client.call("POST", "/v1/decisions", body)
    assert status == 200 and headers["cache-control"] == "no-store"
    steering = answer.pop("steering")
    assert answer == {
        "session_id": "ses_1",
        "pathways": [
            {"id": "CDN-A", "base_url": "http://localhost:8011"},
            {"id": "CDN-B", "base_url": "http://localhost:8012"},
        ],
        "reason": "priority",
        "sentence": "static priority, every pathway is healthy",
        "policy": "static-priority",
        "policy_version": 2,
        "snapshot_version": 1,
        "ttl_s": 10,
    }
    for protocol in ("hls", "dash"):
        assert steering[protocol].startswith(f"http://localhost:8004/steer/{protocol}?ss=v1.")
    _, _, seen = await client.call("GET", "/v1/sessions/ses_1")
    assert seen["content"] == "/live/demo/" and seen["decision"]["pathways"] == ["CDN-A", "CDN-B"]


@pytest.mark.parametrize("protocol", ["hls", "dash"])
async def test_a_poll(client: Client, protocol: str) -> None:
    """ST-13, ST-14, ST-18, ST-20, ST-21."""
    await client.call("POST", "/v1/decisions", {"session_id": "ses_1"})
    status, headers, answer = await client.call("GET", f"/steer/{protocol}?sid=ses_1")
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    assert headers["cache-control"] == "no-store"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-expose-headers"] == "Retry-After"
    assert answer["VERSION"] == 1 and 9 <= answer["TTL"] <= 11
    assert answer["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B"]
    again = answer["RELOAD-URI"].replace("http://localhost:8004", "")
    status, _, _ = await client.call("GET", again + "&_HLS_pathway=%22CDN-A%22&_HLS_throughput=1")
    assert status == 200
    _, _, seen = await client.call("GET", "/v1/sessions/ses_1")
    assert seen["polls"] == 2 and seen["reported"] == ["CDN-A"] and seen["followed"] is True


@pytest.mark.parametrize("query", ["", "?sid=nobody", "?ss=forged", "?%", "?_HLS_pathway=%FF"])
async def test_no_poll_is_ever_refused(client: Client, query: str) -> None:
    status, _, answer = await client.call("GET", f"/steer/dash{query}")
    assert status == 200 and answer["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B"]


async def test_preflight_of_a_poll(client: Client) -> None:
    headers = {"Origin": "https://player", "Access-Control-Request-Method": "GET"}
    status, answer, _ = await client.call("OPTIONS", "/steer/hls", None, **headers)
    assert status == 204 and answer["access-control-allow-origin"] == "*"
    assert "PUT" not in answer["access-control-allow-methods"]
    status, answer, _ = await client.call("OPTIONS", "/v1/pathways/CDN-A", None, **headers)
    assert status == 405 and "access-control-allow-origin" not in answer


async def test_an_operator_drains_and_enables(client: Client) -> None:
    status, _, site = await client.call("PUT", "/v1/pathways/CDN-A", {"state": "drained"})
    assert status == 200 and site["state"] == "drained" and site["reason"] == "drained"
    _, headers, listed = await client.call("GET", "/v1/pathways")
    assert headers["access-control-allow-origin"] == "http://localhost:8000"
    assert [(s["id"], s["state"], s["health"]) for s in listed["pathways"]] == [
        ("CDN-A", "drained", "up"),
        ("CDN-B", "enabled", "up"),
    ]
    assert listed["snapshot_version"] == 2 and listed["pathways"][0]["since_ms"] > 0
    _, _, answer = await client.call("GET", "/steer/hls")
    assert answer["PATHWAY-PRIORITY"] == ["CDN-B", "CDN-A"]
    _, _, moves = await client.call("GET", "/v1/moves")
    sentence = "moved from CDN-A to CDN-B: CDN-A was drained by an operator"
    assert [move["sentence"] for move in moves["moves"]] == [sentence]


@pytest.mark.parametrize(
    "method, path, body, status, code",
    [
        ("PUT", "/v1/pathways/CDN-Z", {"state": "drained"}, 404, "pathway_unknown"),
        ("PUT", "/v1/pathways/CDN-A", {"state": "gone"}, 400, "bad_body"),
        ("PUT", "/v1/pathways/CDN-A", {"state": "drained", "x": 1}, 400, "bad_body"),
        ("POST", "/v1/decisions", [], 400, "bad_body"),
        ("POST", "/v1/decisions", {"session_id": "a b"}, 400, "session_id"),
        ("POST", "/v1/decisions", {"content": "x" * 300}, 400, "too_long"),
        ("GET", "/v1/sessions/nobody", None, 404, "session_unknown"),
        ("GET", "/steer/smooth", None, 404, "not_found"),
    ],
)
async def test_refusals(
    client: Client, method: str, path: str, body: object, status: int, code: str
) -> None:
    got, _, answer = await client.call(method, path, body)
    assert (got, answer["error"]) == (status, code)


# -- probes ----------------------------------------------------------------------------------------


@dataclass
class Edge:
    """A CDN of the test: it answers with a status when the gate is open; it notes tokens."""

    status: int = 404
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("CTA-Common-Access-Token", ""))
        await self.gate.wait()
        return web.Response(status=self.status)


async def test_probes_see_what_viewers_would() -> None:
    """Alive, refusing, silent, gone: the state of each after as many rounds as the threshold."""
    edge = Edge()
    edge.gate.set()
    app = web.Application()
    app.router.add_get("/live/demo/probe", edge.answer)
    listener = Web("edge", app, host="127.0.0.1", port=0)
    await listener.start()
    url = f"{listener.url}/live/demo/probe"
    router = build(Settings(pathways=[PathwaySettings(id="CDN-A", base_url=listener.url)], out_s=0))
    async with Fetcher([listener.url], timeout_s=0.2) as fetcher:
        prober = Prober(
            router, fetcher, [Target("CDN-A", url)], 10_000, SYSTEM, keys=KEYS, issuer="i"
        )

        async def after(rounds: int = 3) -> State:
            for _ in range(rounds):
                await prober.round()
            return router.sites["CDN-A"].health.state

        assert await after() is State.UP, "any answer below 500 shows a living edge"
        context = cat.Context(uri=url, now=SYSTEM.now_ms() / 1000)
        verdict = cat.verify(edge.tokens[0], context, KEYS, cat.Options(issuers=("i",)))
        assert verdict.accept, verdict.reason
        edge.status = 403
        assert await after() is State.OUT, "our token is good, so a refusal is the edge's fault"
        edge.status = 200
        assert await after() is State.UP
        edge.status = 502
        assert await after() is State.OUT
        edge.status = 200
        assert await after() is State.UP
        slow = Prober(router, fetcher, [Target("CDN-A", url)], 0.0, SYSTEM)
        for _ in range(3):
            await slow.round()
        assert router.sites["CDN-A"].health.state is State.SLOW
        assert await after() is State.UP
        edge.gate.clear()
        assert await after() is State.OUT, "silence beyond the time limit is a failure"
        edge.gate.set()
        assert await after() is State.UP
        await listener.drain()
        await listener.stop()
        assert await after() is State.OUT


async def test_the_service_probes_by_itself() -> None:
    """A killed pathway is noticed without anybody asking."""
    seen = Edge(status=200)
    seen.gate.set()
    app = web.Application()
    app.router.add_get("/x", seen.answer)
    edge = Web("edge", app, host="127.0.0.1", port=0)
    await edge.start()
    settings = Settings(
        port=0,
        probe_interval_s=0.05,
        probe_timeout_s=1,
        pathways=[
            PathwaySettings(id="A", base_url=edge.url, probe_url=f"{edge.url}/x"),
            PathwaySettings(id="B", base_url="http://localhost:8012", priority=1),
        ],
    )
    running = parts(settings, KEYS)
    for part in running:
        await part.start()
    listener = running[-1]
    assert isinstance(listener, Web)
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        client = Client(session, listener.url)
        while not seen.tokens:
            await client.call("GET", "/v1/pathways")
        await edge.drain()
        await edge.stop()
        order = ["A", "B"]
        while order != ["B", "A"]:
            _, _, answer = await client.call("GET", "/steer/hls")
            order = answer["PATHWAY-PRIORITY"]
        _, _, moves = await client.call("GET", "/v1/moves")
    assert moves["moves"][0]["reason"] == "probe_failed"
    for part in reversed(running):
        await part.drain()
        await part.stop()
