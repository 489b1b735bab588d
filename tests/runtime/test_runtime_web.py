"""Web and Fetcher against each other over loopback: ids, codes, metrics, limits, allow-list."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from runtime import logs
from runtime.fetch import Fetcher, FetchError
from runtime.service import Web

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response({"ids": get_contextvars(), "n": len(body)})


async def boom(_: web.Request) -> web.Response:
    raise RuntimeError("a secret detail")


async def big(_: web.Request) -> web.Response:
    return web.Response(body=b"x" * 100_000)


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b"x" * 1000)
    return response


async def hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def coded(_: web.Request) -> web.Response:
    response = web.Response(body=b"x" * 5_000)
    response.enable_compression()
    return response


async def away(_: web.Request) -> web.Response:
    raise web.HTTPFound("http://169.254.169.254/")


@pytest.fixture
async def server() -> AsyncIterator[Web]:
    app = web.Application()
    app.router.add_get("/a/{name}", echo)
    app.router.add_post("/a/{name}", echo)
    for path, handler in [
        ("/boom", boom),
        ("/big", big),
        ("/drip", drip),
        ("/hang", hang),
        ("/away", away),
        ("/coded", coded),
    ]:
        app.router.add_get(path, handler)
    listener = Web("test", app, host="127.0.0.1", port=0, admin_routes=True)
    await listener.start()
    yield listener
    await listener.stop()


@pytest.fixture
async def fetcher(server: Web) -> AsyncIterator[Fetcher]:
    async with Fetcher([server.url]) as opened:
        yield opened


async def test_ids_are_taken_over_continued_and_forgotten(server: Web, fetcher: Fetcher) -> None:
    headers = {"X-Request-Id": "req_1", "traceparent": PARENT}
    first = await fetcher.get(f"{server.url}/a/x", headers)
    assert first.headers["x-request-id"] == "req_1"
    assert b'"request_id": "req_1"' in first.body
    assert PARENT.split("-")[1].encode() in first.body
    second = await fetcher.get(f"{server.url}/a/x")  # same connection, same server task
    assert b"req_1" not in second.body
    assert b"traceparent" not in second.body
    with logs.bound(request_id="outer"):
        third = await fetcher.get(f"{server.url}/a/x")
    assert third.headers["x-request-id"] == "outer"


async def test_one_line_a_request_without_its_token(server: Web, fetcher: Fetcher) -> None:
    with capture_logs() as lines:
        await fetcher.get(f"{server.url}/a/x?CAT=hunter2&y=1", {"traceparent": PARENT})
        await fetcher.get(f"{server.url}/cat:hunter2/none")
    seen = [line for line in lines if line["event"] == "request"]
    assert [(r["method"], r["path"], r["route"], r["status"]) for r in seen] == [
        ("GET", "/a/x?CAT=[redacted]&y=1", "/a/{name}", 200),
        ("GET", "/cat:[redacted]/none", "none", 404),
    ]
    assert seen[0]["traceparent"].split("-")[1] == PARENT.split("-")[1]
    assert "hunter2" not in repr(lines)


async def test_octets_that_are_no_request_have_a_line_and_no_more(
    server: Web, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as lines:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /a/x HTTP/1.1\nHost: a\n\n")
        assert (await reader.read()).split(b" ", 2)[1] == b"400"
        writer.close()
    assert [(r["event"], r["route"], r["status"]) for r in lines] == [("request", "none", 400)]
    assert not caplog.records


async def test_every_error_has_a_code(server: Web, fetcher: Fetcher) -> None:
    missing = await fetcher.get(f"{server.url}/none")
    assert (missing.status, missing.body) == (404, b'{"error": "not_found"}')
    assert "x-request-id" in missing.headers
    wrong = await fetcher.post(f"{server.url}/big", b"")
    assert (wrong.status, wrong.body) == (405, b'{"error": "method_not_allowed"}')
    assert "GET" in wrong.headers["allow"]
    with capture_logs() as lines:
        broken = await fetcher.get(f"{server.url}/boom")
    assert (broken.status, broken.body) == (500, b'{"error": "internal"}')
    assert [line["event"] for line in lines] == ["unexpected", "request"]


async def test_admin_routes(server: Web, fetcher: Fetcher) -> None:
    assert (await fetcher.get(f"{server.url}/healthz")).status == 200
    assert (await fetcher.get(f"{server.url}/readyz")).status == 200
    server.answer_for(lambda: {"sql": "not started", "web": None})
    unready = await fetcher.get(f"{server.url}/readyz")
    assert (unready.status, b"not started" in unready.body) == (503, True)
    await fetcher.get(f"{server.url}/a/x")
    text = (await fetcher.get(f"{server.url}/metrics")).body.decode()
    assert 'headwater_http_request_seconds_count{listener="test",method="GET"' in text
    assert 'route="/a/{name}",status="200"' in text


async def code(work: object) -> str:
    with pytest.raises(FetchError) as caught:
        await work  # type: ignore[misc]
    assert "hunter2" not in str(caught.value)
    return caught.value.code


async def test_the_client_is_bounded(server: Web, fetcher: Fetcher) -> None:
    url = server.url
    assert (await fetcher.get(f"{url}/big", max_bytes=100_000)).status == 200
    assert await code(fetcher.get(f"{url}/big?CAT=hunter2", max_bytes=99_999)) == "too_large"
    assert await code(fetcher.get(f"{url}/drip", max_bytes=50_000)) == "too_large"
    assert len((await fetcher.get(f"{url}/drip")).body) == 100_000
    assert await code(fetcher.get(f"{url}/hang?CAT=hunter2", timeout_s=0.05)) == "timeout"
    redirect = await fetcher.get(f"{url}/away")
    assert redirect.status == 302
    async with fetcher.open(f"{url}/drip", idle_timeout_s=5) as opened:
        assert sum([len(chunk) async for chunk in opened.chunks]) == 100_000
    assert b'"n": 3' in (await fetcher.post(f"{url}/a/x", b"[1]")).body


async def test_a_coded_body_arrives_plain_and_so_do_its_headers(
    server: Web, fetcher: Fetcher
) -> None:
    answer = await fetcher.get(f"{server.url}/coded", {"Accept-Encoding": "gzip"})
    assert answer.body == b"x" * 5_000
    assert not {"content-encoding", "content-length"} & set(answer.headers)
    assert await code(fetcher.get(f"{server.url}/coded", max_bytes=4_999)) == "too_large"


async def test_only_listed_bases_are_reached(server: Web) -> None:
    async with Fetcher([f"{server.url}/a"]) as fetcher:
        assert (await fetcher.get(f"{server.url}/a/x")).status == 200
        for url in ("/ab", "/", "/a/../big", "/a/%2e%2e/big"):
            assert await code(fetcher.get(server.url + url)) == "not_allowed"
        assert await code(fetcher.get("http://127.0.0.1:9/a/x")) == "not_allowed"
        host = server.url.partition("://")[2]
        assert await code(fetcher.get(f"http://u:hunter2@{host}/a/x")) == "bad_url"
        assert await code(fetcher.get("file:///etc/passwd")) == "bad_url"
        assert await code(fetcher.get("http://[::1")) == "bad_url"
    async with Fetcher(None) as anywhere:
        assert await code(anywhere.get("http://127.0.0.1:9/?CAT=hunter2")) == "refused"
