"""Operators over all accounts, and the one who only looks (CTL-162)."""

from typing import Any

from sqlalchemy import insert

from control_api import seed
from control_api.recordings.schema import recording

READER = frozenset({"admin:read"})
SUPPORT = frozenset({"session:terminate"})


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
