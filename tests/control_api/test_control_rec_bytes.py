"""Quotas of recordings in bytes: estimated at the order, true at the end (CTL-122)."""

from typing import Any

import pytest
from control_rigs.recorder import HOUR, MIN, T0, Recorder
from sqlalchemy import update

from control_api import seed
from control_api.problems import Problem
from control_api.recordings import follow, store
from control_api.recordings.settings import Recordings
from control_api.recordings.states import Counts
from control_api.schema import account, epg_event

RATE, GB = 1_000_000, 10**9
START, END = T0 + HOUR, T0 + 2 * HOUR
DONE = END + 5 * MIN + 2_000
ESTIMATE = 3_600 * RATE
STORED = 67 * 100 * 10**6  # with two and five minutes of padding: 100 MB a minute


async def begun(kept: Any, limit_bytes: int | None, **settings: Any) -> Recorder:
    recorder = Recorder(kept, Recordings(bytes_per_s=RATE, **settings))
    await recorder.begin("acc_b")
    async with kept.write() as connection:
        await connection.execute(update(account).values(npvr_quota_bytes=limit_bytes))
    return recorder


async def ordered(recorder: Recorder, account_id: str = seed.ACCOUNT, hour: int = 0) -> str:
    event_id = await recorder.event(START + hour * HOUR, END + hour * HOUR)
    row, _ = await recorder.order(event_id, account_id)
    return str(row.id)


async def test_what_is_estimated_is_trued_up_without_the_padding(kept: Any) -> None:
    recorder = await begun(kept, 10 * GB)
    mine = await ordered(recorder)
    assert await recorder.counts() == Counts(0, 3_600, 0, ESTIMATE)
    recorder.origin.size_bytes = STORED
    await recorder.until(DONE)
    assert await recorder.state(mine) == "completed"
    assert await recorder.counts() == Counts(3_600, 0, 60 * 100 * 10**6, 0)
    assert [each.size_bytes for each in await recorder.assets()] == [STORED]
    async with kept.read() as connection:
        shown = await store.allowance(connection, seed.ACCOUNT)
    assert (shown.quota_bytes, shown.used_bytes, shown.used_s) == (10 * GB, 6 * GB, 3_600)


async def test_the_quota_that_is_used_up_first_refuses(kept: Any) -> None:
    recorder = await begun(kept, ESTIMATE + GB)
    await ordered(recorder)
    with pytest.raises(Problem, match="quota_exceeded") as refused:
        await ordered(recorder, hour=2)
    told = refused.value.members
    assert (told["quota_bytes"], told["needed_bytes"]) == (ESTIMATE + GB, ESTIMATE)
    assert (told["reserved_bytes"], told["reserved_s"]) == (ESTIMATE, 3_600)
    recorder.origin.size_bytes = 67 * 10 * 10**6
    await recorder.until(DONE)
    assert await ordered(recorder, hour=4), "it took less than was thought"
    async with kept.write() as connection:
        await connection.execute(update(account).values(npvr_quota_bytes=None))
    for hour in range(6, 22, 2):
        await ordered(recorder, hour=hour)


async def test_the_oldest_make_room_for_bytes(kept: Any) -> None:
    recorder = await begun(kept, 8 * GB, fifo=True)
    mine = await ordered(recorder)
    recorder.origin.size_bytes = STORED
    await recorder.until(DONE)
    assert await ordered(recorder, hour=2)
    assert await recorder.state(mine) == "expired"
    assert await recorder.counts() == Counts(0, 3_600, 0, ESTIMATE)


async def test_bytes_of_what_is_shared_protected_and_restored(kept: Any) -> None:
    """CTL-125: one asset counts for each who points at it; CTL-130: half may be protected."""
    recorder = await begun(kept, 11 * GB)
    event_id = await recorder.event(START, END)
    mine, theirs = [
        (await recorder.order(event_id, name))[0].id for name in (seed.ACCOUNT, "acc_b")
    ]
    await recorder.until(START)
    await recorder.delete(mine)
    recorder.origin.size_bytes = STORED
    await recorder.until(DONE)
    assert (await recorder.counts("acc_b")).used_bytes == 6 * GB
    assert (await recorder.counts()).used_bytes == ESTIMATE, "nobody looks at what is deleted"
    await recorder.restore(mine)
    assert (await recorder.counts()).used_bytes == 6 * GB
    async with kept.write() as connection:
        with pytest.raises(Problem, match="protected_limit") as refused:
            await store.protect(connection, "acc_b", theirs, True, recorder.now_ms)
    assert refused.value.members == {"limit_bytes": 11 * GB // 2, "protected_bytes": 0}


async def test_a_programme_that_grows_needs_more(kept: Any) -> None:
    """CTL-124: what moves keeps its rate."""
    recorder = await begun(kept, 100 * GB)
    event_id = await recorder.event(START, END)
    await recorder.order(event_id)
    async with kept.write() as connection:
        longer = update(epg_event).where(epg_event.c.id == event_id).values(end_ms=END + HOUR)
        await connection.execute(longer)
        await follow.note(connection, "ch_demo")
    await recorder.until(T0)
    assert await recorder.counts() == Counts(0, 7_200, 0, 2 * ESTIMATE)
