"""What is watched now fills the rails (CTL-145)."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update

from control_api import endpoint, ids, seed
from control_api.kept import FRESH_MS
from control_api.popularity import counting, work
from control_api.popularity.tables import popular, watched
from control_api.schema import channel, content, epg_event, epg_source, playback_session
from control_api.times import now_ms
from runtime.sql import Database

T0 = 1_774_656_000_000  # 2026-03-28T00:00Z
MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture
async def house(kept: Database) -> Database:
    """The demo's rows, and an episode of a season of a series."""
    async with kept.write() as connection:
        for table, row in seed.ROWS:
            await connection.execute(insert(table).values(row))
        film = next(row for table, row in seed.ROWS if table is content)
        for kind, parent in (("series", None), ("season", "series"), ("episode", "season")):
            row = film | {"id": f"cnt_{kind}", "kind": kind}
            row |= {"parent_id": parent and f"cnt_{parent}", "popularity": 0}
            numbers = {"season_no": 1, "episode_no": 1} if kind == "episode" else {}
            await connection.execute(insert(content).values(row | numbers))
    return kept


async def watch(
    house: Database,
    target: str,
    viewer: str,
    at_ms: int,
    *,
    kind: str = "vod",
    lasts_ms: int = MIN,
    country: str = "ZZ",
) -> None:
    row = {
        "id": ids.new("session"),
        "account_id": seed.ACCOUNT,
        "profile_id": viewer,
        "device_id": "dev_1",
        "kind": kind,
        "target_id": target,
        "cti": ids.new("session")[4:36],
        "started_ms": at_ms,
        "last_seen_ms": at_ms + lasts_ms,
        "country": country,
    }
    async with house.write() as connection:
        await connection.execute(insert(playback_session).values(row))


async def counted(house: Database, now_ms: int) -> dict[str, int]:
    """Popularity by id after all the turns that there are to be had."""
    async with house.write() as connection:
        while await counting.count(connection, now_ms):
            pass
        found = {}
        for table in (content, channel):
            query = select(table.c.id, table.c.popularity).where(table.c.popularity > 0)
            found |= {row.id: row.popularity for row in (await connection.execute(query)).all()}
        return found


async def test_a_viewer_of_a_minute_counts_once_for_a_title(house: Database) -> None:
    for viewer in ("prf_1", "prf_2", "prf_2"):
        await watch(house, "cnt_film", viewer, T0)
    await watch(house, "cnt_vault", "prf_1", T0, lasts_ms=MIN - 1)
    await watch(house, "cnt_vault", "prf_1", T0, kind="recording")
    assert await counted(house, T0 + 3 * MIN - 1) == {}, "not written yet"
    assert await counted(house, T0 + 3 * MIN) == {"cnt_film": 2}
    await watch(house, "cnt_film", "prf_1", T0 + HOUR)
    await watch(house, "cnt_film", "prf_3", T0 + HOUR)
    assert await counted(house, T0 + 2 * HOUR) == {"cnt_film": 3}
    async with house.write() as connection:
        assert await counting.count(connection, T0 + 2 * HOUR) == 0, "each session once"


async def test_an_episode_counts_for_its_series_and_a_programme_for_its_channel(
    house: Database,
) -> None:
    async with house.write() as connection:
        await connection.execute(insert(epg_source).values(id="src", format="xmltv"))
        event = {"id": "evt_1", "channel_id": "ch_demo", "source_id": "src", "lang": "en"}
        times = {"start_ms": T0 - HOUR, "end_ms": T0, "hash": ""}
        await connection.execute(insert(epg_event).values(event | times))
    await watch(house, "cnt_episode", "prf_1", T0)
    await watch(house, "evt_1", "prf_1", T0, kind="catchup")
    await watch(house, "ch_demo", "prf_1", T0, kind="live")
    await watch(house, "ch_demo", "prf_2", T0, kind="live")
    series = {"cnt_episode": 1, "cnt_season": 1, "cnt_series": 1}
    assert await counted(house, T0 + 3 * MIN) == {**series, "ch_demo": 2}
    assert await counted(house, T0 + 3 * HOUR) == series, "an hour halves a channel"
    assert await counted(house, T0 + 3 * DAY) == {}
    async with house.read() as connection:
        for table in (popular, watched):
            assert (await connection.execute(select(func.count()).select_from(table))).scalar() == 0


async def test_most_minutes_write_nothing(house: Database) -> None:
    for n in range(100):
        await watch(house, "cnt_film", f"prf_{n}", T0)
    assert await counted(house, T0 + 3 * MIN) == {"cnt_film": 100}
    async with house.write() as connection:
        await connection.execute(update(content).values(popularity=7))
    assert (await counted(house, T0 + 10 * MIN))["cnt_film"] == 7, "a hundredth is not told"
    assert (await counted(house, T0 + 6 * HOUR))["cnt_film"] == 84


async def test_old_plays_fade_behind_new_ones(house: Database) -> None:
    """Three of yesterday's yesterday are less than one of now."""
    for n in range(3):
        await watch(house, "cnt_film", f"prf_{n}", T0)
    await counted(house, T0 + HOUR)
    for n in range(2):
        await watch(house, "cnt_vault", f"prf_{n}", T0 + 2 * DAY)
    found = await counted(house, T0 + 2 * DAY + 3 * MIN)
    assert found == {"cnt_vault": 2, "cnt_film": 1}


@given(
    st.lists(st.tuples(st.integers(0, 3 * DAY), st.integers(1, 9)), min_size=1, max_size=20),
    st.sampled_from(["content", "channel"]),
)
def test_scores_by_steps_are_the_sum_of_decayed_plays(
    plays: list[tuple[int, int]], kind: Any
) -> None:
    """Decaying what there is and adding is the sum over all plays by the definition."""
    score, at_ms = 0.0, 0
    for when_ms, n in sorted(plays):
        score, at_ms = counting.decayed(score, when_ms - at_ms, kind) + n, when_ms
    half_ms = counting.HALF_MS[kind]
    wanted = sum(n * 2.0 ** (-(at_ms - when_ms) / half_ms) for when_ms, n in plays)
    assert score == pytest.approx(wanted, rel=1e-9)


async def popularity(house: Database, content_id: str) -> int:
    query = select(content.c.popularity).where(content.c.id == content_id)
    async with house.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def test_the_rail_follows(kept: Any, make_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`popular` and the catalogue's order; the answer says `source`."""
    api = await make_api(kept)
    _, before = await api.send("GET", "/v1/rails/popular")
    last = before["items"][-1]["id"]
    for n in range(3):
        await watch(kept, last, f"prf_{n}", T0)
    monkeypatch.setattr(work, "TURN_S", 0)
    turning = asyncio.create_task(work.forever(kept, lambda: T0 + 3 * MIN))
    async with asyncio.timeout(60):
        while await popularity(kept, last) != 3:
            await asyncio.sleep(0.02)
    turning.cancel()
    monkeypatch.setattr(endpoint, "now_ms", lambda: now_ms() + FRESH_MS)
    _, rail = await api.send("GET", "/v1/rails/popular")
    assert (rail["source"], rail["items"][0]["id"]) == ("popularity", last)
    assert last != before["items"][0]["id"]
    _, related = await api.send("GET", f"/v1/catalog/contents/{last}/related")
    assert last not in [each["id"] for each in related["items"]] and related["items"]


async def test_each_territory_has_its_own(house: Database, make_api: Any) -> None:
    """What is watched in Sweden leads there, and elsewhere what is watched most of all."""
    for n in range(2):
        await watch(house, "cnt_vault", f"se_{n}", T0, country="SE")
    for n in range(3):
        await watch(house, "cnt_film", f"fi_{n}", T0, country="FI")
    assert await counted(house, T0 + 3 * MIN) == {"cnt_film": 3, "cnt_vault": 2}
    api = await make_api(house)
    for place, leads in (("SE", "cnt_vault"), ("FI", "cnt_film"), ("NO", "cnt_film")):
        _, rail = await api.send("GET", f"/v1/rails/popular?territory={place}")
        path = f"/v1/catalog/contents?sort=popular&limit=1&territory={place}"
        _, first = await api.send("GET", path)
        assert rail["items"][0]["id"] == first["items"][0]["id"] == leads, place
        _, rest = await api.send("GET", f"{path}&cursor={first['next_cursor']}")
        assert rest["items"][0]["id"] == rail["items"][1]["id"], "pages go on in that order"
    assert await counted(house, T0 + 5 * DAY) == {}
    async with house.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(popular))).scalar() == 0


def test_too_much_is_forgotten_from_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their places, which is that of the rows."""
    monkeypatch.setattr(counting, "SCORES", 2)
    scores = {"a": 3.0, "b": 0.4, "c": 5.0, "d": 3.0}
    rows = [
        SimpleNamespace(target_id=name, score=score, at_ms=T0, kind="content", shown=1)
        for name, score in scores.items()
    ]
    changed, gone = counting.settled(rows, T0)
    shown = [(row.target_id, to) for row, to in changed]
    assert shown == [("a", 3), ("b", 0), ("c", 5), ("d", 0)]
    assert [row.target_id for row in gone] == ["b", "d"]


async def test_scores_are_weighed_beside_the_loop(
    house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled, threads = counting.settled, []

    def weigh(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return settled(*given)

    monkeypatch.setattr(counting, "settled", weigh)
    async with house.write() as connection:
        await counting.count(connection, T0)
    assert len(threads) == 1 and threads[0] is not threading.main_thread()
