"""What is seen of webhook endpoints, and by whom (CTL-8, CTL-152, CTL-162)."""

import json
from typing import Any

from control_rigs.hooks import SETTINGS, Desk, Site

from control_api.times import utc
from control_api.types import Page
from control_api.webhooks import endpoints, types

MANAGE, READER = "webhook:manage", "admin:read"


async def look(desk: Desk, endpoint_id: str) -> types.Endpoint:
    async with desk.database.read() as connection:
        seen = await endpoints.look(connection, "acc_1", endpoint_id)
        page = Page(limit=10)
        assert (await endpoints.listed(connection, b"", "acc_1", page)).items == [seen]
    return seen


async def test_when_it_took_and_refused_the_last_time(desk: Desk, site: Site) -> None:
    """Once it fails too often, also when it is tried again."""
    endpoint_id, _ = await desk.endpoint()
    seen = await look(desk, endpoint_id)
    assert (seen.last_success_at, seen.last_failure_at, seen.probe_at) == (None, None, None)
    await desk.tell("a1")
    await desk.turn()
    took_ms = desk.clock.now_ms()
    site.says(500)
    desk.clock.advance(60)
    await desk.tell("a2", "a3")
    await desk.turn()
    seen = await look(desk, endpoint_id)
    assert (seen.last_success_at, seen.queued) == (utc(took_ms), 2)
    assert seen.last_failure_at == utc(desk.clock.now_ms())
    for wait_s in (6, 11, 22, 44):
        desk.clock.advance(wait_s)
        await desk.turn()
    failed_ms = desk.clock.now_ms()
    seen = await look(desk, endpoint_id)
    assert (seen.state, seen.reason) == ("paused", "failing")
    assert (seen.last_success_at, seen.last_failure_at) == (utc(took_ms), utc(failed_ms))
    assert seen.probe_at == utc(failed_ms + 1_000 * SETTINGS.probe_s)


async def test_readers_see_all_and_act_on_nothing(api: Any) -> None:
    """No secret, not one in a path or query either."""
    made = {}
    for account_id, url in (
        ("acc_a", "https://hooks.example/in/T0/hidden?x=hidden"),
        ("acc_b", "https://b.example:8443"),
    ):
        owner = {"headers": api.bearer(account_id, scopes=frozenset({MANAGE}))}
        body = {"url": url, "topics": ["account.*"]}
        status, answer = await api.send("POST", "/v1/webhooks", body, **owner)
        assert status == 201
        made[account_id] = answer["endpoint"]
    reader = {"headers": api.bearer("acc_operator", scopes=frozenset({READER}))}
    _, page = await api.send("GET", "/v1/webhooks", **reader)
    urls = ["https://hooks.example/[redacted]", "https://b.example:8443/"]
    assert page["items"] == [
        each | {"url": url} for each, url in zip(made.values(), urls, strict=True)
    ]
    path = f"/v1/webhooks/{made['acc_a']['id']}"
    assert (await api.send("GET", path, **reader))[1] == page["items"][0]
    assert (await api.send("GET", f"{path}/deliveries", **reader))[1]["items"] == []
    assert "hidden" not in json.dumps(page) and "whsec_" not in json.dumps(page)
    for verb in ("test", "rotate", "pause", "resume"):
        assert (await api.send("POST", f"{path}/{verb}", **reader))[0] == 403, verb
    assert (await api.send("DELETE", path, **reader))[0] == 403
    both = {"headers": api.bearer("acc_b", scopes=frozenset({MANAGE, READER}))}
    assert (await api.send("GET", "/v1/webhooks", **both))[1]["items"] == [made["acc_b"]]
    assert (await api.send("POST", f"{path}/rotate", **both))[0] == 404
