"""A recording has the rights of its channel: what is told of that counts at once (CTL-132)."""

import asyncio
from secrets import token_hex
from typing import Any

import pytest
from control_rigs.recorder import HOUR, MIN, Recorder

from control_api import rights, seed
from control_api.cases import EVERYTHING, Cases
from control_api.times import now_ms, utc


@pytest.fixture
async def home(kept: Any, make_api: Any) -> Any:
    """An API that keeps what it read, with a recording to play."""
    at_ms = now_ms()
    recorder = Recorder(kept, now_ms=at_ms - 20 * MIN)
    await recorder.begin(dvr_s=3_600)
    event_id = await recorder.event(at_ms - 20 * MIN, at_ms - 10 * MIN)
    row, _ = await recorder.order(event_id)
    await recorder.until(at_ms)
    api = await make_api(kept, access_cache_s=60)
    api.recording_id = row.id
    return api


async def dark(api: Any) -> None:
    at_ms = now_ms()
    body = {
        "channel_id": "ch_demo",
        "start_at": utc(at_ms - HOUR).isoformat(),
        "end_at": utc(at_ms + HOUR).isoformat(),
    }
    scopes = frozenset({"rights:write"})
    headers = api.bearer(scopes=scopes) | {"Idempotency-Key": token_hex(8)}
    status, told = await api.send("POST", "/v1/admin/blackouts", body, headers=headers)
    assert status == 201, told


async def check(api: Any) -> str:
    body = {"device": {"id": "one"}, "recording_id": api.recording_id}
    _, told = await api.send("POST", "/v1/entitlements/check", body)
    return str(told.get("source") or told["code"])


async def test_a_channels_blackout_reaches_its_recordings_at_once(home: Any) -> None:
    """What is kept, and who is watching."""
    status, played = await home.start("one", recording_id=home.recording_id)
    assert status == 201, played
    beat = f"/v1/sessions/{played['session_id']}/heartbeat"
    async with asyncio.timeout(60):  # the start's own events are heard meanwhile
        while await check(home) != "cache":
            pass
    _, answer = await home.send("POST", beat, {})
    assert answer["commands"] == []
    await dark(home)
    assert await check(home) == "blackout"
    _, answer = await home.send("POST", beat, {})
    assert [each["reason"] for each in answer["commands"]] == ["blackout"]


async def test_what_is_told_while_it_is_read_counts(home: Any, monkeypatch: Any) -> None:
    """Also of a channel that was not known yet to be the recording's."""
    find = rights.find_terms

    async def meanwhile(*asked: Any) -> Any:
        found = await find(*asked)
        await dark(home)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(rights, "find_terms", meanwhile)
        assert await check(home) == "sql"
    assert await check(home) == "blackout"


async def test_who_asks_after_a_change_hears_of_it(home: Any, monkeypatch: Any) -> None:
    """Though another's question was under way, which is shared."""
    find, reading, changed = rights.find_terms, asyncio.Event(), asyncio.Event()

    async def slow(*asked: Any) -> Any:
        found = await find(*asked)
        reading.set()
        await changed.wait()
        return found

    monkeypatch.setattr(rights, "find_terms", slow)
    early = asyncio.create_task(check(home))
    await asyncio.wait_for(reading.wait(), 60)
    await dark(home)
    cases = home.services.playback.cases
    device_id = rights.device_key(seed.ACCOUNT, "one")
    question = (seed.ACCOUNT, device_id, "recording", home.recording_id)
    late = asyncio.create_task(cases.get(question, now_ms()))
    await asyncio.sleep(0)
    changed.set()
    assert await early == "sql"
    assert (await late).case.facts.blackouts


def test_changes_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many subjects: all of them count as changed. Everything is told to no session."""
    monkeypatch.setattr("control_api.cases.MAX_EPOCHS", 2)
    cases = Cases(None, None, None, kept_ms=0, late_ms=1)  # type: ignore[arg-type]
    assert cases.epoch(seed.ACCOUNT, "ch", "") == 0
    cases.forget("ch")
    assert (cases.epoch(seed.ACCOUNT, "ch"), cases.epoch(seed.ACCOUNT), cases.epoch()) == (1, 0, 1)
    cases.forget(EVERYTHING)
    assert (cases.epoch(seed.ACCOUNT, "ch"), cases.epoch()) == (1, 2)
    for subject in ("one", "two"):
        cases.forget(subject)
    assert cases.epoch("ch") == cases.epoch("never") == cases.epoch() == 4
