"""What a profile watched, and how it is forgotten (control-api section 3, CTL-8)."""

from typing import Any

import pytest
from control_rigs.recorder import Recorder
from sqlalchemy import func, select, update

from control_api.schema import content
from control_api.times import now_ms, utc
from control_api.viewers.schema import bookmark, watch_history

HISTORY = "/v1/history"


@pytest.fixture
async def home(kept: Any, make_api: Any) -> Any:
    """A household with two profiles, and a neighbour with one."""
    await Recorder(kept).begin("acc_b")
    api = await make_api(kept)
    for name in ("Ada", "Eve"):
        _, made = await api.send("POST", "/v1/profiles", {"name": name})
        setattr(api, name.lower(), made["id"])
    _, api.other = await api.send("POST", "/v1/profiles", {"name": "Bob"}, account_id="acc_b")
    return api


async def watched(api: Any, content_id: str, at_ms: int, position_ms: int = 50_000) -> None:
    updated_at = utc(at_ms).isoformat()
    body = {"position_ms": position_ms, "duration_ms": 100_000, "updated_at": updated_at}
    assert (await api.send("PUT", f"/v1/bookmarks/{content_id}", body))[0] == 200


async def seen(api: Any, query: str = "") -> list[tuple[str, int, bool]]:
    status, found = await api.send("GET", HISTORY + query)
    assert status == 200, found
    return [(each["title"], each["position_ms"], each["finished"]) for each in found["items"]]


async def test_the_newest_is_first_and_a_new_begin_is_not_forgotten(home: Any) -> None:
    now = now_ms()
    await watched(home, "cnt_vault", now - 3, 96_000)
    await watched(home, "cnt_film", now - 2)
    assert await seen(home) == [("The Film", 50_000, False), ("The Vault", 96_000, True)]
    await watched(home, "cnt_film", now - 1, 1_000)
    assert await seen(home) == [("The Film", 0, False), ("The Vault", 96_000, True)]
    await watched(home, "cnt_vault", now)
    await watched(home, "cnt_vault", now - 9)
    assert await seen(home) == [("The Vault", 50_000, False), ("The Film", 0, False)]
    assert await seen(home, f"?profile_id={home.eve}") == []


async def test_pages_end_where_the_next_begins(home: Any) -> None:
    """CTL-6; what is withdrawn is hidden, and takes no place on a page."""
    now = now_ms()
    await watched(home, "cnt_film", now)
    await watched(home, "cnt_vault", now)
    _, first = await home.send("GET", f"{HISTORY}?limit=1")
    _, second = await home.send("GET", f"{HISTORY}?limit=1&cursor={first['next_cursor']}")
    shown = [each["content_id"] for each in first["items"] + second["items"]]
    assert (shown, second["next_cursor"]) == (["cnt_vault", "cnt_film"], None)
    query = f"?profile_id={home.eve}&cursor={first['next_cursor']}"
    status, problem = await home.send("GET", HISTORY + query)
    assert (status, problem["code"]) == (400, "bad_cursor")
    async with home.database.write() as connection:
        gone = update(content).where(content.c.id == "cnt_vault").values(status="archived")
        await connection.execute(gone)
    _, only = await home.send("GET", f"{HISTORY}?limit=1")
    assert [each["content_id"] for each in only["items"]] == ["cnt_film"]
    assert only["next_cursor"] is None


async def test_what_is_forgotten_is_gone_with_its_place(home: Any) -> None:
    now = now_ms()
    for content_id in ("cnt_film", "cnt_vault"):
        await watched(home, content_id, now)
    path = f"{HISTORY}/cnt_film"
    assert [(await home.send("DELETE", path))[0] for _ in "ab"] == [204, 404]
    assert await seen(home) == [("The Vault", 50_000, False)]
    assert (await home.send("GET", "/v1/bookmarks/cnt_film"))[0] == 404
    assert (await home.send("GET", "/v1/bookmarks/cnt_vault"))[0] == 200
    assert (await home.send("DELETE", f"{HISTORY}?profile_id={home.eve}"))[0] == 204
    assert len(await seen(home)) == 1, "another profile's"
    assert [(await home.send("DELETE", HISTORY))[0] for _ in "ab"] == [204, 204]
    assert await seen(home) == []
    assert (await home.send("GET", "/v1/bookmarks/cnt_vault"))[0] == 404


async def test_a_profile_that_goes_takes_its_history_along(home: Any) -> None:
    await watched(home, "cnt_film", now_ms())
    assert (await home.send("DELETE", f"/v1/profiles/{home.ada}"))[0] == 204
    async with home.database.read() as connection:
        for table in (bookmark, watch_history):
            query = select(func.count()).select_from(table)
            assert (await connection.execute(query)).scalar_one() == 0


async def test_other_households_have_no_history_here(home: Any) -> None:
    """CTL-8."""
    await watched(home, "cnt_film", now_ms())
    other = home.other["id"]
    for method, path in (("GET", HISTORY), ("DELETE", HISTORY), ("DELETE", f"{HISTORY}/cnt_film")):
        status, problem = await home.send(method, f"{path}?profile_id={other}")
        assert (status, problem["code"]) == (404, "profile_not_found")
    _, theirs = await home.send("GET", HISTORY, account_id="acc_b")
    assert theirs["items"] == []
