"""Playback start, heartbeat, stop over a real listener (CTL-100..112)."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from control_rigs.rental import rent
from sqlalchemy import select, update

import cat
from cat.tables import LABELS
from control_api import seed
from control_api.schema import account, entitlement, playback_session
from runtime.service import Web

SUB, EXP, IAT, CTI = (LABELS[name] for name in ("sub", "exp", "iat", "cti"))
ISSUER = cat.Options(issuers=("headwater",))


async def test_start_answers_all_that_a_player_needs(api: Any) -> None:
    """CTL-101, CTL-110: URLs for both protocols over the router's order."""
    status, answer = await api.start(channel_id="ch_demo")
    assert status == 201
    base = "http://localhost:8003/p/CDN-B~CDN-A/live/demo/"
    token = answer["token"]
    assert answer["manifests"] == {
        "hls": f"{base}master.m3u8?CAT={token}",
        "dash": f"{base}manifest.mpd?CAT={token}",
    }
    assert answer["manifest_url"] == answer["manifests"]["hls"]
    assert [cdn["id"] for cdn in answer["cdns"]] == ["CDN-B", "CDN-A"]
    assert answer["decision"]["reason"] == "probe_failed"
    assert answer["steering"]["dash"].endswith("/steer/dash?ss=1")
    assert answer["heartbeat"]["interval_s"] == 30 and answer["heartbeat"]["ttl_s"] == 90
    assert answer["limits"] == {"max_streams": 10, "in_use": 1}
    [question] = api.router.asked
    claims = verdict(api, token, "/live/demo/v1/7.m4s", 0).claims or {}
    assert question.session_id == claims[CTI].hex(), "the proxy and polls know it by the token's id"
    assert question.content == "/live/demo/"


async def test_dash_is_the_first_url_for_a_dash_device(api: Any) -> None:
    device = {"id": "d", "protocols": ["dash", "hls"]}
    status, answer = await api.start(device, content_id="cnt_film")
    assert status == 201 and answer["protocol"] == "dash"
    assert urlsplit(answer["manifest_url"]).path == "/p/CDN-B~CDN-A/vod/film/manifest.mpd"


def verdict(api: Any, token: str, path: str, now_s: float, method: str = "GET") -> cat.Verdict:
    context = cat.Context(uri=f"http://localhost:8011{path}", method=method, now=now_s)
    return cat.verify(token, context, api.token_keys(), ISSUER)


async def test_token_opens_its_own_path_and_no_other(api: Any) -> None:
    """CTL-112, by the verifier that edges and proxy use."""
    _, answer = await api.start(channel_id="ch_demo")
    token = parse_qs(urlsplit(answer["manifest_url"]).query)["CAT"][0]
    seen = verdict(api, token, "/live/demo/v1/7.m4s", 0)
    claims = seen.claims or {}
    assert seen.reason == "not_before"
    now_s = claims[IAT]
    for path in ("/live/demo/master.m3u8", "/live/demo/v1/7.m4s"):
        for method in ("GET", "HEAD"):
            assert verdict(api, token, path, now_s, method).accept
    for path in ("/live/arena/master.m3u8", "/vod/film/master.m3u8", "/live/demo/../arena/x"):
        refused = verdict(api, token, path, now_s)
        assert (refused.accept, refused.reason) == (False, "uri")
    assert verdict(api, token, "/live/demo/x", now_s, "PUT").reason == "method"
    assert verdict(api, token, "/live/demo/x", now_s + 600).reason == "expired"
    assert claims[EXP] - now_s == 600 and SUB not in claims
    assert len(claims[CTI]) == 16


@pytest.mark.parametrize(
    "subject", [{"channel_id": "ch_arena"}, {"content_id": "cnt_vault"}], ids=["channel", "film"]
)
async def test_denial_is_a_problem_with_its_way_out(api: Any, subject: dict[str, str]) -> None:
    """CTL-5, CTL-79, CTL-80: 403 `not_entitled` and the offer that would change it."""
    headers = api.bearer() | {"X-Request-Id": "req_1"}
    body = {"device": {"id": "one"}, **subject}
    url = f"{api.url}/v1/playback/start"
    async with api.client.post(url, json=body, headers=headers) as response:
        assert response.status == 403
        assert response.content_type == "application/problem+json"
        problem = json.loads(await response.read())
    assert problem["type"] == "urn:headwater:problem:not_entitled"
    assert (problem["code"], problem["status"], problem["rule"]) == ("not_entitled", 403, "CTL-79")
    assert problem["instance"] == "req_1"
    [offer] = problem["upgrade_options"]
    assert (offer["offer_id"], offer["price_minor"]) == ("ofr_premium", 999)
    async with api.database.write() as connection:
        row = dict(seed.ROWS[-1][1]) | {"id": "e2", "source_ref": "2", "package_id": "pkg_premium"}
        await connection.execute(entitlement.insert().values(row))
    status, _ = await api.start(**subject)
    assert status == 201, "buying the option makes the same call pass"
    assert len(api.router.asked) == 1, "a denial asks no router"


async def test_three_shapes_differ_in_defaults_only(api: Any) -> None:
    """CTL-30: same subject, same verdict and reason on all shapes."""
    for subject in ({"channel_id": "ch_demo"}, {"content_id": "cnt_vault"}):
        seen = set()
        for profile in ("", "/tv", "/mobile", "/web"):
            status, answer = await api.start(profile=profile, **subject)
            seen.add((status, answer.get("code")))
        assert len(seen) == 1


async def test_unknown_subject_is_404(api: Any) -> None:
    for subject in ({"channel_id": "ch_none"}, {"content_id": "cnt_none"}):
        status, problem = await api.start(**subject)
        assert (status, problem["code"]) == (404, "content_not_found")


async def test_mode_must_fit_the_subject(api: Any) -> None:
    status, problem = await api.start(channel_id="ch_demo", mode="vod")
    assert (status, problem["code"]) == (400, "invalid")


async def test_router_down_gives_the_static_order(database: Any, make_api: Any) -> None:
    """CTL-188: away is not an error, and says so."""
    api = await make_api(database, router="http", router_url="http://127.0.0.1:9")
    for device in ("a", "b", "c", "d", "e", "f"):  # one more than opens the breaker
        status, answer = await api.start(device)
        assert status == 201
        assert answer["decision"]["reason"] == "router_unavailable"
        assert "/p/CDN-A~CDN-B/live/demo/" in answer["manifest_url"]
        assert answer["steering"] is None


async def test_router_late_keeps_its_last_order(database: Any, make_api: Any) -> None:
    """CTL-188: a late router's last word stands; a broken one is as good as none."""
    release = asyncio.Event()
    answers: list[Any] = [
        {
            "pathways": [{"id": "X", "base_url": "http://x.example"}],
            "reason": "priority",
            "sentence": "s",
            "ttl_s": 10,
            "steering": None,
        }
    ]

    async def decide(request: web.Request) -> web.Response:
        assert set(await request.json()) == {"session_id", "content", "country", "device_class"}
        if answers:
            return web.json_response(answers.pop(0))
        await release.wait()
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/v1/decisions", decide)
    router = Web("r", app, host="127.0.0.1", port=0)
    await router.start()
    try:
        api = await make_api(database, router="http", router_url=router.url, router_ms=3_000)
        _, first = await api.start("a")
        _, late = await api.start("b")
        answers.append({"pathways": []})
        _, broken = await api.start("c")
    finally:
        release.set()
        await router.stop()
    assert [cdn["id"] for cdn in first["cdns"]] == ["X"] == [cdn["id"] for cdn in late["cdns"]]
    assert late["decision"]["reason"] == "router_timeout"
    assert broken["decision"]["reason"] == "router_unavailable"
    assert [cdn["id"] for cdn in broken["cdns"]] == ["CDN-A", "CDN-B"]


class BrokenSigner:
    def sign(self, origin_path: str, cti: bytes, now_s: int, expires_s: int) -> str:
        raise RuntimeError("no key")


async def test_signer_down_is_503_and_holds_no_slot(api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("control_api.content_tokens.CatSigner.sign", BrokenSigner.sign)
    status, problem = await api.start()
    assert (status, problem["code"]) == (503, "token_unavailable")
    async with api.database.read() as connection:
        rows = (await connection.execute(select(playback_session))).all()
    assert all(row.end_reason == "failed" for row in rows)
    monkeypatch.undo()
    status, answer = await api.start("another")
    assert (status, answer["limits"]["in_use"]) == (201, 1)


async def test_heartbeat_and_stop(api: Any) -> None:
    """CTL-106, CTL-109: alive, stopped twice, gone."""
    _, answer = await api.start()
    path = f"/v1/sessions/{answer['session_id']}"
    status, beat = await api.send("POST", f"{path}/heartbeat", {"position_ms": 5, "cdn": "CDN-B"})
    assert status == 200 and 27 <= beat["next_in_s"] <= 33 and beat["commands"] == []
    assert await api.send("DELETE", path) == (204, None)
    assert await api.send("POST", f"{path}/stop") == (204, None)
    status, problem = await api.send("POST", f"{path}/heartbeat", {})
    assert (status, problem["code"], problem["reason"]) == (410, "session_terminated", "stopped")
    async with api.database.read() as connection:
        [row] = (await connection.execute(select(playback_session))).all()
    assert (row.position_ms, row.cdn) == (5, "CDN-B")


async def test_another_accounts_session_does_not_exist(api: Any, neighbour: str) -> None:
    """CTL-8, on every route with a session id."""
    _, answer = await api.start()
    path = f"/v1/sessions/{answer['session_id']}"
    for method, route, body in (
        ("POST", f"{path}/heartbeat", {}),
        ("POST", f"{path}/stop", None),
        ("DELETE", path, None),
    ):
        status, problem = await api.send(method, route, body, account_id=neighbour)
        assert (status, problem["code"]) == (404, "session_not_found")
        assert seed.ACCOUNT not in json.dumps(problem)
    status, _ = await api.send("POST", f"{path}/heartbeat", {})
    assert status == 200


async def test_limit_list_and_terminate(api: Any, neighbour: str) -> None:
    """CTL-102..105: over the limit, kill one by its code, the victim hears 410."""
    starts = [
        await api.start(device, account_id=neighbour, channel_id="ch_demo") for device in "ab"
    ]
    victim = starts[0][1]["session_id"]
    status, problem = await api.start("c", account_id=neighbour, channel_id="ch_demo")
    assert (status, problem["code"], problem["limit"]) == (409, "stream_limit", 2)
    listed = {device["session_id"]: device for device in problem["active_devices"]}
    assert set(listed) == {answer["session_id"] for _, answer in starts}
    assert listed[victim]["content_title"] == "demo"
    code = listed[victim]["termination_code"]
    foreign, _ = await api.start("z", channel_id="ch_demo", terminate=[code])
    assert foreign == 201, "another account's code is no use and no harm"
    killed = await asyncio.gather(
        *(
            api.start(device, account_id=neighbour, channel_id="ch_demo", terminate=[code])
            for device in "cd"
        )
    )
    assert sorted(status for status, _ in killed) == [201, 409], "two killers of one victim"
    status, problem = await api.send(
        "POST", f"/v1/sessions/{victim}/heartbeat", {}, account_id=neighbour
    )
    assert (status, problem["reason"]) == (410, "terminated")


async def test_same_device_replaces_its_session(api: Any, neighbour: str) -> None:
    for _ in range(4):
        status, answer = await api.start("one", account_id=neighbour, channel_id="ch_demo")
        assert (status, answer["limits"]["in_use"]) == (201, 1)


async def test_parallel_starts_never_exceed_the_limit(api: Any, neighbour: str) -> None:
    """CTL-104, on the row lock."""
    started = await asyncio.gather(
        *(api.start(f"d{n}", account_id=neighbour, channel_id="ch_demo") for n in range(12))
    )
    assert sorted(status for status, _ in started) == [201] * 2 + [409] * 10


async def test_unseen_sessions_free_their_slot(
    turned: Any, wheel: Any, turned_neighbour: str
) -> None:
    """CTL-108: late ones come back while there is room, very late ones are gone."""
    neighbour = turned_neighbour
    ids = []
    for device in "ab":
        _, answer = await turned.start(device, account_id=neighbour, channel_id="ch_demo")
        ids.append(answer["session_id"])
    wheel.advance(91)
    status, answer = await turned.start("c", account_id=neighbour, channel_id="ch_demo")
    assert (status, answer["limits"]["in_use"]) == (201, 1)
    beats = [await beat(turned, each, neighbour) for each in ids]
    assert [status for status, _ in beats] == [200, 409]
    wheel.advance(601)
    assert (await beat(turned, ids[1], neighbour))[0] == 404


async def beat(api: Any, session_id: str, account_id: str = seed.ACCOUNT) -> tuple[int, Any]:
    path = f"/v1/sessions/{session_id}/heartbeat"
    answer: tuple[int, Any] = await api.send("POST", path, {}, account_id=account_id)
    return answer


async def test_token_is_renewed_once_per_half_life(turned: Any, wheel: Any) -> None:
    """CTL-112: same session, same cti, a later end."""
    _, answer = await turned.start()
    commands = []
    for _ in range(11):
        wheel.advance(30)
        _, told = await beat(turned, answer["session_id"])
        commands.append(told["commands"])
    [command] = commands[9]
    assert command["type"] == "renew_token" and sum(map(len, commands)) == 1
    again = verdict(turned, command["token"], "/live/demo/x", 0).claims
    first = verdict(turned, answer["token"], "/live/demo/x", 0).claims
    assert again and first and again[CTI] == first[CTI] and again[EXP] >= first[EXP] + 300


async def test_lost_access_stops_at_renewal(turned: Any, wheel: Any) -> None:
    """CTL-132: rights that went cut a running session."""
    _, answer = await turned.start()
    async with turned.database.write() as connection:
        await connection.execute(update(account).values(status="suspended"))
    told: Any = {"commands": []}
    for _ in range(10):
        wheel.advance(30)
        if not told["commands"]:
            _, told = await beat(turned, answer["session_id"])
    assert told["commands"] == [{"type": "stop", "reason": "account_suspended"}]
    status, problem = await beat(turned, answer["session_id"])
    assert (status, problem["by"]) == (410, "service")


async def test_one_rental_is_spent_once(api: Any) -> None:
    """CTL-81, CTL-82: parallel starts spend one use; resuming in the viewing window is free."""
    await rent(api.database, 1)
    started = await asyncio.gather(*(api.start(f"d{n}", content_id="cnt_vault") for n in range(5)))
    assert [status for status, _ in started] == [201] * 5
    async with api.database.read() as connection:
        query = select(entitlement).where(entitlement.c.id == "ent_rent")
        row = (await connection.execute(query)).one()
    assert row.uses == 1 and row.first_played_ms is not None
