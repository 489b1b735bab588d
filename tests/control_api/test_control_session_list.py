"""Lists of live sessions and the word that ends one (control-api section 3, CTL-6, 8, 105, 162)."""

from typing import Any

import pytest
from sqlalchemy import select

from control_api import seed
from control_api.catalogue.tables import audit_log
from runtime.store import MemoryStore

SUPPORT = ("session:terminate",)
LONG_NAME = "eu-west." * 8  # of a CDN


@pytest.fixture
async def turned(kept: Any, make_api: Any, wheel: Any) -> Any:
    """An API on turned time, over the file's database."""
    return await make_api(kept, store=MemoryStore(clock=wheel))


@pytest.fixture
async def started(turned: Any, turned_neighbour: str) -> dict[str, str]:
    """Ids of live sessions by device: one, two and a film of ours, one of the neighbour."""
    subjects: dict[str, dict[str, str]] = {
        "one": {"channel_id": "ch_demo"},
        "two": {"channel_id": "ch_demo"},
        "film": {"content_id": "cnt_film"},
        "next": {"channel_id": "ch_demo", "account_id": turned_neighbour},
    }
    ids = {}
    for device, subject in subjects.items():
        given = {"id": device, "name": device.title(), "class": "tv"}
        status, answer = await turned.start(given, **subject)
        assert status == 201
        ids[device] = answer["session_id"]
    return ids


async def asked(api: Any, path: str, **more: Any) -> Any:
    status, answer = await api.send("GET", path, **more)
    assert status == 200, answer
    return answer


async def supported(api: Any, method: str, path: str) -> tuple[int, Any]:
    headers = api.bearer("acc_support", scopes=SUPPORT)
    answer: tuple[int, Any] = await api.send(method, path, headers=headers)
    return answer


async def test_own_sessions_are_listed_until_they_end(
    turned: Any, wheel: Any, started: dict[str, str]
) -> None:
    """CTL-8, CTL-102: own ones only, what was stopped or not seen for the TTL is not there."""
    items = (await asked(turned, "/v1/sessions"))["items"]
    assert {one["session_id"] for one in items} == {started[d] for d in ("one", "two", "film")}
    film = next(one for one in items if one["session_id"] == started["film"])
    assert (film["kind"], film["target_id"], film["device_name"]) == ("vod", "cnt_film", "Film")
    assert film["title"] not in ("", "cnt_film") and film["device_class"] == "tv"
    await turned.send("DELETE", f"/v1/sessions/{started['one']}")
    wheel.advance(80)
    beat = {"position_ms": 7_000, "cdn": LONG_NAME}
    await turned.send("POST", f"/v1/sessions/{started['two']}/heartbeat", beat)
    wheel.advance(11)
    [left] = (await asked(turned, "/v1/sessions"))["items"]
    assert (left["session_id"], left["position_ms"]) == (started["two"], 7_000)
    assert left["cdn"] == LONG_NAME


async def test_pages_show_every_session_once(turned: Any, started: dict[str, str]) -> None:
    """CTL-6: a cursor goes on where the page ended, and fits its own list only."""
    seen, cursor = [], ""
    for _ in range(3):
        page = await asked(turned, f"/v1/sessions?limit=1{cursor}")
        seen += [one["session_id"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None and len(set(seen)) == 3
    first = await asked(turned, "/v1/sessions?limit=1")
    foreign = f"/v1/sessions?cursor={first['next_cursor']}"
    status, problem = await turned.send("GET", foreign, account_id="acc_neighbour")
    assert (status, problem["code"]) == (400, "bad_cursor")


async def test_support_sees_all_and_ends_any(turned: Any, started: dict[str, str]) -> None:
    """CTL-105, CTL-162, CTL-163: the player hears 410 by the service, the act is in the audit."""
    status, answer = await supported(turned, "GET", "/v1/admin/sessions")
    assert status == 200
    assert {one["session_id"] for one in answer["items"]} == set(started.values())
    _, answer = await supported(turned, "GET", "/v1/admin/sessions?account_id=acc_neighbour")
    assert [one["session_id"] for one in answer["items"]] == [started["next"]]
    path = f"/v1/admin/sessions/{started['one']}/terminate"
    assert (await supported(turned, "POST", path))[0] == 204
    assert (await supported(turned, "POST", "/v1/admin/sessions/ses_none/terminate"))[0] == 404
    beat = f"/v1/sessions/{started['one']}/heartbeat"
    status, problem = await turned.send("POST", beat, {})
    assert (status, problem["code"]) == (410, "session_terminated")
    assert (problem["by"], problem["reason"]) == ("service", "support")
    async with turned.database.read() as connection:
        lines = (await connection.execute(select(audit_log))).all()
    assert [(line.actor, line.action, line.target) for line in lines] == [
        ("acc_support", "session.terminate", started["one"])
    ]


async def test_viewers_end_their_own_only(turned: Any, started: dict[str, str]) -> None:
    """CTL-8, CTL-105: 410 by the account; the neighbour's does not exist, admin's is forbidden."""
    path = f"/v1/sessions/{started['two']}/terminate"
    status, problem = await turned.send("POST", path, account_id="acc_neighbour")
    assert (status, problem["code"]) == (404, "session_not_found")
    assert (await turned.send("POST", path))[0] == 204
    assert (await turned.send("POST", path))[0] == 204, "twice is as good as once"
    status, problem = await turned.send("POST", f"/v1/sessions/{started['two']}/heartbeat", {})
    assert (status, problem["by"], problem["reason"]) == (410, "account", "terminated")
    for method, route in (("GET", ""), ("POST", f"/{started['next']}/terminate")):
        status, problem = await turned.send(method, f"/v1/admin/sessions{route}")
        assert (status, problem["code"]) == (403, "forbidden_scope")
    assert seed.ACCOUNT not in str(problem)
