"""A limited profile's own lists hold nothing that it may not play (CTL-77, CTL-142)."""

from dataclasses import replace
from typing import Any

import pytest
from control_rigs.recorder import HOUR, Recorder
from sqlalchemy import insert, update

from control_api import batch_terms, seed
from control_api.recordings import states
from control_api.recordings.schema import recording
from control_api.rights import Kind, Terms, find_terms
from control_api.schema import (
    asset,
    channel,
    content,
    content_text,
    epg_event,
    package_content,
    rights_window,
)
from control_api.terms.tables import blackout
from control_api.times import now_ms, utc
from runtime.asking import within

TABLES = (content, content_text, asset, rights_window)
FILM = {t: next(row for each, row in seed.ROWS if each is t and "film" in str(row)) for t in TABLES}
MISSING = (404, "content_not_found")
LISTS = ("/v1/continue-watching", "/v1/watchlist", "/v1/history")
MILD, HARD, PIN = "cnt_mild", "cnt_hard", "2468"


@pytest.fixture
async def home(kept: Any, make_api: Any) -> Any:
    """Two films of the package and the household's two profiles."""
    recorder = Recorder(kept, now_ms=now_ms())
    await recorder.begin("acc_b", dvr_s=5 * HOUR // 1_000)
    api = await make_api(kept)
    api.recorder = recorder
    async with kept.write() as connection:
        for key in (MILD, HARD):
            aged = FILM[content] | {"id": key, "min_age": 6, "age": 6, "rating": None}
            await connection.execute(insert(content).values(aged))
            await connection.execute(
                update(content).where(content.c.id == key).values(derived_version=content.c.version)
            )
            for table, own in (
                (content_text, {"title": key}),
                (asset, {"id": f"ast_{key}"}),
                (rights_window, {"id": f"rwn_{key}", "licence": "svod"}),
            ):
                row = FILM[table] | own | {"content_id": key}
                await connection.execute(insert(table).values(row))
            part = {"package_id": "pkg_basic", "target_kind": "content", "target_id": key}
            await connection.execute(insert(package_content).values(part))
    api.profiles = {}
    for name, more in (("kid", {"kind": "kids", "max_rating": "6"}), ("adult", {"pin": PIN})):
        _, made = await api.send("POST", "/v1/profiles", {"name": name, **more})
        api.profiles[name] = {"profile_id": made["id"]}
    return api


async def recorded(api: Any, hours: int, title: str | None = None) -> str:
    """A recording of an hour that can be played, of a programme that is a title's."""
    recorder, start_ms = api.recorder, api.recorder.now_ms - hours * HOUR
    programme = await recorder.event(start_ms, start_ms + HOUR)
    row, _ = await recorder.order(programme)
    async with api.database.write() as connection:
        of = update(epg_event).where(epg_event.c.id == programme)
        await connection.execute(of.values(content_id=title))
        rows = await states.locked(connection, recording.c.id == row.id)
        for state in states.WAY[states.WAY.index(rows[0].state) + 1 :]:
            rows = list(await states.move(connection, rows, state, recorder.now_ms))
    return str(row.id)


async def grown(api: Any) -> None:
    """One of the films is for grown-ups from now on."""
    async with api.database.write() as connection:
        film = update(content).where(content.c.id == HARD)
        await connection.execute(film.values(min_age=18, age=18))


async def left(api: Any, key: str, whose: dict[str, str]) -> Any:
    """What a bookmark is answered with."""
    at = utc(now_ms()).isoformat()
    body = {"position_ms": 50_000, "duration_ms": 100_000, "updated_at": at}
    return await api.send("PUT", f"/v1/bookmarks/{key}", body, params=whose)


async def stop(api: Any, key: str, whose: dict[str, str]) -> None:
    status, told = await left(api, key, whose)
    assert status == 200, told


async def listed(api: Any, path: str, whose: dict[str, str]) -> set[str]:
    status, told = await api.send("GET", path, params=whose)
    assert status == 200, told
    return {each["content_id"] for each in told["items"]}


async def test_films_for_older_ones_are_left_out(home: Any) -> None:
    """Of whom no profile is named: the account's first one."""
    for whose in home.profiles.values():
        for key in (MILD, HARD):
            await stop(home, key, whose)
            assert (await home.send("PUT", f"/v1/watchlist/{key}", params=whose))[0] == 204
    await grown(home)
    for path in LISTS:
        assert await listed(home, path, home.profiles["kid"]) == {MILD}, path
        assert await listed(home, path, home.profiles["adult"]) == {MILD, HARD}, path
        assert await listed(home, path, {}) == {MILD}, path
    for key, status in ((MILD, 201), (HARD, 403)):
        start = {"content_id": key, **home.profiles["kid"]}
        assert (await home.start(**start))[0] == status, "as playback says"


async def test_what_is_for_older_ones_is_not_there(home: Any) -> None:
    """Neither to be wished for nor to be left, nor is the place where it was left."""
    tape = await recorded(home, 2, HARD)
    for key in (HARD, tape):
        await stop(home, key, home.profiles["kid"])
    await grown(home)
    for whose, there in (
        (home.profiles["kid"], False),
        ({}, False),
        (home.profiles["adult"], True),
    ):
        for key in (HARD, tape):
            status, told = await left(home, key, whose)
            assert (status, told.get("code")) == ((200, None) if there else MISSING), key
            status, _ = await home.send("GET", f"/v1/bookmarks/{key}", params=whose)
            assert status == (200 if there else 404), key
        status, told = await home.send("PUT", f"/v1/watchlist/{HARD}", params=whose)
        assert (status, told and told["code"]) == ((204, None) if there else MISSING)


async def test_what_a_pin_opened_is_left_while_it_plays(home: Any) -> None:
    """By the profile that plays it; what its session kept of the place is kept."""
    await grown(home)
    for whose in (home.profiles["kid"], {}):
        status, begun = await home.start(content_id=HARD, pin=PIN, **whose)
        assert status == 201, begun
        assert (await left(home, HARD, whose))[0] == 200
        assert (await left(home, MILD, whose))[0] == 200
        stopped, _ = await home.send("POST", f"/v1/sessions/{begun['session_id']}/stop")
        assert stopped == 204
        assert (await left(home, HARD, whose))[0] == 404


async def test_recordings_for_older_ones_are_left_out(home: Any) -> None:
    """By their programme, and by their channel."""
    mild, hard = await recorded(home, 2, MILD), await recorded(home, 3, HARD)
    plain = await recorded(home, 4)
    for whose in home.profiles.values():
        for key in (mild, hard, plain):
            await stop(home, key, whose)
    await grown(home)
    for path in ("/v1/continue-watching", "/v1/history"):
        assert await listed(home, path, home.profiles["kid"]) == {mild, plain}, path
        assert await listed(home, path, home.profiles["adult"]) == {mild, hard, plain}, path
    async with home.database.write() as connection:
        await connection.execute(update(channel).values(min_age=16))
    for path in ("/v1/continue-watching", "/v1/history"):
        assert await listed(home, path, home.profiles["kid"]) == set(), path
        assert await listed(home, path, home.profiles["adult"]) == {mild, hard, plain}, path


async def test_terms_of_many_are_those_of_each(home: Any) -> None:
    """But for offers: also with blackouts, and with programmes that ask for an age."""
    await grown(home)
    tapes = [await recorded(home, 2, HARD), await recorded(home, 3)]
    at_ms = home.recorder.now_ms
    programme = await home.recorder.event(at_ms, at_ms + HOUR)
    dark: dict[str, Any] = {
        "channel_id": "ch_demo",
        "territories": ["SE"],
        "start_ms": 0,
        "end_ms": 2**50,
    }
    dark["updated_ms"] = at_ms
    async with home.database.write() as connection:
        later = update(epg_event).where(epg_event.c.id == programme).values(content_id=MILD)
        await connection.execute(later)
        for n, event_id in enumerate((programme, None)):
            told = dark | {"id": f"blk_{n}", "event_id": event_id}
            await connection.execute(insert(blackout).values(told))
        cases: list[tuple[Kind, list[str], dict[str, Terms]]] = [
            ("content", [MILD, HARD], await batch_terms.titles(connection, [MILD, HARD])),
            ("recording", tapes, await batch_terms.recordings(connection, tapes, at_ms)),
        ]
        for kind, keys, found in cases:
            assert found.keys() == set(keys)
            for key in keys:
                one = await find_terms(within(connection), kind, key, at_ms)
                assert found[key] == replace(one, offers=()), key
    assert len(found[tapes[0]].blackouts) == 2 and len(found[tapes[0]].ages) == 2
