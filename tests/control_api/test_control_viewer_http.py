"""Profiles, bookmarks, watchlists, what to go on with (control-api section 8; CTL-8)."""

from typing import Any

import pytest
from control_rigs.recorder import Recorder
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from control_api import seed
from control_api.schema import (
    asset,
    content,
    content_text,
    entitlement,
    package_content,
    rights_window,
)
from control_api.times import now_ms, utc
from control_api.viewers.marks import is_finished

PROFILES = "/v1/profiles"
PATCH = {"Content-Type": "application/merge-patch+json"}
PIN = "86420975"  # too long to come up in an id


@pytest.fixture
async def home(kept: Any, make_api: Any) -> Any:
    """A household with one profile, and a neighbour with another."""
    await Recorder(kept).begin("acc_b")
    api = await make_api(kept)
    _, api.profile = await api.send("POST", PROFILES, {"name": "Ada"})
    _, api.other = await api.send("POST", PROFILES, {"name": "Bob"}, account_id="acc_b")
    return api


def mark(position_ms: int, at_ms: int | None = None, duration_ms: int = 100_000) -> dict[str, Any]:
    at = utc(now_ms() if at_ms is None else at_ms).isoformat()
    return {"position_ms": position_ms, "duration_ms": duration_ms, "updated_at": at}


async def stop(api: Any, content_id: str, *told: Any) -> dict[str, Any]:
    status, stored = await api.send("PUT", f"/v1/bookmarks/{content_id}", mark(*told))
    assert status == 200, stored
    return dict(stored)


async def test_profiles_are_five_at_most(home: Any) -> None:
    made = [await home.send("POST", PROFILES, {"name": f"P{n}", "kind": "kids"}) for n in range(5)]
    assert [status for status, _ in made] == [201] * 4 + [409]
    assert made[4][1]["code"] == "profile_limit"
    _, listed = await home.send("GET", PROFILES)
    assert [each["name"] for each in listed["items"]] == ["Ada", "P0", "P1", "P2", "P3"]
    assert (await home.send("DELETE", f"{PROFILES}/{made[0][1]['id']}"))[0] == 204
    assert (await home.send("DELETE", f"{PROFILES}/{made[0][1]['id']}"))[0] == 404
    assert (await home.send("POST", PROFILES, {"name": "P5"}))[0] == 201


async def test_a_pin_guards_its_profile_and_is_never_told(home: Any) -> None:
    """CTL-77: argon2 in the database, wrong and missing PINs refused."""
    path = f"{PROFILES}/{home.profile['id']}"
    status, changed = await home.send("PATCH", path, {"pin": PIN}, headers=PATCH)
    assert (status, changed["has_pin"]) == (200, True) and PIN not in str(changed)
    for body, code in (({"name": "x"}, "pin_required"), ({"current_pin": PIN[::-1]}, "pin_wrong")):
        status, problem = await home.send("PATCH", path, body, headers=PATCH)
        assert (status, problem["code"]) == (403, code)
    body = {"current_pin": PIN, "pin": None, "name": "Eve", "max_rating": "12"}
    status, changed = await home.send("PATCH", path, body, headers=PATCH)
    assert (changed["has_pin"], changed["name"], changed["kind"]) == (False, "Eve", "adult")
    status, problem = await home.send("PATCH", path, {"account_id": "acc_b"}, headers=PATCH)
    assert (status, problem["code"]) == (400, "invalid")


async def test_other_peoples_profiles_do_not_exist(home: Any) -> None:
    """CTL-8: by path and by query."""
    other = home.other["id"]
    for method, path, body in (
        ("GET", f"{PROFILES}/{other}", None),
        ("PATCH", f"{PROFILES}/{other}", {"name": "x"}),
        ("DELETE", f"{PROFILES}/{other}", None),
        ("PUT", f"/v1/bookmarks/cnt_film?profile_id={other}", mark(50_000)),
        ("GET", f"/v1/bookmarks/cnt_film?profile_id={other}", None),
        ("GET", f"/v1/continue-watching?profile_id={other}", None),
        ("GET", f"/v1/watchlist?profile_id={other}", None),
        ("PUT", f"/v1/watchlist/cnt_film?profile_id={other}", None),
        ("DELETE", f"/v1/watchlist/cnt_film?profile_id={other}", None),
    ):
        headers = PATCH if method == "PATCH" else {}
        status, problem = await home.send(method, path, body, headers=headers)
        assert (status, problem["code"]) == (404, "profile_not_found"), (method, path)


async def test_the_last_writer_by_its_own_clock_wins(home: Any) -> None:
    """CTL-140: clamped to a minute ahead; an older one is told what is stored."""
    now = now_ms()
    assert (await stop(home, "cnt_film", 50_000, now))["position_ms"] == 50_000
    assert (await stop(home, "cnt_film", 40_000, now - 1))["position_ms"] == 50_000
    assert (await stop(home, "cnt_film", 60_000, now))["position_ms"] == 60_000
    ahead = await stop(home, "cnt_film", 70_000, now + 3_600_000)
    assert ahead["position_ms"] == 70_000
    _, stored = await home.send("GET", "/v1/bookmarks/cnt_film")
    assert stored == ahead and stored["updated_at"] < utc(now_ms() + 61_000).isoformat()
    for body, expected in (
        (mark(100_001), (422, "bad_position")),
        ({**mark(1), "updated_at": "2026-01-01T00:00:00"}, (400, "invalid")),
    ):
        status, problem = await home.send("PUT", "/v1/bookmarks/cnt_film", body)
        assert (status, problem["code"]) == expected
    status, problem = await home.send("PUT", "/v1/bookmarks/ch_demo", mark(50_000))
    assert (status, problem["code"]) == (404, "content_not_found"), "live has none"


async def test_what_was_begun_anew_is_not_taken_back(home: Any) -> None:
    """CTL-140: a device that was offline tells an older place behind a newer begin."""
    now = now_ms()
    await stop(home, "cnt_film", 60_000, now - 9)
    await stop(home, "cnt_film", 1_000, now - 1)
    assert (await stop(home, "cnt_film", 70_000, now - 5))["position_ms"] == 0
    assert (await home.send("GET", "/v1/bookmarks/cnt_film"))[0] == 404
    assert (await stop(home, "cnt_film", 80_000, now))["position_ms"] == 80_000


async def test_finished_and_not_worth_it(home: Any) -> None:
    """CTL-141: 95 % is the end, half a minute the begin."""
    assert (await stop(home, "cnt_film", 95_000))["finished"] is True
    assert (await stop(home, "cnt_film", 94_999))["finished"] is False
    assert (await stop(home, "cnt_film", 29_999))["position_ms"] == 0
    assert (await home.send("GET", "/v1/bookmarks/cnt_film"))[0] == 404


@given(st.integers(1, 10**9), st.data())
def test_95_percent_is_exact(duration_ms: int, data: Any) -> None:
    from fractions import Fraction

    position_ms = data.draw(st.integers(0, duration_ms))
    assert is_finished(position_ms, duration_ms) == (
        Fraction(position_ms, duration_ms) >= Fraction(95, 100)
    )


async def test_playback_starts_where_it_was_left(home: Any) -> None:
    """CTL-101: for the profile that is named; a finished one begins anew."""
    await stop(home, "cnt_film", 50_000)
    profile_id = home.profile["id"]
    for body, expected in (
        ({"profile_id": profile_id}, 50_000),
        ({}, 0),
        ({"profile_id": home.other["id"]}, 0),
    ):
        status, started = await home.start(content_id="cnt_film", **body)
        assert (status, started["position_ms"]) == (201, expected)
    await stop(home, "cnt_film", 99_000)
    _, started = await home.start(content_id="cnt_film", profile_id=profile_id)
    assert started["position_ms"] == 0


async def series(api: Any) -> None:
    """A series of two seasons with two episodes each, all playable."""
    film = next(row for table, row in seed.ROWS if row.get("id") == "cnt_film")
    window = next(row for table, row in seed.ROWS if row.get("id") == "rwn_film")
    shapes = [("cnt_s", "series", None, None, None)]
    for season in (1, 2):
        shapes.append((f"cnt_s{season}", "season", "cnt_s", season, None))
        shapes += [(f"cnt_{season}{n}", "episode", f"cnt_s{season}", season, n) for n in (1, 2)]
    async with api.database.write() as connection:
        for key, kind, parent_id, season_no, episode_no in shapes:
            row = {**film, "id": key, "kind": kind, "parent_id": parent_id}
            row |= {"season_no": season_no, "episode_no": episode_no}
            await connection.execute(insert(content).values(row))
            text = {"content_id": key, "lang": "en", "title": key, "sort_title": key}
            await connection.execute(insert(content_text).values(text))
            if kind != "episode":
                continue
            path = {"id": f"ast_{key}", "content_id": key, "kind": "vod", "origin_path": "/vod/x/"}
            await connection.execute(insert(asset).values(path))
            await connection.execute(
                insert(rights_window).values({**window, "id": f"r_{key}", "content_id": key})
            )
            part = {"package_id": "pkg_basic", "target_kind": "content", "target_id": key}
            await connection.execute(insert(package_content).values(part))


async def going_on(api: Any) -> list[tuple[str, int]]:
    _, found = await api.send("GET", "/v1/continue-watching")
    return [(each["content_id"], each["position_ms"]) for each in found["items"]]


async def test_what_to_go_on_with(home: Any) -> None:
    """CTL-142: newest first, one a series, the next episode after a finished one, hidden without
    rights.
    """
    await series(home)
    now = now_ms()
    await stop(home, "cnt_11", 50_000, now - 9)
    assert await going_on(home) == [("cnt_11", 50_000)]
    await stop(home, "cnt_11", 96_000, now - 8)
    assert await going_on(home) == [("cnt_12", 0)]
    await stop(home, "cnt_12", 96_000, now - 7)
    await stop(home, "cnt_film", 40_000, now - 6)
    assert await going_on(home) == [("cnt_film", 40_000), ("cnt_21", 0)]
    await stop(home, "cnt_21", 44_000, now - 5)
    assert await going_on(home) == [("cnt_21", 44_000), ("cnt_film", 40_000)]
    await stop(home, "cnt_film", 99_000, now - 4)
    await stop(home, "cnt_22", 99_000, now - 3)
    assert await going_on(home) == [], "the last episode has none behind it"
    await stop(home, "cnt_film", 40_000, now - 2)
    async with home.database.write() as connection:
        await connection.execute(delete(entitlement))
    await home.services.playback.cases.changed(seed.ACCOUNT)
    assert await going_on(home) == []
    assert (await home.send("GET", "/v1/bookmarks/cnt_film"))[0] == 200, "hidden, not deleted"


async def test_watchlist(home: Any) -> None:
    for content_id in ("cnt_film", "cnt_vault", "cnt_film"):
        assert (await home.send("PUT", f"/v1/watchlist/{content_id}"))[0] == 204
    status, problem = await home.send("PUT", "/v1/watchlist/cnt_none")
    assert (status, problem["code"]) == (404, "content_not_found")
    _, first = await home.send("GET", "/v1/watchlist?limit=1")
    _, second = await home.send("GET", f"/v1/watchlist?limit=1&cursor={first['next_cursor']}")
    shown = first["items"] + second["items"]
    assert [each["title"] for each in shown] == ["The Vault", "The Film"]
    assert second["next_cursor"] is None
    assert [(await home.send("DELETE", "/v1/watchlist/cnt_film"))[0] for _ in "ab"] == [204, 404]


async def test_where_a_session_stops_is_its_profiles_bookmark(home: Any) -> None:
    """CTL-109, CTL-140: as of its last heartbeat; and nobody else's profile gets one."""
    mine, others = home.profile["id"], home.other["id"]

    async def watched(profile_id: str, position_ms: int) -> tuple[str, int]:
        status, begun = await home.start(content_id="cnt_film", profile_id=profile_id)
        assert status == 201
        path = f"/v1/sessions/{begun['session_id']}"
        assert (await home.send("POST", f"{path}/heartbeat", {"position_ms": position_ms}))[
            0
        ] == 200
        return path, begun["position_ms"]

    async def place(profile_id: str, **more: Any) -> int | None:
        path = f"/v1/bookmarks/cnt_film?profile_id={profile_id}"
        status, found = await home.send("GET", path, **more)
        return int(found["position_ms"]) if status == 200 else None

    path, _ = await watched(mine, 60_000)
    for _ in range(2):
        assert (await home.send("DELETE", path))[0] == 204
        assert await place(mine) == 60_000
    path, position_ms = await watched(mine, 70_000)
    assert position_ms == 60_000
    await stop(home, "cnt_film", 80_000, now_ms() + 30_000)
    assert (await home.send("DELETE", path))[0] == 204
    assert await place(mine) == 80_000, "what was said later stands"
    path, _ = await watched(others, 90_000)
    assert (await home.send("DELETE", path))[0] == 204
    assert await place(others, account_id="acc_b") is None
