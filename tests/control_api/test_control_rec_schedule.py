"""Schedules move and series are recorded (CTL-124, CTL-129), by a clock set by hand."""

from typing import Any

import pytest
from control_rigs.recorder import HOUR, MIN, T0, Recorder
from sqlalchemy import delete, select, update

from control_api.problems import Problem
from control_api.recordings import follow, rules, series, shapes
from control_api.recordings.schema import recording
from control_api.recordings.settings import Recordings
from control_api.schema import epg_event, epg_event_text

START, END = T0 + HOUR, T0 + 2 * HOUR
FROM, TO = START - 2 * MIN, END + 5 * MIN


@pytest.fixture
async def recorder(kept: Any) -> Recorder:
    made = Recorder(kept)
    await made.begin("acc_b")
    return made


async def moved(recorder: Recorder, event_id: str, **values: Any) -> None:
    """The guide says so, and the planner hears of it."""
    async with recorder.database.write() as connection:
        which = epg_event.c.id == event_id
        await connection.execute(update(epg_event).where(which).values(**values))
        await follow.note(connection, "ch_demo")
    await recorder.until(recorder.now_ms)


async def removed(recorder: Recorder, event_id: str) -> None:
    async with recorder.database.write() as connection:
        text = epg_event_text.c.event_id == event_id
        await connection.execute(delete(epg_event_text).where(text))
        await connection.execute(delete(epg_event).where(epg_event.c.id == event_id))
        await follow.note(connection, "ch_demo")
    await recorder.until(recorder.now_ms)


async def rule(recorder: Recorder, account_id: str = "acc_demo", **asked: Any) -> Any:
    async with recorder.database.write() as connection:
        request = shapes.RuleRequest(**asked)
        return await series.make(connection, recorder.desk, account_id, request, recorder.now_ms)


async def recorded(recorder: Recorder, account_id: str = "acc_demo") -> dict[str, str]:
    """State by event."""
    async with recorder.database.read() as connection:
        query = select(recording).where(recording.c.account_id == account_id)
        return {row.event_id: row.state for row in (await connection.execute(query)).all()}


async def test_recordings_follow_their_programme(recorder: Recorder) -> None:
    """CTL-124: all who record it, under one asset still; the quota follows too."""
    event_id = await recorder.event(START, END)
    rows = [(await recorder.order(event_id, name))[0] for name in ("acc_demo", "acc_b")]
    [before] = await recorder.assets()
    await moved(recorder, event_id, start_ms=START + HOUR, end_ms=END + 3 * HOUR)
    [asset] = await recorder.assets()
    assert (asset.id, asset.start_ms, asset.end_ms) == (before.id, FROM + HOUR, TO + 3 * HOUR)
    assert await recorder.counted() == await recorder.counted("acc_b") == (0, 3 * 3_600)
    assert (await recorder.told()).count("recording.rescheduled") == 2
    await recorder.until(FROM)
    assert await recorder.state(rows[0].id) == "scheduled"
    await recorder.until(FROM + HOUR)
    assert await recorder.state(rows[0].id) == "recording"


async def test_a_programme_that_runs_over_is_recorded_to_its_end(recorder: Recorder) -> None:
    """CTL-124: the end may move while recording, once more near the end of it."""
    event_id = await recorder.event(START, END)
    row, _ = await recorder.order(event_id)
    await recorder.until(FROM)
    await recorder.until(END)
    await moved(recorder, event_id, end_ms=END + HOUR)
    await recorder.until(TO)
    assert await recorder.state(row.id) == "recording"
    await recorder.until(TO + HOUR)
    assert await recorder.state(row.id) == "finalizing"
    assert recorder.origin.holds[row.asset_id].end_ms == TO + HOUR


async def test_one_that_is_put_off_in_its_padding_is_followed(recorder: Recorder) -> None:
    """CTL-124: before it starts, though its padding has begun; what is held already is kept."""
    event_id = await recorder.event(START, END)
    row, _ = await recorder.order(event_id)
    await recorder.until(START - MIN)
    assert await recorder.state(row.id) == "recording"
    await moved(recorder, event_id, start_ms=START + 10 * MIN, end_ms=END + 10 * MIN)
    now = await recorder.one(row.id)
    assert (now.prog_start_ms, now.prog_end_ms) == (START + 10 * MIN, END + 10 * MIN)
    assert await recorder.counted() == (0, 3_600), "the programme's length, and no more"
    [asset] = await recorder.assets()
    assert (asset.id, asset.start_ms, asset.end_ms) == (row.asset_id, FROM, TO + 10 * MIN)
    await moved(recorder, event_id, end_ms=END + 20 * MIN)
    [asset] = await recorder.assets()
    assert (asset.start_ms, asset.end_ms) == (FROM, TO + 20 * MIN)
    await recorder.until(TO + 20 * MIN)
    assert await recorder.state(row.id) == "finalizing"


async def test_one_that_is_put_off_for_a_day_holds_nothing_of_this_one(recorder: Recorder) -> None:
    event_id = await recorder.event(START, END)
    row, _ = await recorder.order(event_id)
    await recorder.until(START - MIN)
    day = 24 * HOUR
    await moved(recorder, event_id, start_ms=START + day, end_ms=END + day)
    [asset] = [each for each in await recorder.assets() if each.state != "releasing"]
    assert (asset.start_ms, asset.end_ms) == (FROM + day, TO + day)
    assert await recorder.counted() == (0, 3_600)
    await recorder.until(FROM + day)
    await recorder.until(TO + day)
    assert await recorder.state(row.id) == "finalizing"
    assert [each.start_ms for each in recorder.origin.holds.values()] == [FROM + day]


async def test_one_with_other_padding_goes_its_own_way(recorder: Recorder) -> None:
    """Two programmes whose padded ranges were one come apart, and the old asset is let go."""
    event_id = await recorder.event(START, END)
    first, _ = await recorder.order(event_id)
    async with recorder.database.write() as connection:
        await connection.execute(
            update(recording).where(recording.c.id == first.id).values(event_id="evt_gone")
        )
        await connection.execute(
            update(recording).where(recording.c.id == first.id).values(event_id=None)
        )
    second, _ = await recorder.order(event_id)
    assert first.asset_id == second.asset_id
    await moved(recorder, event_id, start_ms=START + HOUR, end_ms=END + HOUR)
    assert len(await recorder.assets()) == 2
    assert (await recorder.one(first.id)).asset_id == first.asset_id
    assert (await recorder.one(second.id)).asset_id != first.asset_id


async def test_a_programme_that_is_gone_is_cancelled(recorder: Recorder) -> None:
    event_id = await recorder.event(START, END)
    row, _ = await recorder.order(event_id)
    await removed(recorder, event_id)
    now = await recorder.one(row.id)
    assert (now.state, now.reason) == ("cancelled", "event_removed")
    assert await recorder.counted() == (0, 0) and await recorder.assets() == []
    again = await recorder.event(START, END)
    running, _ = await recorder.order(again)
    await recorder.until(START)
    await removed(recorder, again)
    assert await recorder.state(running.id) == "recording", "what runs is recorded"


async def test_a_series_is_recorded_as_the_guide_brings_it(recorder: Recorder) -> None:
    """CTL-129: at once what is known, later what comes; twice is once; cancelled stays so."""
    first = await recorder.event(START, END, series_crid="crid://s", crid="crid://1")
    other = await recorder.event(END, END + HOUR, series_crid="crid://t")
    made = await rule(recorder, series_crid="crid://s")
    assert await recorded(recorder) == {first: "scheduled"}
    second = await recorder.event(END + HOUR, END + 2 * HOUR, series_crid="crid://s")
    repeat = await recorder.event(
        END + 2 * HOUR, END + 3 * HOUR, series_crid="crid://s", crid="crid://1", flags="repeat"
    )
    far = await recorder.event(T0 + 15 * 24 * HOUR, T0 + 16 * 24 * HOUR, series_crid="crid://s")
    for _ in range(2):
        await moved(recorder, other, version=2)
    assert await recorded(recorder) == {first: "scheduled", second: "scheduled"}
    row = next(each for each in await rows(recorder) if each.event_id == second)
    await recorder.delete(row.id)
    await moved(recorder, other, version=3)
    assert (await recorded(recorder))[second] == "cancelled"
    await recorder.until(T0 + 2 * 24 * HOUR)
    await moved(recorder, other, version=4)
    assert (await recorded(recorder))[far] == "scheduled" and repeat not in await recorded(recorder)
    async with recorder.database.write() as connection:
        await series.end(connection, "acc_demo", made.id, recorder.now_ms)
    states = await recorded(recorder)
    assert (states[first], states[far]) == ("completed", "cancelled")


async def rows(recorder: Recorder) -> list[Any]:
    async with recorder.database.read() as connection:
        query = select(recording).order_by(recording.c.prog_start_ms)
        return list((await connection.execute(query)).all())


@pytest.mark.parametrize(
    ("policy", "count"), [("all", 3), ("unique", 2), ("new", 2)], ids=["all", "unique", "new"]
)
async def test_policies_differ_in_repeats(recorder: Recorder, policy: Any, count: int) -> None:
    """CTL-129: a repeat keeps the programme's CRID (RFC 4078)."""
    marks = [("crid://1", ""), ("crid://1", "repeat"), ("crid://2", "")]
    for n, (crid, flags) in enumerate(marks):
        times = (START + n * HOUR, START + (n + 1) * HOUR)
        await recorder.event(*times, "The  Show", crid=crid, flags=flags)
    asked = {"title": "the show", "channel_id": "ch_demo", "policy": policy}
    async with recorder.database.read() as connection:
        found = await series.preview(
            connection, recorder.desk, "acc_demo", shapes.RuleRequest(**asked), recorder.now_ms
        )
    await rule(recorder, **asked)
    assert len(await recorded(recorder)) == count
    assert found.needed_s == 3_600 * count == (await recorder.counted())[1]


async def test_seasons_may_be_left_out(recorder: Recorder) -> None:
    wanted = await recorder.event(START, END, series_crid="s", season_no=1)
    await recorder.event(END, END + HOUR, series_crid="s", season_no=2)
    await rule(recorder, series_crid="s", excluded_seasons=[2])
    assert set(await recorded(recorder)) == {wanted}


async def test_only_the_newest_are_kept(recorder: Recorder) -> None:
    """CTL-129, CTL-130: the oldest unprotected goes, restorable."""
    for n in range(3):
        await recorder.event(START + n * HOUR, START + (n + 1) * HOUR, series_crid="s")
    await rule(recorder, series_crid="s", keep_n=1)
    first = (await rows(recorder))[0]
    async with recorder.database.write() as connection:
        await connection.execute(
            update(recording).where(recording.c.id == first.id).values(protected=True)
        )
    for n in range(30):
        await recorder.until(FROM + n * 10 * MIN)
    kept = {row.state: row.reason for row in (await rows(recorder))[1:]}
    assert [row.state for row in await rows(recorder)] == ["completed", "deleted", "deleted"]
    assert kept == {"deleted": "keep_n"}


async def test_many_rules_take_turns(recorder: Recorder, monkeypatch: Any) -> None:
    monkeypatch.setattr(rules, "AT_A_TIME", 1)
    for account_id in ("acc_demo", "acc_b"):
        await rule(recorder, account_id, title="Show")
    event_id = await recorder.event(START, END)
    async with recorder.database.write() as connection:
        await follow.note(connection, "ch_demo")
    await recorder.until(T0)
    assert await recorded(recorder) == await recorded(recorder, "acc_b") == {event_id: "scheduled"}


async def test_a_full_quota_stops_a_rule_and_not_the_planner(kept: Any) -> None:
    recorder = Recorder(kept)
    await recorder.begin(quota_s=3_600)
    for n in range(2):
        await recorder.event(START + n * HOUR, START + (n + 1) * HOUR, series_crid="s")
    await rule(recorder, series_crid="s")
    assert len(await recorded(recorder)) == 1


async def test_orders_are_judged_in_order(kept: Any) -> None:
    """CTL-121: each check, the one behind it not being reached."""
    recorder = Recorder(kept, Recordings(parallel=1))
    await recorder.begin(quota_s=7_200)

    async def refusal(event_id: str) -> str:
        with pytest.raises(Problem) as caught:
            await recorder.order(event_id)
        return caught.value.code

    assert await refusal("evt_none") == "event_not_found"
    old = await recorder.event(T0 - 2 * HOUR, T0 - HOUR, allow_npvr=False)
    assert await refusal(old) == "outside_dvr_window"
    barred = await recorder.event(START, END, allow_npvr=False)
    assert await refusal(barred) == "recording_not_allowed"
    recent = await recorder.event(T0 - 29 * MIN, T0)
    row, new = await recorder.order(recent)
    assert new and row.pad_before_s == 0, "padding that is gone is left out"
    assert (await recorder.order(recent))[1] is False
    assert await refusal(await recorder.event(END, END + 3 * HOUR)) == "quota_exceeded"
    assert await refusal(await recorder.event(T0, T0 + MIN)) == "parallel_limit"
    async with recorder.database.write() as connection:
        from control_api.schema import entitlement

        await connection.execute(delete(entitlement))
    assert await refusal(recent) == "not_entitled"


async def test_the_oldest_make_room_where_policy_says_so(kept: Any) -> None:
    """CTL-122 `fifo`: unprotected ones only, at once, and only as many as needed."""
    recorder = Recorder(kept, Recordings(fifo=True))
    await recorder.begin(quota_s=3 * 3_600)
    made = []
    for n in range(3):
        event_id = await recorder.event(START + n * HOUR, START + (n + 1) * HOUR)
        made.append((await recorder.order(event_id))[0].id)
    for n in range(28):
        await recorder.until(FROM + n * 10 * MIN)
    async with recorder.database.write() as connection:
        which = recording.c.id == made[0]
        await connection.execute(update(recording).where(which).values(protected=True))
    later = recorder.now_ms + HOUR
    row, _ = await recorder.order(await recorder.event(later, later + HOUR))
    states = [await recorder.state(each) for each in made]
    assert states == ["completed", "expired", "completed"] and row.state == "scheduled"
    assert await recorder.counted() == (2 * 3_600, 3_600)
