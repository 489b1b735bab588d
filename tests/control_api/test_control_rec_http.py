"""Recordings over HTTP: orders, lists, playing, and other people's ids (CTL-8, CTL-121..132)."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from control_rigs.recorder import HOUR, MIN, Recorder
from sqlalchemy import update

from control_api.issuer import VIEWER_SCOPES
from control_api.schema import channel
from control_api.times import now_ms, utc
from runtime.service import Web

MASTER = "\n".join(
    (
        "#EXTM3U",
        "#EXT-X-STREAM-INF:BANDWIDTH=1",
        "v/media.m3u8",
        '#EXT-X-MEDIA:TYPE=AUDIO,URI="a/media.m3u8"',
    )
)


class PaperOrigin:
    """The origin's two ports in one: it wants its secret, and remembers what is held."""

    def __init__(self) -> None:
        self.holds: dict[str, Any] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/recordings", self.hold)
        app.router.add_get("/recordings/{id}", self.show)
        app.router.add_delete("/recordings/{id}", self.release)
        app.router.add_get("/rec/{id}/{leaf:.+}", self.playlist)
        return app

    async def hold(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer s3cret"
        body = await request.json()
        new = body["id"] not in self.holds
        self.holds[body["id"]] = body
        return web.json_response(body, status=201 if new else 200)

    async def show(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer s3cret"
        return web.json_response({"id": request.match_info["id"], "bytes": 1_020_000})

    async def release(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer s3cret"
        return web.Response(status=204 if self.holds.pop(request.match_info["id"], None) else 404)

    async def playlist(self, request: web.Request) -> web.Response:
        held = self.holds[request.match_info["id"]]
        if request.match_info["leaf"] == "master.m3u8":
            return web.Response(text=MASTER)
        lines = [f"#EXT-X-PROGRAM-DATE-TIME:{utc(int(1_000 * held['start']) - 400).isoformat()}"]
        count = int(held["end"] - held["start"]) // 2 + 1
        lines += ["#EXTINF:2,\n1.m4s"] * count
        return web.Response(text="\n".join(["#EXTM3U", *lines, "#EXT-X-ENDLIST"]))


@pytest.fixture
async def origin() -> AsyncIterator[tuple[PaperOrigin, str]]:
    paper = PaperOrigin()
    part = Web("origin", paper.app(), host="127.0.0.1", port=0)
    await part.start()
    yield paper, part.url
    await part.stop()


@pytest.fixture
async def dvr(kept: Any, make_api: Any, origin: Any) -> Any:
    """An API with a guide, a neighbour and an origin."""
    recorder = Recorder(kept, now_ms=now_ms())
    await recorder.begin("acc_b", dvr_s=3_600)
    recordings = {
        "ingest_url": origin[1],
        "delivery_url": origin[1],
        "ingest_secret": "s3cret",
    }
    api = await make_api(kept, recordings=recordings)
    api.recorder = recorder
    api.paper = origin[0]
    return api


async def until(api: Any, recording_id: str, state: str) -> Any:
    limit = time.monotonic() + 90
    while True:
        _, found = await api.send("GET", f"/v1/recordings/{recording_id}")
        if found["state"] == state:
            return found
        assert time.monotonic() < limit, found
        await asyncio.sleep(0.05)


async def test_a_programme_is_ordered_played_and_let_go(dvr: Any) -> None:
    """CTL-121, CTL-125, CTL-128, CTL-111, CTL-132: one that ran just now, wholly in the window."""
    start_ms = now_ms() - 20 * MIN
    event_id = await dvr.recorder.event(start_ms, start_ms + 10 * MIN)
    status, made = await dvr.send("POST", "/v1/recordings", {"event_id": event_id})
    assert (status, made["title"], made["pad_before_s"]) == (201, "Show", 120)
    status, again = await dvr.send("POST", "/v1/recordings", {"event_id": event_id})
    assert (status, again["id"]) == (200, made["id"])
    found = await until(dvr, made["id"], "completed")
    assert found["playable"] and found["expires_at"]
    [(asset_id, held)] = dvr.paper.holds.items()
    assert held["start"] == (start_ms - 2 * MIN) / 1_000
    _, quota = await dvr.send("GET", "/v1/quota")
    assert quota == {
        "quota_s": 151_200, "used_s": 600, "reserved_s": 0, "free_s": 150_600,
        "quota_bytes": None, "used_bytes": 600_000, "reserved_bytes": 0,
    }  # fmt: skip
    status, played = await dvr.start(recording_id=made["id"])
    assert status == 201 and f"/rec/{asset_id}/master.m3u8" in played["manifest_url"]
    assert (played["position_ms"], played["offset_ms"]) == (0, 2 * MIN + 400)
    status, problem = await dvr.start(recording_id=made["id"], account_id="acc_b")
    assert (status, problem["code"]) == (404, "content_not_found")
    async with dvr.database.write() as connection:
        await connection.execute(update(channel).values(status="archived"))
    status, problem = await dvr.start("fresh", recording_id=made["id"])
    assert (status, problem["code"]) == (404, "content_not_found")
    status, gone = await dvr.send("DELETE", f"/v1/recordings/{made['id']}")
    assert (status, gone) == (204, None)
    assert (await dvr.send("DELETE", f"/v1/recordings/{made['id']}"))[0] == 404
    _, found = await dvr.send("GET", f"/v1/recordings/{made['id']}")
    assert found["state"] == "deleted" and found["restorable_until"]
    status, back = await dvr.send("POST", f"/v1/recordings/{made['id']}/restore")
    assert (status, back["state"]) == (200, "completed")


async def test_what_is_wrong_is_said(dvr: Any) -> None:
    """CTL-121 over the wire, CTL-4."""
    later = now_ms() + HOUR
    times = {"start_at": utc(later).isoformat(), "end_at": utc(later + HOUR).isoformat()}
    for body, expected in (
        ({"event_id": "evt_none"}, (422, "event_not_found")),
        ({"channel_id": "ch_none", **times}, (422, "event_not_found")),
        ({"channel_id": "ch_arena", **times}, (403, "recording_not_allowed")),
        ({"channel_id": "ch_demo"}, (400, "invalid")),
        ({"event_id": "e", "channel_id": "ch_demo", **times}, (400, "invalid")),
        ({"channel_id": "ch_demo", **times, "pad_after_s": 1_801}, (400, "invalid")),
        ({"channel_id": "ch_demo", **times, "account_id": "acc_b"}, (400, "invalid")),
        ({"channel_id": "ch_demo", "start_at": times["end_at"], "end_at": times["start_at"]},
         (400, "invalid")),
    ):  # fmt: skip
        status, problem = await dvr.send("POST", "/v1/recordings", body)
        assert (status, problem["code"]) == expected, body
    status, made = await dvr.send("POST", "/v1/recordings", {"channel_id": "ch_demo", **times})
    assert (status, made["title"]) == (201, "demo")
    async with dvr.client.get(
        f"{dvr.url}/v1/quota", headers=dvr.bearer(scopes=VIEWER_SCOPES - {"recording"})
    ) as answer:
        assert answer.status == 403


async def test_other_peoples_recordings_and_rules_do_not_exist(dvr: Any) -> None:
    """CTL-8: every route with an id, asked by another account: 404, and nothing has changed."""
    start_ms = now_ms() + HOUR
    event_id = await dvr.recorder.event(start_ms, start_ms + HOUR, series_crid="s")
    _, made = await dvr.send("POST", "/v1/recordings", {"event_id": event_id})
    _, rule = await dvr.send("POST", "/v1/recording-rules", {"event_id": event_id})
    for method, path, body in (
        ("GET", f"/v1/recordings/{made['id']}", None),
        ("DELETE", f"/v1/recordings/{made['id']}", None),
        ("POST", f"/v1/recordings/{made['id']}/restore", None),
        ("POST", f"/v1/recordings/{made['id']}/protect", {"protected": True}),
        ("GET", f"/v1/recording-rules/{rule['id']}", None),
        ("PATCH", f"/v1/recording-rules/{rule['id']}", {"keep_n": 1}),
        ("DELETE", f"/v1/recording-rules/{rule['id']}", None),
    ):
        status, problem = await dvr.send(method, path, body, account_id="acc_b")
        assert status == 404 and problem["code"].endswith("_not_found"), path
    for listing in ("/v1/recordings", "/v1/recording-rules"):
        _, mine = await dvr.send("GET", listing)
        _, theirs = await dvr.send("GET", listing, account_id="acc_b")
        assert (len(mine["items"]), theirs["items"]) == (1, [])
    _, kept = await dvr.send("GET", f"/v1/recordings/{made['id']}")
    assert kept == made


async def rule_changes_by_patch(dvr: Any, rule: Any) -> None:
    """CTL-8, CTL-171: under a tag, back and forth; what is cancelled may be scheduled again."""
    path = f"/v1/recording-rules/{rule['id']}"

    async def changed(patch: Any, **headers: str) -> tuple[int, Any]:
        status, answer = await dvr.send("PATCH", path, patch, headers=headers)
        return status, answer

    async def scheduled() -> set[str]:
        _, found = await dvr.send("GET", "/v1/recordings?state=scheduled")
        return {each["title"] for each in found["items"]}

    assert (await changed({}))[1]["code"] == "precondition_required"
    async with dvr.client.get(dvr.url + path, headers=dvr.bearer()) as answer:
        tag = answer.headers["ETag"]
    status, told = await changed({"excluded_seasons": [3], "keep_n": 2}, **{"If-Match": tag})
    assert (status, told["keep_n"], told["excluded_seasons"]) == (200, 2, [3])
    assert told["policy"] == rule["policy"] and await scheduled() == {"Part 0", "Part 1"}
    assert (await changed({}, **{"If-Match": tag}))[1]["code"] == "precondition_failed"
    for patch in ({"title": "x"}, {"keep_n": 0}, [], {"policy": None, "pad_after_s": 9_999}):
        assert (await changed(patch, **{"If-Match": "*"}))[1]["code"] == "invalid", patch
    away = await changed({"channel_id": "ch_none"}, **{"If-Match": "*"})
    assert away[1]["code"] == "event_not_found"
    back = {"excluded_seasons": [2], "keep_n": None}
    status, told = await changed(back, **{"If-Match": "*"})
    assert (status, told) == (200, rule) and await scheduled() == {"Part 0", "Part 2"}
    assert (await dvr.recorder.told("recording.rule."))[1:] == ["recording.rule.updated"] * 2


async def test_lists_protection_and_rules(dvr: Any) -> None:
    """CTL-6, CTL-129, CTL-130."""
    start_ms = now_ms() + HOUR
    for n in range(3):
        at_ms = start_ms + n * HOUR
        await dvr.recorder.event(at_ms, at_ms + HOUR, f"Part {n}", series_crid="s", season_no=n + 1)
    asked = {"series_crid": "s", "excluded_seasons": [2]}
    _, preview = await dvr.send("POST", "/v1/recording-rules/preview", asked)
    assert [each["title"] for each in preview["items"]] == ["Part 0", "Part 2"]
    assert preview["needed_s"] == 7_200 and preview["quota"]["reserved_s"] == 0
    status, rule = await dvr.send("POST", "/v1/recording-rules", asked)
    assert status == 201
    _, page = await dvr.send("GET", "/v1/recordings?limit=1&state=scheduled")
    _, rest = await dvr.send(
        "GET", f"/v1/recordings?limit=1&state=scheduled&cursor={page['next_cursor']}"
    )
    assert [each["title"] for each in page["items"] + rest["items"]] == ["Part 2", "Part 0"]
    status, problem = await dvr.send("GET", f"/v1/recordings?cursor={page['next_cursor']}")
    assert (status, problem["code"]) == (400, "bad_cursor"), "bound to its filters"
    first = page["items"][0]["id"]
    status, kept = await dvr.send("POST", f"/v1/recordings/{first}/protect", {})
    assert (status, kept["protected"]) == (200, True)
    _, again = await dvr.send("POST", "/v1/recording-rules/preview", asked)
    assert again["needed_s"] == 0
    await rule_changes_by_patch(dvr, rule)
    assert (await dvr.send("DELETE", f"/v1/recording-rules/{rule['id']}"))[0] == 204
    _, gone = await dvr.send("GET", "/v1/recordings?state=cancelled")
    reasons = [each["reason"] for each in gone["items"]]
    assert sorted(reasons) == ["rule_changed"] * 2 + ["rule_deleted"] * 2
    assert (await dvr.send("DELETE", f"/v1/recordings/{first}"))[0] == 204
    _, left = await dvr.send("GET", "/v1/recordings")
    assert len(left["items"]) == 3


async def test_the_last_hour_that_can_be_told_has_room_for_its_padding(dvr: Any) -> None:
    """Its hold ends in a year that no answer can name."""
    times = {"start_at": "9999-12-31T23:00:00Z", "end_at": "9999-12-31T23:59:59Z"}
    body = {"channel_id": "ch_demo", **times, "pad_after_s": 1_800}
    status, made = await dvr.send("POST", "/v1/recordings", body)
    assert (status, made.get("state")) == (201, "scheduled"), made
    assert (await dvr.send("DELETE", f"/v1/recordings/{made['id']}"))[0] == 204
