"""The life of a recording, by a clock set by hand (CTL-120, CTL-125, CTL-126, CTL-130)."""

from typing import Any

import pytest
from control_rigs.recorder import HOUR, MIN, PADS, T0, Recorder

from control_api.problems import Problem
from control_api.recordings import look, states
from control_api.recordings.planner import IDLE_S
from control_api.recordings.settings import Recordings

START, END = T0 + HOUR, T0 + 2 * HOUR
FROM, TO = START - 2 * MIN, END + 5 * MIN
DAY = 24 * HOUR


@pytest.fixture
async def recorder(kept: Any) -> Recorder:
    made = Recorder(kept)
    await made.begin("acc_b", "acc_c")
    return made


async def ordered(recorder: Recorder, account_id: str = "acc_demo") -> tuple[str, str]:
    """A recording of one programme, and the programme."""
    event_id = await recorder.event(START, END)
    row, new = await recorder.order(event_id, account_id)
    assert new and row.state == "scheduled"
    return row.id, event_id


async def test_a_recording_from_order_to_release(recorder: Recorder) -> None:
    """CTL-120: each state at its time, each told; CTL-125: hold, close, release."""
    recording_id, _ = await ordered(recorder)
    [asset] = await recorder.assets()
    assert (asset.start_ms, asset.end_ms, asset.copy_mode) == (FROM, TO, "shared")
    await recorder.until(FROM - 1)
    assert await recorder.state(recording_id) == "scheduled" and not recorder.origin.calls
    await recorder.until(FROM)
    assert await recorder.state(recording_id) == "recording"
    held = recorder.origin.holds[asset.id]
    assert (held.channel, held.start_ms, held.end_ms) == ("demo", FROM, None)
    assert await recorder.counted() == (0, 3_600)
    await recorder.until(TO)
    assert await recorder.state(recording_id) == "finalizing"
    assert recorder.origin.holds[asset.id].end_ms == TO
    await recorder.until(TO + 2_000)
    assert await recorder.state(recording_id) == "completed"
    assert await recorder.counted() == (3_600, 0)
    assert (await recorder.assets())[0].first_ms == FROM - 400
    await recorder.until(TO + 2_000 + 83 * DAY)
    assert (await recorder.told())[-1] == "recording.expiring"
    await recorder.until(TO + 2_000 + 90 * DAY)
    assert await recorder.state(recording_id) == "expired"
    assert await recorder.counted() == (0, 0)
    assert recorder.origin.holds == {} and await recorder.assets() == []
    steps = "requested scheduled started finalizing completed expiring expired"
    assert await recorder.told() == [f"recording.{step}" for step in steps.split()]


async def test_who_records_the_same_shares_the_bytes(recorder: Recorder) -> None:
    """CTL-125, CTL-111: one asset for all, until the last lets go of it."""
    first, event_id = await ordered(recorder)
    other, _ = await recorder.order(event_id, "acc_b")
    await recorder.until(FROM)
    late, _ = await recorder.order(event_id, "acc_c")
    assert late.state == "recording", "who comes late is where the asset is"
    [asset] = await recorder.assets()
    assert {(await recorder.one(each)).asset_id for each in (first, other.id, late.id)} == {
        asset.id
    }
    await recorder.until(TO + 2_000)
    after, _ = await recorder.order(await recorder.event(END, END + HOUR), "acc_b")
    for each, account_id in ((first, "acc_demo"), (other.id, "acc_b"), (late.id, "acc_c")):
        assert asset.id in recorder.origin.holds
        await recorder.delete(each, account_id)
        await recorder.until(recorder.now_ms + DAY)
    assert asset.id not in recorder.origin.holds
    assert (await recorder.one(after.id)).state == "completed"


async def test_private_copies_are_one_each(recorder: Recorder) -> None:
    """CTL-127: where rights ask for it, each account has its own asset and its own hold."""
    from sqlalchemy import update

    from control_api.schema import channel

    async with recorder.database.write() as connection:
        await connection.execute(update(channel).values(copy_mode="private"))
    _, event_id = await ordered(recorder)
    await recorder.order(event_id, "acc_b")
    await recorder.until(FROM)
    owners = {each.account_id for each in await recorder.assets()}
    assert owners == {"acc_demo", "acc_b"} and len(recorder.origin.holds) == 2


async def test_an_origin_that_is_away_is_asked_again(recorder: Recorder) -> None:
    """CTL-188: recordings stay scheduled; when it is back in time, nothing is lost."""
    recording_id, _ = await ordered(recorder)
    recorder.origin.away = True
    await recorder.until(FROM)
    for pause_ms in (500, 1_000, 2_000):
        asked = len(recorder.origin.calls)
        await recorder.until(recorder.now_ms + pause_ms - 1)
        assert len(recorder.origin.calls) == asked, "not before its time"
        await recorder.until(recorder.now_ms + 1)
        assert len(recorder.origin.calls) == asked + 1
    assert await recorder.state(recording_id) == "scheduled"
    recorder.origin.away = False
    await recorder.until(recorder.now_ms + 4_000)
    assert await recorder.state(recording_id) == "recording"


async def test_what_has_aged_out_has_failed(recorder: Recorder) -> None:
    """CTL-125, CTL-188: the alert comes when the range is gone; the quota is free again."""
    recording_id, _ = await ordered(recorder)
    recorder.origin.away = True
    await recorder.until(FROM)
    await recorder.until(FROM + 1_800_000)
    assert await recorder.state(recording_id) == "scheduled"
    recorder.origin.away = False
    recorder.origin.refuse = "range_gone"
    await recorder.until(FROM + 1_831_000)
    row = await recorder.one(recording_id)
    assert (row.state, row.reason, row.asset_id) == ("failed", "range_gone", None)
    assert await recorder.counted() == (0, 0) and await recorder.assets() == []


async def test_nothing_held_in_time_is_hold_unconfirmed(recorder: Recorder) -> None:
    recording_id, _ = await ordered(recorder)
    recorder.origin.away = True
    await recorder.until(FROM + 1_800_001)
    row = await recorder.one(recording_id)
    assert (row.state, row.reason) == ("failed", "hold_unconfirmed")


async def test_misses_are_looked_for_again_and_then_it_is_partial(recorder: Recorder) -> None:
    """CTL-126: each minute for ten minutes."""
    recording_id, _ = await ordered(recorder)
    await recorder.until(FROM)
    await recorder.until(TO)
    recorder.origin.lacks = (look.Gap("v", START, START + 2 * MIN, "gap"),)
    await recorder.until(TO + 2_000)
    for _ in range(9):
        assert await recorder.state(recording_id) == "finalizing"
        await recorder.until(recorder.now_ms + MIN)
    assert await recorder.state(recording_id) == "finalizing"
    await recorder.until(recorder.now_ms + MIN)
    assert await recorder.state(recording_id) == "partial"
    assert recorder.origin.calls.count(("look", (await recorder.assets())[0].id)) == 11


async def test_under_one_in_a_hundred_missing_is_complete(recorder: Recorder) -> None:
    """CTL-126; and bytes on their way are waited for."""
    recording_id, _ = await ordered(recorder)
    await recorder.until(FROM)
    recorder.origin.lacks = (look.Gap("v", START, START + 30_000, "gap"),)
    recorder.origin.busy = 2
    await recorder.until(TO)
    await recorder.until(TO + 2_000)
    await recorder.until(TO + 4_000)
    assert await recorder.state(recording_id) == "finalizing"
    await recorder.until(TO + 6_000)
    assert await recorder.state(recording_id) == "completed"


async def test_what_only_the_padding_lacks_is_complete(recorder: Recorder) -> None:
    """CTL-126: the programme counts."""
    recording_id, _ = await ordered(recorder)
    await recorder.until(FROM)
    recorder.origin.lacks = (look.Gap("v", FROM, START, "gap"),)
    await recorder.until(TO + 2_000)
    await recorder.until(TO + 4_000)
    assert await recorder.state(recording_id) == "completed"


async def test_nothing_left_is_looked_for_and_then_it_has_failed(recorder: Recorder) -> None:
    """CTL-126: an origin that lost the range has no complete one."""
    recording_id, _ = await ordered(recorder)
    await recorder.until(FROM)
    recorder.origin.gone = True
    await recorder.until(TO + 2_000)
    for _ in range(11):
        await recorder.until(recorder.now_ms + MIN)
    row = await recorder.one(recording_id)
    assert (row.state, row.reason) == ("failed", "no_media")


async def test_deleted_ones_return_within_the_grace(recorder: Recorder) -> None:
    """CTL-130: quota counted meanwhile; later they are gone."""
    recording_id, _ = await ordered(recorder)
    await recorder.until(FROM)
    await recorder.delete(recording_id)
    await recorder.until(TO)
    await recorder.until(TO + 2_000)
    assert await recorder.counted() == (3_600, 0)
    back = await recorder.restore(recording_id)
    assert back.state == "completed", "it went on meanwhile"
    await recorder.delete(recording_id)
    with pytest.raises(Problem, match="recording_not_found"):
        await recorder.delete(recording_id)
    await recorder.until(recorder.now_ms + DAY)
    assert await recorder.counted() == (0, 0) and recorder.origin.holds == {}
    with pytest.raises(Problem, match="recording_not_found"):
        await recorder.restore(recording_id)


async def test_a_clock_that_jumps_loses_nothing(recorder: Recorder) -> None:
    """Back an hour before the start, then over the whole programme at once."""
    recording_id, _ = await ordered(recorder)
    await recorder.until(FROM)
    await recorder.until(FROM - HOUR)
    assert await recorder.state(recording_id) == "recording"
    await recorder.until(TO + DAY)
    assert await recorder.state(recording_id) == "completed"


async def test_a_planner_sleeps_until_the_next_is_due(recorder: Recorder) -> None:
    """And not for longer than it may be before somebody orders what is due sooner."""
    await ordered(recorder)
    planner = recorder.planner()
    for left_ms, rest_s in ((HOUR, IDLE_S), (200, 0.2)):
        recorder.now_ms = FROM - left_ms
        while await planner.turn():
            pass
        assert planner._rest_s == rest_s


async def test_a_planner_that_dies_leaves_its_claims(recorder: Recorder) -> None:
    """Claimed by one that is gone: the next one takes over when the lease ends."""
    recording_id, _ = await ordered(recorder)
    recorder.now_ms = FROM
    dead = recorder.planner()
    from control_api.recordings.schema import recording_asset

    assert len(await dead._claim(recording_asset)) == 1
    await recorder.until(FROM + 29_999)
    assert await recorder.state(recording_id) == "scheduled"
    await recorder.until(FROM + 30_000)
    assert await recorder.state(recording_id) == "recording"


async def test_many_of_one_asset_move_in_batches(recorder: Recorder, monkeypatch: Any) -> None:
    monkeypatch.setattr(states, "BATCH_ROWS", 2)
    _, event_id = await ordered(recorder)
    for n in range(4):
        await recorder.household(f"acc_{n}")
        await recorder.order(event_id, f"acc_{n}", PADS)
    for at_ms in (FROM, TO, TO + 2_000):
        await recorder.until(at_ms)
    told = await recorder.told()
    assert told.count("recording.started") == told.count("recording.completed") == 5


async def test_no_retention_notice_shorter_than_the_life(kept: Any) -> None:
    recorder = Recorder(kept, Recordings(retention_s=3_600, notice_s=7 * 86_400))
    await recorder.begin()
    recording_id, _ = await ordered(recorder)
    for at_ms in (FROM, TO, TO + 2_000, TO + 2_000 + HOUR):
        await recorder.until(at_ms)
    assert await recorder.state(recording_id) == "expired"
