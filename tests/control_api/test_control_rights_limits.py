"""Blackouts, parental limits and PINs, from facts to sessions that run (CTL-76, 77, 83, 132)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from control_api import seed
from control_api.entitlement import Denied, blacked_out, check
from control_api.facts import Aged, Ask, Blackout, Device, Facts, Grant, Limit, Window
from control_api.ratings import age_of, title_age
from control_api.schema import channel, content, epg_event, epg_source, playback_session
from control_api.terms.tables import blackout
from control_api.times import utc
from control_api.viewers.schema import profile
from runtime.store import MemoryStore

NOW = 1_000_000
DEVICE = Device("dev_1", "TV", "tv", False)
WINDOW = Window("**", "svod", "*", 0, 9 * NOW, tier=1)
GRANT = Grant("ent_1", "pkg_1", True, 1, "active", 0, None)
GOOD = Facts("active", 2, DEVICE, [DEVICE], True, [WINDOW], [GRANT])
ASK = Ask(NOW, "SE", "web")
CHECK, START = "/v1/entitlements/check", "/v1/playback/start"
HOUR = 3_600_000


def verdict(facts: Facts, ask: Ask = ASK) -> tuple[str, int]:
    """The code, and when an allow ends."""
    found = check(facts, ask)
    return (found.code, 0) if isinstance(found, Denied) else ("ok", found.expires_ms)


@pytest.mark.parametrize(
    ("changed", "ask", "expected"),
    [
        ({}, ASK, ("blackout", 0)),
        ({"start_ms": NOW + 5}, ASK, ("ok", NOW + 5)),
        ({"end_ms": NOW}, ASK, ("ok", 9 * NOW)),
        ({"end_ms": NOW + 1}, ASK, ("blackout", 0)),
        ({}, replace(ASK, country="NO"), ("ok", 9 * NOW)),
        ({}, replace(ASK, country="ZZ"), ("geo_unknown", 0)),
        ({"territories": frozenset({"**"})}, replace(ASK, country="ZZ"), ("blackout", 0)),
        ({"aired_ms": (0, NOW)}, ASK, ("ok", 9 * NOW)),
        ({"aired_ms": (0, NOW)}, replace(ASK, watched_ms=(0, 9)), ("blackout", 0)),
        ({"aired_ms": (9, NOW)}, replace(ASK, watched_ms=(0, 9)), ("ok", 9 * NOW)),
        ({"aired_ms": (NOW + 7, 2 * NOW)}, ASK, ("ok", NOW + 7)),
        ({}, replace(ASK, watched_ms=(0, 9)), ("blackout", 0)),
    ],
)
def test_blackouts_hide_what_was_on_air(
    changed: dict[str, Any], ask: Ask, expected: tuple[str, int]
) -> None:
    """CTL-76, CTL-83: half-open, by territory, and no allow crosses their edge."""
    one = Blackout(frozenset({"SE"}), 0, 2 * NOW, "ch_other")
    assert verdict(replace(GOOD, blackouts=[replace(one, **changed)]), ask) == expected


def test_what_will_be_blacked_out_is_not_recorded() -> None:
    """CTL-121."""
    match = Blackout(frozenset({"SE"}), 0, 9, None, (3, 5))
    facts = replace(GOOD, blackouts=[match])
    asked = [("SE", (4, 6)), ("SE", (5, 6)), ("NO", (4, 6)), ("ZZ", (4, 6))]
    assert [blacked_out(facts, *each) for each in asked] == [True, False, False, True]


@given(
    st.integers(0, 18), st.integers(0, 18), st.none() | st.tuples(st.just(NOW), st.just(NOW + 9))
)
def test_a_limit_is_a_limit(asked: int, allowed: int, aired: Any) -> None:
    """CTL-77, against the plain comparison; a PIN passes it, no limit is none."""
    facts = replace(GOOD, ages=[Aged(asked, aired)])
    refused = verdict(facts, replace(ASK, limit=Limit(allowed)))[0] == "pin_required"
    assert refused is (asked > allowed)
    for limit in (None, Limit(allowed, passed=True)):
        assert verdict(facts, replace(ASK, limit=limit))[0] == "ok"
    early = replace(ASK, now_ms=NOW - 1, limit=Limit(allowed))
    if aired and asked > allowed:
        assert verdict(facts, early) == ("ok", NOW), "until what comes next is not for them"


def test_who_is_nobody_s_profile_is_told_where_it_matters() -> None:
    ask = replace(ASK, limit=Limit(0, known=False))
    assert verdict(GOOD, ask)[0] == "ok"
    assert verdict(replace(GOOD, ages=[Aged(12)]), ask)[0] == "profile_not_found"


def test_ratings_are_ages() -> None:
    words = {"12": 12, "FSK-16": 16, "15A": 15, "pg-13": 13, "TV-MA": 17, "99": 18, "?": None}
    assert {word: age_of(word) for word in words} == words
    assert [title_age(*each) for each in ((7, "R"), (None, "R"), (None, "?"), (None, None))] == [
        *(7, 17, 18, 0)
    ]


@pytest.fixture
async def home(kept: Any, make_api: Any, wheel: Any) -> Any:
    """On turned time: a film from 16, a grown-up with a PIN, a child with a limit of 12."""
    api = await make_api(kept, store=MemoryStore(clock=wheel), access_cache_s=60)
    api.wheel = wheel
    async with kept.write() as connection:
        film = update(content).where(content.c.id == "cnt_film")
        await connection.execute(film.values(rating="FSK-16"))
    grown = {"name": "Ada", "pin": "1357"}
    api.grown = (await api.send("POST", "/v1/profiles", grown))[1]["id"]
    child = {"name": "Bo", "kind": "kids", "current_pin": "1357"}
    api.child = (await api.send("POST", "/v1/profiles", child))[1]["id"]
    return api


async def ask(api: Any, path: str, **body: Any) -> tuple[int, Any]:
    headers = api.bearer(now_s=api.wheel.now_ms() // 1_000)
    body.setdefault("device", {"id": "one"})
    answer: tuple[int, Any] = await api.send("POST", path, body, headers=headers)
    return answer


async def code(api: Any, path: str = CHECK, **body: Any) -> str:
    status, told = await ask(api, path, **body)
    return "ok" if status < 300 else str(told["code"])


async def test_a_pin_opens_its_question_and_its_session_only(home: Any) -> None:
    """CTL-77, CTL-83: the cache holds no pass; the session goes on, the next one asks again."""
    mine = {"content_id": "cnt_film", "profile_id": home.child}
    assert await code(home, content_id="cnt_film") == "ok", "the first profile has no limit"
    assert await code(home, **mine) == "pin_required"
    assert await code(home, **mine, pin="1357") == "ok"
    assert await code(home, **mine) == "pin_required"
    status, started = await ask(home, START, **mine, pin="1357")
    assert status == 201
    beat = f"/v1/sessions/{started['session_id']}/heartbeat"
    await home.services.playback.cases.changed(seed.ACCOUNT)
    status, told = await ask_beat(home, beat)
    assert (status, told["commands"]) == (200, [])
    assert await code(home, START, **mine) == "pin_required"
    async with home.database.read() as connection:
        row = (await connection.execute(select(playback_session))).one()
    assert (row.profile_id, row.pin_passed) == (home.child, True)
    batch = {"targets": [{"kind": "content", "id": "cnt_film"}], "device": {"id": "one"}}
    for profile_id, word in ((home.child, "pin_required"), (home.grown, None)):
        _, rail = await ask(home, f"{CHECK}-batch", **batch, profile_id=profile_id)
        assert rail["items"][0]["code"] == word, "a rail says what the single check says"
    assert await code(home, content_id="cnt_film", profile_id="prf_none") == "profile_not_found"
    loosened = {"max_rating": "18"}
    patch = {"Content-Type": "application/merge-patch+json"}
    headers = home.bearer(now_s=home.wheel.now_ms() // 1_000) | patch
    child = f"/v1/profiles/{home.child}"
    assert (await home.send("PATCH", child, loosened, headers=headers))[0] == 403
    loosened["current_pin"] = "1357"
    assert (await home.send("PATCH", child, loosened, headers=headers))[0] == 200
    assert await code(home, **mine) == "ok", "told at once"


async def ask_beat(api: Any, path: str) -> tuple[int, Any]:
    headers = api.bearer(now_s=api.wheel.now_ms() // 1_000)
    answer: tuple[int, Any] = await api.send("POST", path, {"position_ms": 1}, headers=headers)
    return answer


async def test_wrong_pins_lock_it_for_every_door_and_every_process(home: Any) -> None:
    """CTL-77: five tries in fifteen minutes; they are counted in the database."""
    mine = {"content_id": "cnt_film", "profile_id": home.child}
    for _ in range(4):
        assert await code(home, **mine, pin="0000") == "pin_wrong"
    patch = {"name": "x", "current_pin": "0000"}
    headers = home.bearer() | {"Content-Type": "application/merge-patch+json"}
    grown = f"/v1/profiles/{home.grown}"
    assert (await home.send("PATCH", grown, patch, headers=headers))[1]["code"] == "pin_wrong"
    for pin in ("0000", "1357"):
        status, problem = await ask(home, CHECK, **mine, pin=pin)
        assert (status, problem["code"]) == (403, "pin_locked"), "the right one too"
    async with home.database.read() as connection:
        tries = (await connection.execute(select(profile.c.pin_tries))).scalars()
    assert sorted(tries) == [0, 5], "bounded, and kept where restarts do not reach"
    home.wheel.advance(900)
    assert await code(home, **mine, pin="1357") == "ok"
    async with home.database.read() as connection:
        assert set((await connection.execute(select(profile.c.pin_tries))).scalars()) == {0}


async def test_blackouts_and_ages_of_a_channel_end_what_runs(home: Any) -> None:
    """CTL-76, CTL-132: a session ends at the next heartbeat after the edge, unasked; start-over of
    the programme is refused beyond it, and who is told of another channel is told which.
    """
    now = home.wheel.now_ms()
    times = {"src": (now - HOUR, now + HOUR), "late": (now + HOUR, now + 2 * HOUR)}
    async with home.database.write() as connection:
        await connection.execute(insert(epg_source).values(id="src", format="xmltv"))
        opened = {"allow_startover": True, "catchup_h": 24, "dvr_window_s": 7_200}
        await connection.execute(update(channel).values(opened))
        for name, (start_ms, end_ms) in times.items():
            row = {"id": f"evt_{name}", "channel_id": "ch_demo", "source_id": "src"}
            row |= {"start_ms": start_ms, "end_ms": end_ms, "lang": "en", "hash": name}
            row |= {"content_id": "cnt_film" if name == "late" else None}
            await connection.execute(insert(epg_event).values(row))
        row = {"id": "blk_1", "channel_id": "ch_demo", "event_id": "evt_src", "updated_ms": now}
        row |= {"territories": ["**"], "start_ms": now + 20_000, "end_ms": now + 2 * HOUR}
        row |= {"alternate_channel_id": "ch_arena"}
        await connection.execute(insert(blackout).values(row))
    _, live = await ask(home, START, channel_id="ch_demo", profile_id=home.child)
    assert live["expires_at"] <= iso(now + 20_000), "the token ends at the edge"
    beat = f"/v1/sessions/{live['session_id']}/heartbeat"
    assert (await ask_beat(home, beat))[1]["commands"] == []
    home.wheel.advance(21)
    assert (await ask_beat(home, beat))[1]["commands"] == [{"type": "stop", "reason": "blackout"}]
    for target in ({"channel_id": "ch_demo"}, {"event_id": "evt_src"}):
        status, problem = await ask(home, CHECK, **target)
        assert (status, problem["code"], problem["rule"]) == (403, "blackout", "CTL-76")
        assert problem["alternate_channel"] == "ch_arena" and problem["until"]
    home.wheel.advance(HOUR / 1_000 - 11)
    assert await code(home, channel_id="ch_demo", profile_id=home.grown) == "ok", "it is over live"
    assert await code(home, event_id="evt_src") == "blackout", "and not in the archive"
    for target in ({"channel_id": "ch_demo"}, {"event_id": "evt_late"}):
        assert await code(home, **target, profile_id=home.child) == "pin_required"
        targets = [{"kind": name.removesuffix("_id"), "id": of} for name, of in target.items()]
        _, rail = await ask(home, f"{CHECK}-batch", targets=targets, profile_id=home.child)
        assert rail["items"][0]["code"] == "pin_required"


def iso(at_ms: int) -> str:
    return utc(at_ms - at_ms % 1_000).isoformat().replace("+00:00", "Z")


async def test_countries_are_what_listed_proxies_say(kept: Any, make_api: Any) -> None:
    """CTL-10, CTL-75, CTL-76: of nobody else; a session's rights are its viewer's, where it is."""
    told = {"country_header": "X-Country", "default_country": "NO", "access_cache_s": 60}
    near = await make_api(kept, trusted_proxies=["127.0.0.1"], **told)
    async with kept.write() as connection:
        row = {"id": "blk_1", "channel_id": "ch_demo", "territories": ["SE"], "updated_ms": 0}
        row |= {"start_ms": 0, "end_ms": seed.UNTIL_MS}
        await connection.execute(insert(blackout).values(row))
    body = {"channel_id": "ch_demo", "device": {"id": "one"}}

    async def asked(api: Any, country: str) -> str:
        status, answer = await api.send("POST", CHECK, body, headers={"X-Country": country})
        return "ok" if status == 200 else str(answer["code"])

    words = {"SE": "blackout", "DK": "ok", "ZZ": "geo_unknown", "XX": "ok", "se": "ok", "": "ok"}
    assert {country: await asked(near, country) for country in words} == words
    headers = {"X-Country": "DK"}
    status, started = await near.send("POST", START, body, headers=headers)
    assert (status, near.router.asked[-1].country) == (201, "DK")
    async with kept.read() as connection:
        assert (await connection.execute(select(playback_session.c.country))).scalar() == "DK"
    beat = f"/v1/sessions/{started['session_id']}/heartbeat"
    said = await near.send("POST", beat, {"position_ms": 1}, headers={"X-Country": "SE"})
    assert said[1]["commands"] == [{"type": "stop", "reason": "blackout"}]
    far = await make_api(kept, trusted_proxies=["192.0.2.1"], **told)
    assert await asked(far, "SE") == "ok", "anybody's word"
