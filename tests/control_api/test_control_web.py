"""The edge of the API: problems, limits, CORS, ETags, lists, the OpenAPI document (CTL-1..9)."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import insert
from yarl import URL

from control_api import openapi, problems, sealed, seed, server
from control_api import web as listener
from control_api.routes import ROUTES
from control_api.schema import asset, content, rights_window
from control_api.settings import Settings

START = "/v1/playback/start"


def good() -> dict[str, Any]:
    return {"channel_id": "ch_demo", "device": {"id": "x"}}


BAD_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"channel_id": "ch_demo"}',
    b'{"device": {"id": "x"}}',
    b'{"device": {"id": "x"}, "channel_id": "a", "content_id": "b"}',
    b'{"device": {"id": "x"}, "channel_id": "ch_demo", "surprise": 1}',
    b'{"device": {"id": "x", "account_id": "acc_other"}, "channel_id": "ch_demo"}',
    b'{"device": {"id": "../x"}, "channel_id": "ch_demo"}',
    b'{"device": {"id": "x"}, "channel_id": "ch\\u0000"}',
    b'{"device": {"id": "x", "name": "a\\u0000b"}, "channel_id": "ch_demo"}',
    b'{"device": {"id": "x"}, "channel_id": 7}',
    b'{"device": {"id": "x", "class": "fridge"}, "channel_id": "ch_demo"}',
    b'{"device": {"id": "x", "name": "\xff\xfe"}, "channel_id": "ch_demo"}',
    b'{"device": {"id": "x", "name": "\\ud800"}, "channel_id": "ch_demo"}',
    b"[" * 60_000,
]


async def test_bad_bodies_are_400(api: Any) -> None:
    """CTL-4: unknown fields (mass assignment included), types, encodings, depth."""
    headers = api.bearer() | {"Content-Type": "application/json"}
    for body in BAD_BODIES:
        async with api.client.post(api.url + START, data=body, headers=headers) as response:
            problem = json.loads(await response.read())
            assert (response.status, problem["code"]) == (400, "invalid"), body[:99]
            assert response.content_type == "application/problem+json"


async def test_size_and_media_type(api: Any) -> None:
    for data, kind, expected in (
        (b" " * 65_537, "application/json", (413, "too_large")),
        (b"a=b", "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
    ):
        headers = api.bearer() | {"Content-Type": kind}
        async with api.client.post(api.url + START, data=data, headers=headers) as response:
            assert (response.status, json.loads(await response.read())["code"]) == expected

    async def endless() -> Any:
        for _ in range(20):
            yield b" " * 8_192

    headers = api.bearer() | {"Content-Type": "application/json"}
    async with api.client.post(api.url + START, data=endless(), headers=headers) as response:
        assert response.status == 413


async def test_unknown_paths_and_methods_are_problems(api: Any) -> None:
    for method, path, expected in (
        ("GET", "/v1/nothing", (404, "not_found")),
        ("GET", "/v1/catalog/contents/a%00b", (404, "not_found")),
        ("GET", "/v1/catalog/contents/%ff", (404, "not_found")),
        ("GET", START, (405, "method_not_allowed")),
        ("GET", "/v1/channels?limit=0", (400, "invalid")),
        ("GET", "/v1/channels?limit=x", (400, "invalid")),
        ("GET", "/v1/channels?limit=1&limit=2", (400, "invalid")),
        ("GET", "/v1/channels?colour=red", (400, "invalid")),
        ("GET", "/v1/channels?cursor=abc", (400, "bad_cursor")),
    ):
        status, problem = await api.send(method, path)
        assert (status, problem["code"]) == expected, path
        assert problem["instance"]


async def test_etag_and_304(api: Any) -> None:
    """CTL-7: public answers have a strong tag and nothing of the viewer."""
    url = f"{api.url}/v1/channels"
    async with api.client.get(url) as first:
        tag = first.headers["ETag"]
        assert first.headers["Cache-Control"] == "public, max-age=30"
    for sent in (tag, f'"x", W/{tag}'):
        async with api.client.get(url, headers={"If-None-Match": sent}) as again:
            assert (again.status, await again.read()) == (304, b"")
    status, _ = await api.start()
    assert status == 201


async def test_viewer_answers_are_not_stored(api: Any) -> None:
    async with api.client.post(api.url + START, json=good(), headers=api.bearer()) as response:
        assert response.headers["Cache-Control"] == "private, no-store"
        session_id = (await response.json())["session_id"]
        assert response.headers["Location"] == f"/v1/sessions/{session_id}"


async def test_cors(api: Any) -> None:
    ask = {"Origin": "http://page.example", "Access-Control-Request-Method": "POST"}
    async with api.client.options(api.url + START, headers=ask) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    async with api.client.post(api.url + START, headers={"Origin": ask["Origin"]}) as response:
        assert response.status == 401, "errors are readable by the page too"
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_cors_list(database: Any, make_api: Any) -> None:
    api = await make_api(database, cors_origins=["http://a.example"])
    for origin, allowed in (("http://a.example", "http://a.example"), ("http://b.example", None)):
        async with api.client.get(f"{api.url}/v1/channels", headers={"Origin": origin}) as response:
            assert response.headers.get("Access-Control-Allow-Origin") == allowed
            assert "Origin" in response.headers.getall("Vary")[-1]


async def test_pages_walk_every_row_once(api: Any) -> None:
    """CTL-6: also while others are inserted; a cursor is of its own list."""
    async with api.database.write() as connection:
        for n in range(7):
            row = seed._movie(f"m{n}", f"m{n}", 1) | {"updated_ms": seed.SINCE_MS + n % 3}
            await connection.execute(insert(content).values(row))
            film = {
                "id": f"ast_{n}",
                "content_id": f"cnt_m{n}",
                "kind": "vod",
                "origin_path": "/x/",
            }
            await connection.execute(insert(asset).values(film))
            window = seed._window(f"m{n}", 1, content_id=f"cnt_m{n}")
            await connection.execute(insert(rights_window).values(window))
    seen: list[str] = []
    cursor = ""
    while True:
        status, page = await api.send("GET", f"/v1/catalog/contents?limit=2{cursor}")
        assert status == 200
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 10
    status, problem = await api.send("GET", f"/v1/channels?limit=2{cursor}")
    assert (status, problem["code"]) == (400, "bad_cursor")


async def test_only_published_titles_are_shown(api: Any) -> None:
    async with api.database.write() as connection:
        row = seed._movie("draft", "draft", 1) | {"status": "draft"}
        await connection.execute(insert(content).values(row))
    status, answer = await api.send("GET", "/v1/catalog/contents/cnt_film")
    assert (status, answer["title"]) == (200, "The Film")
    status, problem = await api.send("GET", "/v1/catalog/contents/cnt_draft")
    assert (status, problem["code"]) == (404, "content_not_found")


def test_sealed_text_opens_for_its_purpose_only() -> None:
    text = sealed.seal(b"k" * 32, "a", ["x", 1])
    assert sealed.unseal(b"k" * 32, "a", text) == ["x", 1]
    assert sealed.unseal(b"k" * 32, "b", text) is None
    assert sealed.unseal(b"l" * 32, "a", text) is None


@given(st.text(max_size=80))
def test_no_made_up_cursor_opens(text: str) -> None:
    assert sealed.unseal(b"k" * 32, "a", text) is None


async def test_document_is_openapi_31_and_complete(api: Any) -> None:
    status, document = await api.send("GET", "/openapi.json")
    assert status == 200 and document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    described = {(m.upper(), path) for path, item in document["paths"].items() for m in item}
    assert described == {(route.method, route.path) for route in ROUTES}
    assert all(op["summary"] for item in document["paths"].values() for op in item.values())
    schemas = document["components"]["schemas"]
    assert schemas["StartRequest"]["additionalProperties"] is False


def test_every_code_of_a_route_is_in_the_table() -> None:
    assert {code for route in ROUTES for code in route.errors} <= set(problems.TABLE)


DOCUMENT = openapi.document(ROUTES, "http://x")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
NAMES = [
    *("device", "id", "channel_id", "content_id", "mode", "terminate", "grant_type", "username"),
    *("password", "position_ms", "state", "cdn"),
]
BODIES = st.dictionaries(st.sampled_from(NAMES), JSON | st.just({"id": "x"})) | JSON
SEGMENTS = st.text(max_size=70) | st.sampled_from(["cnt_film", "ses_x", "..", "%00", "a/b"])


async def test_walk_of_the_document_finds_no_5xx_and_nothing_undeclared(api: Any) -> None:
    """CTL-1: every operation with random ids, queries and bodies, half of them near the truth."""
    operations = [
        (method, path, operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if "text/event-stream" not in str(operation["responses"])
    ]
    cases: list[Any] = []

    @settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(operations),
        SEGMENTS,
        BODIES,
        st.dictionaries(st.sampled_from(["limit", "cursor", "z"]), st.text(max_size=6)),
        st.booleans(),
    )
    def collect(operation: Any, segment: str, body: Any, query: Any, signed_in: bool) -> None:
        cases.append((operation, segment, body, query, signed_in))

    collect()
    for (method, path, operation), segment, body, query, signed_in in cases:
        raw = api.url + path.replace("{id}", "") if "{id}" in path else api.url + path
        url = (
            URL(raw.rstrip("/")) / segment
            if path.endswith("{id}") and segment.strip("/.")
            else URL(raw)
        )
        headers = api.bearer() if signed_in else {}
        data = msgspec.json.encode(body) if "requestBody" in operation else None
        kind = {"Content-Type": "application/json"} if data is not None else {}
        async with api.client.request(
            method, url.update_query(query), data=data, headers=headers | kind
        ) as response:
            await response.read()
            routed = response.status not in (404, 405)
            assert response.status < 500, (method, url, body)
            assert not routed or str(response.status) in operation["responses"], (method, url, body)


async def test_pages_share_the_listener(database: Any, make_api: Any, tmp_path: Any) -> None:
    """The hook by which the console is mounted beside the API."""

    def pages(app: web.Application) -> None:
        async def home(_: web.Request) -> web.Response:
            return web.Response(text="<h1>home</h1>", content_type="text/html")

        async def moved(_: web.Request) -> web.Response:
            raise web.HTTPFound("/")

        app.router.add_get("/", home)
        app.router.add_get("/old", moved)

    conf = Settings(port=0)
    made = server.parts(
        conf,
        database=database,
        folder=tmp_path,
        token_signer=server.signer(conf, tmp_path / "token-keys.json"),
        pages=pages,
    )
    for part in made:
        await part.start()
    api = await make_api(database)
    try:
        url = made[-1].url  # type: ignore[attr-defined]
        async with api.client.get(f"{url}/old") as response:
            assert (response.status, await response.text()) == (200, "<h1>home</h1>")
        assert all(part.ready() is None for part in made)
    finally:
        for part in reversed(made):
            await part.stop()


async def test_a_body_that_never_comes(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who promises a body and stays silent is told so."""
    monkeypatch.setattr(listener, "BODY_S", 0.05)
    url = URL(api.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        head = f"POST /v1/auth/token HTTP/1.1\r\nHost: {url.authority}\r\n"
        head += "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
        writer.write(f"{head}1\r\n{{\r\n".encode())
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b'"code":"too_slow"}')
        assert answer.startswith(b"HTTP/1.1 408 ")
    finally:
        writer.close()
        await writer.wait_closed()
