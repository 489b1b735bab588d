"""Operators over all accounts, and the one who only looks (CTL-162)."""

from typing import Any

from sqlalchemy import insert

from control_api import seed
from control_api.recordings.schema import recording, recording_asset

READER = frozenset({"admin:read"})
SUPPORT = frozenset({"session:terminate"})
FAR_MS = 4_102_444_800_000  # 2100: no planner of the test is awake then


async def test_an_operator_finds_and_ends_a_session(api: Any) -> None:
    _, started = await api.start("one")
    path = f"/v1/admin/sessions/{started['session_id']}"
    look, act = (
        api.bearer("acc_operator", scopes=READER),
        api.bearer("acc_operator", scopes=SUPPORT),
    )
    status, seen = await api.send("GET", path, headers=look)
    assert status == 200 and seen["target_id"] == "ch_demo" and seen["ended_at"] is None
    assert "token" not in str(seen)
    by_token = f"/v1/admin/sessions/{seen['cti']}"  # as CDNs' logs and the router name it
    assert (await api.send("GET", by_token, headers=look))[1] == seen
    _, running = await api.send("GET", "/v1/admin/sessions", headers=look)
    assert [each["session_id"] for each in running["items"]] == [seen["id"]]
    status, problem = await api.send("POST", f"{path}/terminate", headers=look)
    assert (status, problem["code"]) == (403, "forbidden_scope")
    assert (await api.send("POST", f"{path}/terminate", headers=act))[0] == 204
    assert (await api.send("GET", path, headers=look))[1]["end_reason"] == "support"
    status, problem = await api.send("POST", f"/v1/sessions/{seen['id']}/heartbeat", {})
    assert (status, problem["code"]) == (410, "session_terminated")
    _, trail = await api.send("GET", "/v1/admin/audit", headers=look)
    assert (trail["items"][0]["actor"], trail["items"][0]["action"]) == (
        "acc_operator",
        "session.terminate",
    )
    assert (await api.send("GET", "/v1/admin/sessions/ses_none", headers=look))[0] == 404


async def test_a_reader_reads_the_operators_pages_and_nothing_else(api: Any) -> None:
    look = api.bearer("acc_operator", scopes=READER)
    pages = ("admin/dlq", "admin/outbox", "admin/recordings", "admin/contents", "webhooks")
    for path in pages:
        assert (await api.send("GET", f"/v1/{path}", headers=look))[0] == 200, path
    for path in ("/v1/recordings", "/v1/profiles"):
        assert (await api.send("GET", path, headers=look))[0] == 403, path
    assert (await api.send("DELETE", "/v1/admin/dlq/dlq_x", headers=look))[0] == 403


async def test_recordings_are_paged_and_picked_by_the_server(api: Any) -> None:
    """A failed one of last week is found behind thousands that went well."""
    states = ["failed", *("completed",) * 6]
    rows = [
        {
            "id": f"rec_{number}",
            "account_id": seed.ACCOUNT,
            "channel_id": "ch_demo",
            "title": f"Programme {number}",
            "prog_start_ms": number * 1_000,
            "prog_end_ms": number * 1_000 + 999,
            "pad_before_s": 0,
            "pad_after_s": 0,
            "counted_s": 0,
            "state": state,
            "created_ms": number,
            "version": 1,
        }
        for number, state in enumerate(states)
    ]
    async with api.database.write() as connection:
        await connection.execute(insert(recording), rows)
    look = {"headers": api.bearer("acc_operator", scopes=READER)}

    async def latest(query: str) -> tuple[list[str], Any]:
        status, page = await api.send("GET", f"/v1/admin/recordings?{query}", **look)
        assert status == 200, page
        return [each["id"] for each in page["latest"]], page["next_cursor"]

    assert await latest("limit=3&state=failed") == (["rec_0"], None)
    found, cursor = await latest("limit=3")
    while cursor is not None:
        more, following = await latest(f"limit=3&cursor={cursor}")
        found, cursor = found + more, following
    assert found == [f"rec_{number}" for number in reversed(range(7))]
    assert (await latest(f"account_id={seed.ACCOUNT}"))[0] == found
    assert await latest("account_id=acc_nobody") == ([], None)
    _, cursor = await latest("limit=3")
    other = f"/v1/admin/recordings?state=completed&cursor={cursor}"
    status, problem = await api.send("GET", other, **look)
    assert (status, problem["code"]) == (400, "bad_cursor"), "it is of another list"


async def test_what_is_due_is_what_will_be_recorded_and_what_expires(api: Any) -> None:
    """The planner looks at what a recording records until that is over, and at itself then."""
    times = {"start_ms": 0, "end_ms": 1_000}
    assets = [
        {
            "id": f"ras_{due_s}",
            "channel_id": "ch_demo",
            "account_id": str(due_s),
            "copy_mode": "shared",
            "state": "planned",
            "due_ms": FAR_MS + 1_000 * due_s,
            "tries": 0,
            "missing_ms": 0,
            **times,
        }
        for due_s in (4, 1)
    ]
    rows = [
        {
            "id": f"rec_{state}",
            "account_id": seed.ACCOUNT,
            "channel_id": "ch_demo",
            "asset_id": asset_id,
            "title": state,
            "prog_start_ms": 0,
            "prog_end_ms": 1_000,
            "state": state,
            "due_ms": due_ms,
            "created_ms": 0,
            "version": 1,
            **dict.fromkeys(("pad_before_s", "pad_after_s", "counted_s"), 0),
        }
        for state, asset_id, due_ms in (
            ("scheduled", "ras_4", None),
            ("recording", "ras_1", None),
            ("failed", "ras_1", None),
            ("completed", None, FAR_MS + 2_000),
        )
    ]
    async with api.database.write() as connection:
        await connection.execute(insert(recording_asset), assets)
        await connection.execute(insert(recording), rows)
    look = {"headers": api.bearer("acc_operator", scopes=READER)}

    async def due(query: str) -> list[tuple[str, str]]:
        _, page = await api.send("GET", f"/v1/admin/recordings{query}", **look)
        return [(each["title"], each["due_at"][-9:]) for each in page["due"]]

    following = [
        ("recording", "00:00:01Z"),
        ("completed", "00:00:02Z"),
        ("scheduled", "00:00:04Z"),
    ]
    assert await due("") == following
    for one in following:
        assert await due(f"?state={one[0]}") == [one]
    assert await due(f"?account_id={seed.ACCOUNT}") == following
    assert await due("?state=failed") == await due("?account_id=acc_nobody") == []
