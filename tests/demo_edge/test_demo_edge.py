"""The demo's CDN: token gate, cache against a counting origin, and its switch."""

import asyncio
import contextlib
import time

import aiohttp
import pytest
from aiohttp import web
from twins.ports import free_port

import cat
from headwater.demo import edge, edge_script
from headwater.demo.edge_script import PLATFORMS

KEY = {"kid": "demo", "alg": "HS256", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}
KEYS = cat.KeySet.from_json([KEY])


def token(**changes):
    now = int(time.time())
    claims = {
        "iss": "headwater",
        "exp": now + 600,
        "nbf": now - 5,
        "catu": {"path": {"prefix": "/live/demo/"}},
        "catm": ["GET", "HEAD"],
        **changes,
    }
    return cat.issue(claims, KEYS.signer())


MARKS = {"CMSD-Static": "ot=v", "CMSD-Dynamic": '"o";rd=1'}


class Origin:
    """Counts what reaches it; `gate` holds answers back until set."""

    def __init__(self):
        self.seen = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.cache_control = "max-age=60"
        self.body = bytes(range(256)) * 40
        self.status = 200
        self.content_type = "video/mp4"

    async def grow(self, request):
        """A body that is still made: one octet at once, the rest when the gate opens."""
        self.seen.append(request)
        answer = web.StreamResponse(headers={"Cache-Control": self.cache_control})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(self.body[:1])
        await self.gate.wait()
        if self.status != 200:
            request.transport.abort()
            return answer
        await answer.write(self.body[1:])
        await answer.write_eof()
        return answer

    async def answer(self, request):
        self.seen.append(request)
        await self.gate.wait()
        headers = {"Cache-Control": self.cache_control, "ETag": '"v1"', **MARKS}
        if request.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304, headers=headers)
        if self.status != 200:
            return web.json_response({"error": "no"}, status=self.status, headers=headers)
        headers["Last-Modified"] = "Sat, 21 Nov 2026 04:00:00 GMT"
        return web.Response(body=self.body, headers=headers, content_type=self.content_type)


@pytest.fixture
async def origin(aiohttp_server):
    origin = Origin()
    app = web.Application()
    app.router.add_get("/{rest:.*}/growing", origin.grow)
    app.router.add_get("/{rest:.*}", origin.answer)
    origin.server = await aiohttp_server(app)
    yield origin
    origin.gate.set()


@pytest.fixture(params=PLATFORMS)
async def cdn(origin, request, monkeypatch):
    """On a port that is nobody else's while it is dead; its script may be slow."""
    monkeypatch.setattr(edge_script, "TIMEOUT_S", 60.0)
    url = f"http://127.0.0.1:{origin.server.port}"
    own = free_port()
    parts = edge.parts("CDN-A", "127.0.0.1", own, 0, url, [KEY], ["headwater"], request.param)
    for part in parts:
        await part.start()
    yield parts[2], parts[3]
    for part in reversed(parts):
        await part.stop()


@pytest.fixture
async def get(cdn):
    async with aiohttp.ClientSession() as session:

        async def get(path, **options):
            url = f"http://127.0.0.1:{cdn[0].port}{path}"
            async with session.get(url, **options) as response:
                response.body = await response.read()
                return response

        yield get


async def switch(cdn, mode):
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{cdn[1].port}/switch"
        async with session.post(url, json={"mode": mode}) as response:
            return response.status, response.headers, await response.json()


async def state(cdn):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{cdn[1].port}/state") as response,
    ):
        return await response.json()


@pytest.mark.parametrize("form", ["path", "query", "header"])
async def test_a_token_passes_and_is_taken_out(origin, get, form):
    text = token()
    leaf = "/live/demo/v/1.m4s"
    path = f"/cat:{text}{leaf}" if form == "path" else leaf
    path += f"?CAT={text}" if form == "query" else ""
    headers = {"CTA-Common-Access-Token": text} if form == "header" else {}
    response = await get(path, headers=headers)
    assert (response.status, response.body) == (200, origin.body)
    assert response.headers["X-Cache"] == "MISS"
    assert response.headers["ETag"] == '"v1"'
    assert response.headers["Last-Modified"] == "Sat, 21 Nov 2026 04:00:00 GMT"
    assert response.headers["Content-Type"] == "video/mp4"
    (seen,) = origin.seen
    assert seen.raw_path == leaf
    assert text not in str(dict(seen.headers))


REFUSED = [
    (None, "/live/demo/x", 401, "missing"),
    ({"exp": 1000}, "/live/demo/x", 401, "expired"),
    ({"iss": "other"}, "/live/demo/x", 401, "issuer"),
    ({}, "/live/other/x", 403, "uri"),
    ({"catm": ["HEAD"]}, "/live/demo/x", 403, "method"),
    ({"catreplay": 1}, "/live/demo/x", 403, "claim_unsupported"),
]


@pytest.mark.parametrize(("changes", "path", "status", "reason"), REFUSED)
async def test_refusals(origin, cdn, get, changes, path, status, reason):
    """CAT-110, and E-51: no origin traffic."""
    prefix = "" if changes is None else f"/cat:{token(**changes)}"
    response = await get(prefix + path)
    assert response.status == status
    assert response.headers["CAT-Reason"] == reason
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert b'"error":"cat"' in response.body
    assert origin.seen == []
    assert (await state(cdn))["verdicts"] == {reason: 1}


async def test_the_edge_runs_the_bundle_of_its_platform(cdn, get):
    """CloudFront's leaves catnip out, Akamai's asks for the connection's address: what
    X-Forwarded-For says counts nowhere (CAT-45).
    """
    here, there = (
        (cat.cbor.Tag(52, bytes(octets)),) for octets in ([127, 0, 0, 1], [192, 0, 2, 1])
    )
    headers = {"X-Forwarded-For": "192.0.2.1"}
    inside = await get(f"/cat:{token(catnip=here)}/live/demo/n.m4s", headers=headers)
    outside = await get(f"/cat:{token(catnip=there)}/live/demo/n.m4s", headers=headers)
    is_akamai = (await state(cdn))["platform"] == "akamai"
    wanted = [None, "network"] if is_akamai else 2 * ["claim_unsupported"]
    assert [one.headers.get("CAT-Reason") for one in (inside, outside)] == wanted


async def test_a_renewed_token_is_each_viewers_own(origin, get):
    """CAT-56: added behind the cache; X-CDN and the CMSD of all hops beside it (E-53, E-55)."""
    short = token(exp=int(time.time()) + 30, catr={0: 2, 1: 600})
    first, second = [
        await get("/live/demo/r.m4s", headers={"CTA-Common-Access-Token": text})
        for text in (short, token())
    ]
    assert first.headers["CTA-Common-Access-Token"] != short
    assert "CTA-Common-Access-Token" not in second.headers
    assert second.headers["X-Cache"] == "HIT"
    for response in (first, second):
        assert response.headers["X-CDN"] == "CDN-A"
        assert response.headers["CMSD-Dynamic"] == '"o";rd=1, "CDN-A"'
        assert response.headers["CMSD-Static"] == "ot=v"


async def test_a_script_that_ends_ends_the_edge(cdn, get):
    """E-56: never open; the process is then started anew by who watches it."""
    script = cdn[0]._script
    script._process.kill()
    async with asyncio.timeout(60):
        await script.watch()
    assert script.ready() == "no script"
    assert (await get(f"/cat:{token()}/live/demo/x.m4s")).status == 503


async def test_an_older_candidate_does_not_mask_a_good_one(get):
    """CAT-91."""
    path = f"/live/demo/m.m4s?CAT={token(exp=1000)}"
    response = await get(path, headers={"CTA-Common-Access-Token": token()})
    assert response.status == 200


async def test_two_viewers_one_origin_fetch(origin, cdn, get):
    """E-43: token and CMCD are in no key; known parameters are."""
    for text in (token(), token()):
        await get(f"/cat:{text}/live/demo/a.m4s?CMCD=sid%3D%22{text[-8:]}%22")
    again = await get(f"/live/demo/a.m4s?CAT={token()}")
    assert again.headers["X-Cache"] == "HIT"
    assert len(origin.seen) == 1
    await get(f"/live/demo/a.m4s?CAT={token()}&_HLS_msn=4&x=1")
    assert [request.raw_path for request in origin.seen[1:]] == ["/live/demo/a.m4s?_HLS_msn=4"]
    counts = await state(cdn)
    assert (counts["hits"], counts["misses"]) == (2, 2)
    assert counts["bytes"] == 4 * len(origin.body)


async def test_single_flight(origin, cdn, get):
    origin.gate.clear()
    path = f"/cat:{token()}/live/demo/b.m4s"
    waiting = [asyncio.create_task(get(path)) for _ in range(10)]
    async with asyncio.timeout(60):
        while (await state(cdn))["verdicts"].get("ok") != 10:
            await asyncio.sleep(0.01)
    origin.gate.set()
    bodies = {(await task).body for task in waiting}
    assert bodies == {origin.body}
    assert len(origin.seen) == 1


@pytest.mark.parametrize("status", [200, 500])
async def test_what_is_still_made_passes_at_once(origin, cdn, get, status):
    """O10: streaming miss, shared by viewers; a broken source shows as a broken body."""
    origin.gate.clear()
    origin.status = status
    path = f"/cat:{token()}/live/demo/growing"
    url = f"http://127.0.0.1:{cdn[0].port}{path}"
    async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as viewers:
        answers = [await viewers.enter_async_context(session.get(url)) for _ in range(3)]
        assert [await a.content.readexactly(1) for a in answers] == 3 * [origin.body[:1]]
        origin.gate.set()
        for answer in answers:
            if status == 200:
                assert await answer.read() == origin.body[1:]
            else:
                with pytest.raises(aiohttp.ClientPayloadError):
                    await answer.read()
    assert len(origin.seen) == 1
    if status == 200:
        assert (await get(path)).headers["X-Cache"] == "HIT"


async def test_ranges_and_head_come_from_the_cache(origin, get):
    path = f"/cat:{token()}/live/demo/c.m4s"
    await get(path)
    part = await get(path, headers={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, origin.body[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(origin.body)}"
    unchanged = await get(path, headers={"If-None-Match": '"v1"'})
    assert unchanged.status == 304
    assert len(origin.seen) == 1


async def test_stale_objects_are_revalidated(origin, cdn, get):
    path = f"/cat:{token()}/live/demo/d.m3u8"
    await get(path)
    (stored,) = cdn[0].cache._stored.values()
    object.__setattr__(stored, "stored_at_s", stored.stored_at_s - 61)
    response = await get(path)
    assert response.headers["X-Cache"] == "REVALIDATED"
    assert response.body == origin.body
    assert origin.seen[1].headers["If-None-Match"] == '"v1"'
    assert (await get(path)).headers["X-Cache"] == "HIT"


async def test_what_may_not_be_stored_is_not(origin, get):
    origin.cache_control = "no-store"
    path = f"/cat:{token()}/live/demo/e.m4s"
    for _ in range(2):
        assert (await get(path)).headers["X-Cache"] == "MISS"
    assert len(origin.seen) == 2


async def test_errors_pass_with_their_freshness(origin, get):
    origin.status, origin.cache_control = 404, "max-age=1"
    response = await get(f"/cat:{token()}/live/demo/none.m4s")
    assert (response.status, response.headers["Cache-Control"]) == (404, "max-age=1")


async def test_origin_down(origin, get):
    await origin.server.close()
    response = await get(f"/cat:{token()}/live/demo/f.m4s")
    assert response.status == 502
    assert response.headers["Cache-Control"] == "no-store"


async def test_playlists_are_coded(origin, get):
    origin.body, origin.content_type = b"#EXTM3U\n" * 200, "application/vnd.apple.mpegurl"
    path = f"/cat:{token()}/live/demo/g.m3u8"
    coded = await get(path, headers={"Accept-Encoding": "gzip"})
    assert coded.headers["Content-Encoding"] == "gzip"
    plain = await get(path, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert coded.body == plain.body == origin.body


async def test_dead_and_back(cdn, get):
    path = f"/cat:{token()}/live/demo/h.m4s"
    assert (await get(path)).status == 200
    status, headers, body = await switch(cdn, "dead")
    assert (status, body["mode"]) == (200, "dead")
    assert headers["Access-Control-Allow-Origin"] == "*"
    with pytest.raises(aiohttp.ClientError):
        await get(path)
    port = cdn[0].port
    await switch(cdn, "ok")
    assert cdn[0].port == port
    assert (await get(path)).status == 200


async def test_dead_cuts_what_is_under_way(origin, cdn, get):
    origin.gate.clear()
    task = asyncio.create_task(get(f"/cat:{token()}/live/demo/i.m4s"))
    async with asyncio.timeout(60):
        while not origin.seen:
            await asyncio.sleep(0.01)
    await switch(cdn, "dead")
    with pytest.raises(aiohttp.ClientError):
        await task


async def test_slow_is_paced_and_late(origin, cdn, get, monkeypatch):
    naps = []

    async def nap(seconds):
        naps.append(seconds)

    await switch(cdn, "slow")
    monkeypatch.setattr(edge, "_pause", nap)
    response = await get(f"/cat:{token()}/live/demo/j.m4s")
    assert response.body == origin.body
    assert naps[0] == edge.SLOW_LATENCY_S
    assert sum(naps[1:]) == pytest.approx(len(origin.body) / edge.SLOW_BYTES_S)


@pytest.mark.parametrize("body", ["{}", '{"mode": "off"}', "[1]", "nonsense"])
async def test_an_unknown_mode_is_refused(cdn, body):
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{cdn[1].port}/switch", data=body) as response,
    ):
        assert response.status == 400
        assert (await response.json())["error"] == "bad_mode"
    assert (await state(cdn))["mode"] == "ok"
