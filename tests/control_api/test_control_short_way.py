"""The short way and aiohttp give the same answers: one endpoint behind two servers (CTL-4..9).

What is asked with one header twice is aiohttp's; nothing else of the two requests differs.
"""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from control_api import web

CHECK, START = "/v1/entitlements/check", "/v1/playback/start"
GOOD = {"channel_id": "ch_demo", "device": {"id": "x"}}
JSON = {"Content-Type": "application/json"}
PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
VARYING = frozenset({"date", "x-request-id"})


def asked(method: str, path: str, body: Any = None, **headers: str) -> Any:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    return method, path, data, {name.replace("_", "-"): value for name, value in headers.items()}


CASES = {
    "yes": asked("POST", CHECK, GOOD, **JSON),
    "with parameters": asked("POST", CHECK, GOOD, Content_Type="application/JSON; charset=utf-8"),
    "no media type": asked("POST", CHECK, GOOD),
    "no token": asked("POST", CHECK, GOOD, Authorization="", **JSON),
    "bad token": asked("POST", CHECK, GOOD, Authorization="Bearer a.b.c", **JSON),
    "bad body": asked("POST", CHECK, b"{", **JSON),
    "no such title": asked("POST", CHECK, GOOD | {"channel_id": "ch_none"}, **JSON),
    "too large": asked("POST", CHECK, b" " * 65_537, **JSON),
    "trace": asked("POST", CHECK, b"[]", **JSON, **PARENT),
    "no session": asked("POST", "/v1/sessions/ses_x/heartbeat", {"position_ms": 1}, **JSON),
    "bad id": asked("DELETE", "/v1/sessions/a,b"),
    "empty": asked("PUT", "/v1/profiles/{profile}/watchlist/cnt_x"),
    "list": asked("GET", "/v1/channels"),
    "coded": asked("GET", "/v1/epg?channels=ch_demo", Accept_Encoding="gzip"),
    "query": asked("GET", "/v1/catalog/contents?limit=1&lang=e%6e"),
    "query twice": asked("GET", "/v1/catalog/contents?limit=1&limit=2"),
    "query unknown": asked("GET", "/v1/catalog/contents?surprise=%2B+"),
    "query of no text": asked("GET", "/v1/catalog/contents?cursor=%ff"),
    "page of another origin": asked("GET", "/v1/channels", Origin="https://tv.example"),
    "preflight": asked(
        "OPTIONS", CHECK, Origin="https://tv.example", Access_Control_Request_Method="POST"
    ),
    "no preflight": asked("OPTIONS", "/v1/channels", Origin="https://tv.example"),
    "unknown path": asked("GET", "/v1/nothing"),
    "other method": asked("PATCH", CHECK),
}


@pytest.mark.parametrize("origins", [["*"], ["https://tv.example"], []], ids=str)
async def test_both_say_the_same(database: Any, make_api: Any, origins: list[str]) -> None:
    api = await make_api(database, cors_origins=origins)

    async def tell(case: Any, *odd: tuple[str, str]) -> Any:
        method, path, data, headers = case
        told = [*(api.bearer() | {"Accept-Encoding": ""} | headers).items(), *odd]
        told = [(name, value) for name, value in told if value or name == "Accept-Encoding"]
        async with api.client.request(
            method, api.url + path, data=data, headers=told, skip_auto_headers=["Content-Type"]
        ) as answer:
            raw = await answer.read()
            names = [name for name in answer.headers if name.lower() not in VARYING]
            fields = {name.lower(): answer.headers[name] for name in names}
            said = raw.replace(answer.headers["X-Request-Id"].encode(), b"ID")
            return answer.status, fields, said

    for name, case in CASES.items():
        plain, other = await tell(case), await tell(case, ("X-Odd", "1"), ("X-Odd", "2"))
        assert plain == other, name
    tagged = (await tell(CASES["list"]))[1]["etag"]
    unchanged = asked("GET", "/v1/channels", If_None_Match=tagged)
    plain, other = await tell(unchanged), await tell(unchanged, ("X-Odd", "1"), ("X-Odd", "2"))
    assert plain == other and plain[0] == 304


async def test_what_is_plain_goes_the_short_way(api: Any, monkeypatch: Any) -> None:
    """All operations of the table but those that stream."""
    by_aiohttp: list[str] = []
    handle = web._Mounted.handle

    async def noted(self: Any, request: Any) -> Any:
        by_aiohttp.append(request.path)
        return await handle(self, request)

    monkeypatch.setattr(web._Mounted, "handle", noted)
    with capture_logs() as lines:
        assert (await api.send("POST", CHECK, GOOD))[0] == 200
        status, told = await api.start()
        assert status == 201
        beat = f"/v1/sessions/{told['session_id']}/heartbeat"
        assert (await api.send("POST", beat, {"position_ms": 1, "state": "playing"}))[0] == 200
        assert (await api.send("DELETE", f"/v1/sessions/{told['session_id']}"))[0] == 204
    assert not by_aiohttp
    routes = [line["route"] for line in lines if line["event"] == "request"]
    assert routes == [CHECK, START, "/v1/sessions/{id}/heartbeat", "/v1/sessions/{id}"]
