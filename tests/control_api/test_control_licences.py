"""Licence requests at the control API's door: who may have one, and the proxy (PR-120..PR-134)."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import select, update

import origin.settings
from control_api import licences
from control_api.content_tokens import HEADER, CatSigner
from control_api.schema import account, device, entitlement, playback_session
from control_api.times import now_ms
from headwater.licences import Keys, key_routes
from origin.protection.keyfile import KeyFile
from runtime.store import MemoryStore, RedisStore

REQUEST, LICENCE = bytes(range(256)), bytes(range(255, -1, -1)) * 3
WIDEVINE = "/v1/licence/widevine"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One engine: nothing here depends on it."""
    return f"sqlite:///{tmp_path / 'control.sqlite'}"


class LicenceServer:
    """Plays a vendor's part: remembers what came, and misbehaves when told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.certificates = 0
        self.mode = "good"
        self.free = asyncio.Event()
        app = web.Application()
        app.router.add_post("/wv", self.licence)
        app.router.add_get("/cert", self.certificate)
        app.router.add_post("/elsewhere", self.elsewhere)
        self.server = TestServer(app)

    async def licence(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((dict(request.headers), await request.read()))
        match self.mode:
            case "slow":
                await self.free.wait()
            case "broken":
                request.transport.close()  # type: ignore[union-attr]
            case "oversized":
                answer = web.StreamResponse()
                await answer.prepare(request)
                try:
                    for _ in range(40):
                        await answer.write(bytes(65536))
                except ConnectionError:
                    pass
                return answer
            case "redirect":
                raise web.HTTPFound("/elsewhere")
            case "refuses":
                return web.Response(status=403, body=b"\x00no", content_type="text/plain")
            case "fails":
                return web.Response(status=500, body=b"internal detail")
        return web.Response(body=LICENCE, content_type="application/octet-stream")

    async def elsewhere(self, request: web.Request) -> web.Response:
        raise AssertionError("a redirect was followed")

    async def certificate(self, request: web.Request) -> web.Response:
        self.certificates += 1
        return web.Response(body=b"cert", content_type="application/octet-stream")


@pytest.fixture
async def vendor() -> AsyncIterator[LicenceServer]:
    made = LicenceServer()
    await made.server.start_server()
    yield made
    made.free.set()
    await made.server.close()


def servers(vendor: LicenceServer, **more: Any) -> dict[str, Any]:
    base = str(vendor.server.make_url("")).rstrip("/")
    one = {
        "url": f"{base}/wv",
        "certificate_url": f"{base}/cert",
        "headers": {"X-Vendor-Key": "vendor-secret"},
        "forward": ["X-Player"],
    }
    return {"servers": {"widevine": one, "playready": one}, **more}


@pytest.fixture
async def proxied(database: Any, make_api: Any, vendor: LicenceServer) -> Any:
    api = await make_api(database, licences=servers(vendor))
    _, answer = await api.start(content_id="cnt_film")
    api.token, api.session = answer["token"], answer["session_id"]
    api.drm = answer["drm"]
    return api


async def ask(api: Any, path: str = WIDEVINE, body: Any = REQUEST, **headers: str) -> Any:
    sent = {HEADER: api.token, "Origin": "https://player.example", **headers}
    async with api.client.post(api.url + path, data=body, headers=sent) as response:
        raw = await response.read()
        return response.status, response.headers, raw


def problem(answer: Any) -> tuple[int, str]:
    status, headers, raw = answer
    assert headers["Content-Type"].startswith("application/problem+json")
    assert headers["Cache-Control"] == "no-store"
    assert headers["Access-Control-Allow-Origin"] == "*"
    said = json.loads(raw)
    assert said["status"] == status
    return status, said["code"]


async def test_bodies_pass_byte_for_byte_and_tokens_never(
    proxied: Any, vendor: LicenceServer
) -> None:
    """PR-130"""
    sent = {
        "Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"x"', "Cookie": "a=b",
        "Authorization": "Bearer ours", "X-Player": "p", "X-Other": "o",
    }  # fmt: skip
    status, headers, raw = await ask(proxied, "/v1/licence/playready", **sent)
    assert (status, raw) == (200, LICENCE)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Access-Control-Allow-Origin"] == "*"
    [(seen, body)] = vendor.seen
    assert body == REQUEST
    assert {n: seen.get(n) for n in ("Content-Type", "SOAPAction", "X-Player", "X-Vendor-Key")} == {
        "Content-Type": sent["Content-Type"], "SOAPAction": '"x"', "X-Player": "p",
        "X-Vendor-Key": "vendor-secret",
    }  # fmt: skip
    for name in ("Cookie", "Authorization", HEADER, "X-Other", "Origin"):
        assert name not in seen


async def test_start_tells_players_where_licences_are(proxied: Any) -> None:
    """CTL-101"""
    assert [(each["system"], each["key_system"]) for each in proxied.drm] == [
        ("widevine", "com.widevine.alpha"),
        ("playready", "com.microsoft.playready"),
    ]
    one = proxied.drm[0]
    assert one["licence_url"].endswith(WIDEVINE)
    assert one["certificate_url"].endswith(f"{WIDEVINE}/certificate")
    assert one["headers"] == {HEADER: proxied.token}


async def test_a_certificate_is_asked_for_once_an_hour(proxied: Any, vendor: LicenceServer) -> None:
    """PR-130"""
    for _ in range(3):
        async with proxied.client.get(f"{proxied.url}{WIDEVINE}/certificate") as response:
            assert await response.read() == b"cert"
            assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert vendor.certificates == 1


async def test_who_may_not_is_told_why_and_nothing_reaches_the_server(
    proxied: Any, vendor: LicenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-131, PR-133: method, size, session, device, entitlement, concurrency, in this order."""
    monkeypatch.setattr(licences, "FRESH_MS", 0)
    async with proxied.client.get(proxied.url + WIDEVINE) as response:
        assert response.status == 405
    assert problem(await ask(proxied, body=bytes(65537))) == (413, "too_large")

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(30_000)

    assert problem(await ask(proxied, body=parts())) == (413, "too_large")
    for token in ("", "x" * 50, proxied.token[:-4] + "AAAA"):
        assert problem(await ask(proxied, **{HEADER: token})) == (401, "no_session")
    changes = (
        (device, {"revoked_ms": 1}, {"revoked_ms": None}, 403),
        (entitlement, {"state": "expired"}, {"state": "active"}, 403),
        (account, {"max_streams": 0}, {"max_streams": 10}, 403),
        (playback_session, {"ended_ms": 1}, {"ended_ms": None}, 401),
        (playback_session, {"last_seen_ms": 0}, {"last_seen_ms": now_ms()}, 401),
    )
    for table, broken, mended, refused in changes:
        assert (await ask(proxied))[0] == 200
        async with proxied.database.write() as connection:
            await connection.execute(update(table).values(**broken))
        answer = await ask(proxied)
        word = "not_authorized" if refused == 403 else "no_session"
        assert problem(answer) == (refused, word)
        kind = "https://dashif.org/drm-problems/not-authorized" if refused == 403 else "about:blank"
        assert json.loads(answer[2])["type"] == kind
        async with proxied.database.write() as connection:
            await connection.execute(update(table).values(**mended))
    assert len(vendor.seen) == len(changes)


async def test_a_token_for_other_content_is_no_proof(proxied: Any, vendor: LicenceServer) -> None:
    """PR-131: the content is the session's."""
    async with proxied.database.write() as connection:
        await connection.execute(
            update(playback_session)
            .where(playback_session.c.id == proxied.session)
            .values(kind="live", target_id="ch_demo")
        )
    status, said = problem(await ask(proxied))
    assert (status, said) == (403, "insufficient_proof")
    assert vendor.seen == []


@pytest.mark.parametrize(
    ("mode", "status", "word"),
    [
        ("broken", 502, "upstream_broken"),
        ("oversized", 502, "upstream_broken"),
        ("redirect", 502, "upstream_broken"),
        ("fails", 502, "upstream_broken"),
        ("slow", 504, "upstream_late"),
        ("gone", 503, "upstream_dead"),
    ],
)
async def test_servers_that_misbehave(
    database: Any, make_api: Any, vendor: LicenceServer, mode: str, status: int, word: str
) -> None:
    """PR-132, PR-133: one attempt, bounded in time and size, no redirect followed."""
    late = 300 if mode == "slow" else 8_000
    api = await make_api(database, licences=servers(vendor, answer_ms=late))
    _, answer = await api.start(content_id="cnt_film")
    api.token = answer["token"]
    vendor.mode = mode
    if mode == "gone":
        await vendor.server.close()
    said = await ask(api)
    assert problem(said) == (status, word)
    assert b"internal detail" not in said[2]
    assert len(vendor.seen) == (0 if mode == "gone" else 1)


async def test_a_server_s_own_refusal_passes_and_a_dead_one_is_left_alone(
    proxied: Any, vendor: LicenceServer
) -> None:
    """PR-132, PR-133"""
    vendor.mode = "refuses"
    status, headers, raw = await ask(proxied)
    assert (status, raw) == (403, b"\x00no")
    vendor.mode = "fails"
    for _ in range(5):
        assert problem(await ask(proxied)) == (502, "upstream_broken")
    count = len(vendor.seen)
    status, headers, _ = said = await ask(proxied)
    assert problem(said) == (503, "upstream_dead")
    assert int(headers["Retry-After"]) >= 1
    assert len(vendor.seen) == count, "the breaker is open"


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[list[Any]]:
    """What two nodes share."""
    stores: list[Any] = [MemoryStore()] * 2
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        stores = [RedisStore(url, timeout_ms=5_000, max_connections=4) for _ in range(2)]
    for store in stores:
        await store.start()
    yield stores
    for store in stores:
        await store.stop()


async def test_limits_hold_over_nodes(
    database: Any, stores: list[Any], make_api: Any, vendor: LicenceServer
) -> None:
    """PR-134: two nodes, one store; counted by session."""
    limited = servers(vendor, session_per_min=1, session_burst=3)
    nodes = [await make_api(database, licences=limited, store=store) for store in stores]
    _, answer = await nodes[0].start(content_id="cnt_film")
    statuses = []
    for at in range(4):
        nodes[at % 2].token = answer["token"]
        said = await ask(nodes[at % 2])
        statuses.append(said[0])
    assert statuses == [200, 200, 200, 429]
    assert int(said[1]["Retry-After"]) >= 1
    assert len(vendor.seen) == 3


async def test_a_wave_is_slowed_down_before_it_is_refused(
    database: Any, make_api: Any, vendor: LicenceServer
) -> None:
    """PR-134"""
    wave = servers(vendor, all_per_s=10, session_burst=100, slow_ms=2_000)
    api = await make_api(database, licences=wave)
    _, answer = await api.start(content_id="cnt_film")
    api.token = answer["token"]
    answers = await asyncio.gather(*(ask(api) for _ in range(20)))
    assert [status for status, _, _ in answers] == [200] * 20


async def test_rights_that_cannot_be_read(proxied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTL-84: what was known stands in; without it 503."""
    from runtime.sql import SqlError

    monkeypatch.setattr(licences, "FRESH_MS", 0)
    assert (await ask(proxied))[0] == 200

    async def away(self: Any, cti: str, now: int) -> Any:
        raise SqlError("unavailable", "gone")

    monkeypatch.setattr(licences.Gate, "_read", away)
    assert (await ask(proxied))[0] == 200
    monkeypatch.setattr(licences, "STALE_MS", 0)
    said = await ask(proxied)
    assert problem(said) == (503, "unavailable") and "Retry-After" in said[1]


async def test_a_token_past_its_time_opens_nothing(proxied: Any, vendor: LicenceServer) -> None:
    """PR-131: the session lives, its token does not."""
    signer, now_s = CatSigner(proxied.token_keys(), "headwater"), now_ms() // 1_000
    query = select(playback_session.c.cti).where(playback_session.c.id == proxied.session)
    async with proxied.database.read() as connection:
        cti = bytes.fromhex((await connection.execute(query)).scalar_one())
    for expires_s, status in ((now_s - 1, 401), (now_s + 60, 200)):
        proxied.token = signer.sign("/vod/film/", cti, now_s - 600, expires_s)
        assert (await ask(proxied))[0] == status
    assert len(vendor.seen) == 1


async def test_a_session_gets_the_content_keys_of_what_it_plays(
    database: Any, make_api: Any, tmp_path: Path
) -> None:
    """PR-120, PR-121: from playback start to a ClearKey licence, and not one key more."""
    settings = origin.settings.Settings()
    with KeyFile.open(settings.protection, tmp_path, create=True).change() as vault:
        [film] = vault.ensure("film", "cbcs", ["sd"], os.urandom)
        [other] = vault.ensure("vault", "cbcs", ["sd"], os.urandom)
    api = await make_api(database, key_routes=key_routes(Keys(settings, tmp_path)))
    _, answer = await api.start(content_id="cnt_film")
    [drm] = answer["drm"]
    assert drm["key_system"] == "org.w3.clearkey"
    api.token = drm["headers"][HEADER]
    path = urlsplit(drm["licence_url"]).path
    kids = [base64.urlsafe_b64encode(k.kid).rstrip(b"=").decode() for k in (film, other)]
    status, headers, raw = await ask(api, path, json.dumps({"kids": kids}).encode())
    assert status == 200 and headers["Cache-Control"] == "no-store"
    [given] = json.loads(raw)["keys"]
    assert given["kid"] == kids[0]
    assert base64.urlsafe_b64decode(given["k"] + "==") == film.secret.reveal()
    refused = await ask(api, path, json.dumps({"kids": kids[1:]}).encode())
    assert refused[0] == 403
    key = f"/v1/licence/key/{film.kid.hex()}"
    async with api.client.get(f"{api.url}{key}?CAT={api.token}") as response:
        assert await response.read() == film.secret.reveal()
    async with api.client.options(
        api.url + key,
        headers={"Origin": "https://p.example", "Access-Control-Request-Method": "GET"},
    ) as response:
        assert HEADER in response.headers["Access-Control-Allow-Headers"]
