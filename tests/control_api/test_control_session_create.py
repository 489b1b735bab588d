"""A session is created by a POST to their collection or by a playback start: one act (CTL-101)."""

from typing import Any

import pytest

from runtime.store import MemoryStore

BODY = {"channel_id": "ch_demo", "device": {"id": "one"}}
OWN = {"session_id", "manifest_url", "manifests", "token", "expires_at"}
OWN |= {"cdns", "drm", "heartbeat", "stop_url", "steering"}


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    return await make_api(kept, store=MemoryStore())


async def created(api: Any, path: str, body: Any, **headers: str) -> tuple[int, Any, Any]:
    headers = api.bearer() | headers
    async with api.client.post(api.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def test_both_ways_answer_alike(api: Any) -> None:
    answers = []
    for path in ("/v1/playback/start", "/v1/sessions"):
        status, answer, headers = await created(api, path, BODY)
        assert status == 201
        assert headers["Location"] == f"/v1/sessions/{answer['session_id']}"
        answers.append(answer)
    started, posted = answers
    assert started.keys() == posted.keys()
    shared = started.keys() - OWN
    assert {name: started[name] for name in shared} == {name: posted[name] for name in shared}
    assert posted["limits"]["in_use"] == 1, "the same device's session was replaced (CTL-102)"
    status, running = await api.send("GET", "/v1/sessions")
    assert [each["session_id"] for each in running["items"]] == [posted["session_id"]]
    beat = f"/v1/sessions/{started['session_id']}/heartbeat"
    assert (await api.send("POST", beat, {"position_ms": 1, "state": "playing"}))[0] == 410


async def test_both_ways_refuse_alike(api: Any) -> None:
    """CTL-30: the same subject, the same denial for the same reason."""
    for body in (
        BODY | {"channel_id": "ch_arena"},
        BODY | {"channel_id": "ch_none"},
        BODY | {"mode": "vod"},
        {"channel_id": "ch_demo"},
    ):
        told = [await created(api, path, body) for path in ("/v1/playback/start", "/v1/sessions")]
        (first, started, _), (second, posted, _) = told
        assert first == second != 201
        assert started.pop("instance") != posted.pop("instance") and started == posted


async def test_a_key_creates_one_session(api: Any) -> None:
    """CTL-156: the second answer is the first's, and no session was replaced for it."""
    key = {"Idempotency-Key": '"session-1"'}
    _, first, _ = await created(api, "/v1/sessions", BODY, **key)
    status, again, headers = await created(api, "/v1/sessions", BODY, **key)
    assert (status, again, headers["Idempotency-Replayed"]) == (201, first, "true")
    assert (await created(api, "/v1/playback/start", BODY, **key))[0] == 422
    _, running = await api.send("GET", "/v1/sessions")
    assert [each["session_id"] for each in running["items"]] == [first["session_id"]]
