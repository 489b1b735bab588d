"""Reminders follow their programmes and are told of once, in time (control-api sections 3, 11)."""

import io
import json
from typing import Any

import pytest
from control_rigs.recorder import Recorder
from sqlalchemy import select, update

from control_api.epg import importer, store
from control_api.outbox.tables import outbox
from control_api.schema import channel, content, epg_event
from control_api.times import now_ms, utc
from control_api.viewers import due, work
from control_api.viewers.schema import reminder

REMINDERS = "/v1/reminders"
HOUR_MS = 3_600_000


@pytest.fixture
async def home(kept: Any, make_api: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A household with a profile, a neighbour with another; time is the test's to tell."""
    monkeypatch.setattr(work, "EVERY_S", 3_600.0)
    await Recorder(kept).begin("acc_b")
    api = await make_api(kept)
    _, api.mine = await api.send("POST", "/v1/profiles", {"name": "Ada"})
    _, api.other = await api.send("POST", "/v1/profiles", {"name": "Bob"}, account_id="acc_b")
    return api


async def shown(api: Any, *programmes: tuple[str, int]) -> dict[str, str]:
    """A schedule of titles and starts, imported; ids by title."""
    async with api.database.write() as connection:
        await store.source(connection, "src_r", lang="en")
        await store.map_channels(connection, "src_r", {"one": "demo"}, 1)
    rows = [
        f'<programme start="{utc(at):%Y%m%d%H%M%S}" stop="{utc(at + HOUR_MS):%Y%m%d%H%M%S}" '
        f'channel="one"><title lang="en">{title}</title></programme>'
        for title, at in programmes
    ]
    file = io.BytesIO(f"<tv>{''.join(rows)}</tv>".encode())
    await importer.run(api.database, "src_r", file, now_ms, force=True)
    async with api.database.read() as connection:
        ids = select(epg_event.c.id, epg_event.c.start_ms)
        by_start = {row.start_ms: row.id for row in await connection.execute(ids)}
    return {title: by_start[at] for title, at in programmes}


def _at(at_ms: int) -> str:
    return f"{utc(at_ms):%Y-%m-%dT%H:%M:%SZ}"


def tomorrow(hours: int = 0) -> int:
    return now_ms() // 1_000 * 1_000 + (24 + hours) * HOUR_MS


async def listed(api: Any) -> list[tuple[str, str]]:
    _, found = await api.send("GET", REMINDERS)
    return [(each["title"], each["start_at"]) for each in found["items"]]


async def told(api: Any) -> list[dict[str, Any]]:
    query = select(outbox.c.payload).where(outbox.c.topic == "reminder.due").order_by(outbox.c.seq)
    async with api.database.read() as connection:
        return [json.loads(raw)["data"] for raw in (await connection.execute(query)).scalars()]


async def test_the_next_is_first_and_twice_is_once(home: Any) -> None:
    first_ms = tomorrow()
    ids = await shown(home, ("News", first_ms), ("Film", first_ms + HOUR_MS))
    for title in ("Film", "News", "Film"):
        assert (await home.send("PUT", f"{REMINDERS}/{ids[title]}"))[0] == 204
    assert await listed(home) == [("News", _at(first_ms)), ("Film", _at(first_ms + HOUR_MS))]
    _, one = await home.send("GET", f"{REMINDERS}?limit=1")
    _, two = await home.send("GET", f"{REMINDERS}?limit=1&cursor={one['next_cursor']}")
    assert [each["event_id"] for each in one["items"] + two["items"]] == list(ids.values())
    assert two["next_cursor"] is None
    path = f"{REMINDERS}/{ids['News']}"
    assert [(await home.send("DELETE", path))[0] for _ in "ab"] == [204, 404]
    assert [title for title, _ in await listed(home)] == ["Film"]


async def test_what_cannot_be_reminded_of(home: Any) -> None:
    now = now_ms() // 1_000 * 1_000
    ids = await shown(home, ("Running", now - HOUR_MS // 2), ("Later", now + HOUR_MS // 2))
    for event_id, expected in (
        (ids["Running"], (409, "bad_state")),
        ("evt_none", (404, "not_found")),
    ):
        status, problem = await home.send("PUT", f"{REMINDERS}/{event_id}")
        assert (status, problem["code"]) == expected
    async with home.database.write() as connection:
        await connection.execute(update(channel).values(status="archived"))
    assert (await home.send("PUT", f"{REMINDERS}/{ids['Later']}"))[0] == 404


async def test_reminders_follow_the_schedule(home: Any) -> None:
    """CTL-64: earlier, later, gone; the programme keeps its id, and so the reminder its own."""
    first_ms = tomorrow()
    ids = await shown(home, ("News", first_ms), ("Film", first_ms + HOUR_MS))
    for event_id in ids.values():
        assert (await home.send("PUT", f"{REMINDERS}/{event_id}"))[0] == 204
    quarter = HOUR_MS // 4
    moved = await shown(home, ("News", first_ms - quarter), ("Film", first_ms + HOUR_MS + quarter))
    assert moved == ids
    expected = [("News", first_ms - quarter), ("Film", first_ms + HOUR_MS + quarter)]
    assert await listed(home) == [(title, _at(at)) for title, at in expected]
    async with home.database.read() as connection:
        stored = (await connection.execute(select(reminder.c.at_ms).order_by("at_ms"))).scalars()
        assert list(stored) == [at for _, at in expected], "what is due goes by it"
    await shown(home, ("Other", first_ms - 3 * HOUR_MS), ("Film", first_ms + HOUR_MS + quarter))
    assert [title for title, _ in await listed(home)] == ["Film"]


async def test_what_is_due_is_told_once(home: Any) -> None:
    """CTL-171, two minutes ahead; who has ended meanwhile is not told of."""
    first_ms = tomorrow()
    ids = await shown(home, ("News", first_ms), ("Film", first_ms + HOUR_MS))
    for account_id, title in ((None, "News"), ("acc_b", "News"), (None, "Film")):
        whose = {} if account_id is None else {"account_id": account_id}
        assert (await home.send("PUT", f"{REMINDERS}/{ids[title]}", **whose))[0] == 204
    assert await work.remind(home.services, first_ms - due.AHEAD_MS - 1) == 0
    assert await told(home) == []
    assert await work.remind(home.services, first_ms - due.AHEAD_MS) == 2
    assert await work.remind(home.services, first_ms) == 0
    events = await told(home)
    assert {each["profile_id"] for each in events} == {home.mine["id"], home.other["id"]}
    mine = next(each for each in events if each["profile_id"] == home.mine["id"])
    assert mine == {
        "profile_id": home.mine["id"],
        "account_id": "acc_demo",
        "event_id": ids["News"],
        "channel_id": "ch_demo",
        "starts_at": mine["starts_at"],
        "ends_at": mine["ends_at"],
        "title": "News",
    }
    assert mine["starts_at"].startswith(_at(first_ms)[:-1])
    assert [title for title, _ in await listed(home)] == ["Film"]
    assert await work.remind(home.services, first_ms + 2 * HOUR_MS) == 1
    assert len(await told(home)) == 2 and await listed(home) == []


@pytest.mark.parametrize("grown", ("title", "channel"))
async def test_what_is_for_older_ones_is_not_there(home: Any, grown: str) -> None:
    """Neither listed nor taken, nor told of: CTL-77."""
    first_ms = tomorrow()
    ids = await shown(home, ("News", first_ms), ("Film", first_ms + HOUR_MS))
    adult = {"profile_id": home.mine["id"]}
    _, made = await home.send("POST", "/v1/profiles", {"name": "Bo", "kind": "kids"})
    child = {"profile_id": made["id"]}
    path = f"{REMINDERS}/{ids['Film']}"
    for whose in (adult, child):
        assert (await home.send("PUT", path, params=whose))[0] == 204
    async with home.database.write() as connection:
        if grown == "channel":
            await connection.execute(update(channel).values(min_age=16))
        else:
            of = update(epg_event).where(epg_event.c.id == ids["Film"])
            await connection.execute(of.values(content_id="cnt_film"))
            aged = update(content).where(content.c.id == "cnt_film")
            await connection.execute(aged.values(min_age=16, age=16))
    for whose, there in ((adult, True), (child, False)):
        _, found = await home.send("GET", REMINDERS, params=whose)
        assert [each["title"] for each in found["items"]] == ["Film"] * there
        assert (await home.send("PUT", path, params=whose))[0] == (204 if there else 404)
    assert await work.remind(home.services, first_ms + HOUR_MS) == 2
    assert [each["profile_id"] for each in await told(home)] == [home.mine["id"]]


async def test_of_a_channel_that_is_withdrawn_nothing_is_told(home: Any) -> None:
    first_ms = tomorrow()
    ids = await shown(home, ("News", first_ms))
    assert (await home.send("PUT", f"{REMINDERS}/{ids['News']}"))[0] == 204
    async with home.database.write() as connection:
        await connection.execute(update(channel).values(status="archived"))
    assert await listed(home) == []
    assert await work.remind(home.services, first_ms) == 1
    assert await told(home) == []


async def test_a_profile_that_goes_takes_its_reminders_along(home: Any) -> None:
    """And nobody reminds in another household's name (CTL-8)."""
    ids = await shown(home, ("News", tomorrow()))
    path = f"{REMINDERS}/{ids['News']}"
    assert (await home.send("PUT", path))[0] == 204
    other = home.other["id"]
    for method, url in (("GET", REMINDERS), ("PUT", path), ("DELETE", path)):
        status, problem = await home.send(method, f"{url}?profile_id={other}")
        assert (status, problem["code"]) == (404, "profile_not_found")
    assert (await home.send("DELETE", f"/v1/profiles/{home.mine['id']}"))[0] == 204
    async with home.database.read() as connection:
        assert (await connection.execute(select(reminder))).all() == []
