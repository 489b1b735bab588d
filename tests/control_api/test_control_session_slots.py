"""Start-over and catch-up: what token, path and time allow (CTL-78, 110, 112, 113, 131, 132)."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

import cat
from control_api import seed, spans
from control_api.schema import channel, entitlement, epg_event, epg_source, playback_session
from runtime.store import MemoryStore

HOUR_MS = 3_600_000
SEGMENT_S = 2
ISSUER = cat.Options(issuers=("headwater",))


def pathways(*judging: str) -> list[dict[str, Any]]:
    names = "CDN-A", "CDN-B"
    return [
        {"id": name, "base_url": f"http://{name[-1].lower()}.example", "patterns": name in judging}
        for name in names
    ]


@pytest.fixture
async def turned(kept: Any, make_api: Any, wheel: Any, request: pytest.FixtureRequest) -> Any:
    """An API on turned time; `evt_past` ended an hour ago, `evt_now` began ten minutes ago."""
    made = await make_api(
        kept,
        store=MemoryStore(clock=wheel),
        segments_ms={"demo": 1_000 * SEGMENT_S},
        access_cache_s=60,
        live_back_s=120,
        pathways=pathways(*getattr(request, "param", ())),
    )
    now = wheel.now_ms() // 1_000 * 1_000
    times = {
        "past": (now - 2 * HOUR_MS, now - HOUR_MS),
        "now": (now - 600_000, now + HOUR_MS),
        "next": (now + HOUR_MS, now + 2 * HOUR_MS),
        "old": (now - 30 * HOUR_MS, now - 29 * HOUR_MS),
    }
    source = {"id": "src_1", "url": "", "format": "xmltv", "tz": "UTC", "lang": "en"}
    async with kept.write() as connection:
        await connection.execute(insert(epg_source).values(_fitting(epg_source, source)))
        for name, (start_ms, end_ms) in times.items():
            row = {
                "id": f"evt_{name}",
                "channel_id": "ch_demo",
                "source_id": "src_1",
                "start_ms": start_ms,
                "end_ms": end_ms,
                "lang": "en",
                "hash": name,
            }
            await connection.execute(insert(epg_event).values(row))
        opened = {"allow_startover": True, "catchup_h": 24}
        await connection.execute(update(channel).values(opened))
    made.times, made.wheel = times, wheel
    return made


def _fitting(table: Any, row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in table.c}


async def begun(api: Any, event: str, **more: Any) -> tuple[int, Any]:
    """A start, signed in on turned time."""
    headers = api.bearer(now_s=api.wheel.now_ms() // 1_000)
    body = {"event_id": f"evt_{event}", "device": {"id": "one"}, **more}
    answer: tuple[int, Any] = await api.send("POST", "/v1/playback/start", body, headers=headers)
    return answer


async def refused(api: Any, event: str, **more: Any) -> tuple[int, str, str]:
    status, problem = await begun(api, event, **more)
    return status, problem["code"], problem.get("rule", "")


def judged(api: Any, token: str, target: str, at_ms: int) -> str:
    """The verifier's reason, as edges and proxy read the token."""
    context = cat.Context(uri=f"http://localhost:8003{target}", method="GET", now=at_ms / 1_000)
    return str(cat.verify(token, context, api.token_keys(), ISSUER).reason)


@pytest.mark.parametrize(("event", "mode"), [("past", "catchup"), ("now", "startover")])
async def test_a_token_opens_its_programme_and_nothing_else(
    turned: Any, wheel: Any, event: str, mode: str
) -> None:
    """CTL-110, CTL-112, CTL-113: by path, query, segment number and time."""
    status, answer = await turned.start(event_id=f"evt_{event}", mode=mode)
    assert status == 201, answer
    start_s, end_s = (each // 1_000 for each in turned.times[event])
    window = f"start={start_s}&end={end_s}"
    for protocol, leaf in (("hls", "master.m3u8"), ("dash", "manifest.mpd")):
        url = urlsplit(answer["manifests"][protocol])
        assert url.path == f"/p/CDN-B~CDN-A/live/demo/{leaf}"
        assert url.query == f"{window}&CAT={answer['token']}"
    now, token = wheel.now_ms(), answer["token"]
    first, last = start_s // SEGMENT_S, end_s // SEGMENT_S
    middle = (first + last) // 2
    for good in (
        f"master.m3u8?{window}",
        f"video1/media.m3u8?{window}&_HLS_msn={middle}&CMCD=br%3D1",
        "video1/init.mp4",
        f"video1/{first}.m4s",
        f"video1/{middle}.3.m4s?CMCD=bl%3D2",
        f"video1/{last}.m4s",
    ):
        assert judged(turned, token, f"/live/demo/{good}", now) == "ok", good
    for bad in (
        f"master.m3u8?start={start_s - 1}&end={end_s}",
        f"master.m3u8?start={start_s}&end={end_s + 1}",
        f"master.m3u8?start={start_s}&end={end_s}0",
        f"video1/{first - 9}.m4s",
        f"video1/{last + 9}.m4s",
        f"video1/{last + 9}.1.m4s",
        f"video1/{middle}0.m4s",
    ):
        assert judged(turned, token, f"/live/demo/{bad}", now) == "uri", bad
    assert judged(turned, token, f"/live/arena/video1/{middle}.m4s", now) == "uri"
    assert judged(turned, token, f"/live/demo/video1/{middle}.m4s", now - 60_000) == "not_before"
    assert judged(turned, token, f"/live/demo/video1/{middle}.m4s", now + 600_000) == "expired"
    async with turned.database.read() as connection:
        row = (await connection.execute(select(playback_session))).one()
    assert (row.kind, row.target_id) == (mode, f"evt_{event}")


@pytest.mark.parametrize(
    ("turned", "cohort", "bound"),
    [((), "CDN-B~CDN-A", False), (("CDN-A",), "CDN-A", False),
     (("CDN-A", "CDN-B"), "CDN-B~CDN-A", True)],
    indirect=["turned"],
)  # fmt: skip
async def test_patterns_go_to_who_judges_them(
    turned: Any, wheel: Any, cohort: str, bound: bool
) -> None:
    """Programmes are played from CDNs that judge patterns; where all do, live is bound as well."""
    _, past = await turned.start(event_id="evt_past")
    assert urlsplit(past["manifest_url"]).path.split("/")[2] == cohort
    assert "~".join(each["id"] for each in past["cdns"]) == cohort
    _, live = await turned.start("two", channel_id="ch_demo")
    assert urlsplit(live["manifest_url"]).path.split("/")[2] == "CDN-B~CDN-A"
    now = wheel.now_ms()
    edge = now // 1_000 // SEGMENT_S
    for leaf in ("master.m3u8", "v/media.m3u8?_HLS_msn=7", f"v/{edge}.m4s", f"v/{edge - 50}.1.m4s"):
        assert judged(turned, live["token"], f"/live/demo/{leaf}", now) == "ok", leaf
    for leaf in (f"v/{edge - 900}.m4s", f"master.m3u8?start={now // 1_000 - 90}", "v/m.m3u8?end=1"):
        assert (judged(turned, live["token"], f"/live/demo/{leaf}", now) == "uri") == bound, leaf


async def test_windows_open_and_close(turned: Any, wheel: Any) -> None:
    """CTL-78, CTL-131: too early, too late, too long ago, not allowed; the token ends in time."""
    outside = 403, "outside_catchup_window", "CTL-78"
    assert await refused(turned, "none") == (404, "content_not_found", "CTL-73")
    assert await refused(turned, "past", mode="live") == (400, "invalid", "")
    assert await refused(turned, "next") == outside
    assert await refused(turned, "old") == outside
    wheel.advance(1_300)
    assert await refused(turned, "now") == outside, "its begin has left the DVR window"
    until_ms = turned.times["past"][1] + 24 * HOUR_MS
    wheel.advance((until_ms - wheel.now_ms()) / 1_000 - 60)
    status, answer = await begun(turned, "past")
    claims = cat.verify(
        answer["token"],
        cat.Context(uri="http://x/live/demo/x", method="GET", now=wheel.now_ms() / 1_000),
        turned.token_keys(),
        ISSUER,
    ).claims
    assert status == 201 and claims is not None
    assert claims[4] == until_ms // 1_000, "exp: the window ends before the token would"
    async with turned.database.write() as connection:
        await connection.execute(update(channel).values(catchup_h=0, allow_startover=False))
    assert await refused(turned, "past") == (403, "catchup_not_allowed", "CTL-78")


async def test_a_programmes_word_comes_before_its_channels(turned: Any) -> None:
    """CTL-78: the first rule that fails answers; null is the channel's word."""
    async with turned.database.write() as connection:
        await connection.execute(update(epg_event).values(allow_startover=False))
        await connection.execute(delete(entitlement))
    assert await refused(turned, "now") == (403, "startover_not_allowed", "CTL-78")
    assert await refused(turned, "past") == (403, "not_entitled", "CTL-79")


@pytest.mark.parametrize("lost", ["programme", "account"])
async def test_lost_rights_end_the_session_at_its_renewal(
    turned: Any, wheel: Any, lost: str
) -> None:
    """CTL-132: stop with the reason and no token; then 410."""
    _, answer = await turned.start(event_id="evt_now")
    beat = f"/v1/sessions/{answer['session_id']}/heartbeat"
    assert (await turned.send("POST", beat, {}))[1]["commands"] == []
    async with turned.database.write() as connection:
        if lost == "programme":
            await connection.execute(update(epg_event).values(allow_startover=False))
        else:
            await connection.execute(delete(entitlement))
    if lost == "account":
        await turned.services.playback.cases.changed(seed.ACCOUNT)
    for _ in range(11):
        wheel.advance(30)
        status, told = await turned.send("POST", beat, {})
        if told.get("commands") != []:
            break
    reason = {"programme": "startover_not_allowed", "account": "not_entitled"}[lost]
    assert status == 200 and told["commands"] == [{"type": "stop", "reason": reason}]
    status, problem = await turned.send("POST", beat, {})
    assert (status, problem["by"], problem["reason"]) == (410, "service", reason)


async def test_renewed_tokens_keep_their_bounds(turned: Any, wheel: Any) -> None:
    """CTL-112: also where another process takes the session over."""
    _, answer = await turned.start(event_id="evt_past")
    turned.services.playback.streams._known.by_id.clear()
    beat = f"/v1/sessions/{answer['session_id']}/heartbeat"
    _, told = await turned.send("POST", beat, {})
    [command] = told["commands"]
    start_s, end_s = (each // 1_000 for each in turned.times["past"])
    now, token = wheel.now_ms(), command["token"]
    assert judged(turned, token, f"/live/demo/v/{start_s // SEGMENT_S}.m4s", now) == "ok"
    assert judged(turned, token, f"/live/demo/v/{end_s // SEGMENT_S + 9}.m4s", now) == "uri"


@given(st.integers(0, 10**10), st.integers(0, 50_000), st.integers(-99, 99))
def test_numbers_are_those_of_the_range(first: int, length: int, off: int) -> None:
    """All of the range; of others only those beside a range that was widened."""
    last = first + length
    found = spans.numbers(first, last)
    assert len(found) <= spans.MAX_RANGE_CHARS
    for inside in (first, last, (first + last) // 2, min(last, first + abs(off))):
        assert re.fullmatch(found, str(inside))
    unit = 10 ** min(len(str(last)), 3)
    for outside in (last + unit, first - unit, int(f"{last}0"), last // 10 if last > 99 else -1):
        if outside > last + unit - 1 or 0 <= outside < first - unit + 1:
            assert not re.fullmatch(found, str(outside))
