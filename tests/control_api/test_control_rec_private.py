"""Private copies as the control API sees them: ordered, waited for, counted, let go (CTL-127)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from control_rigs.recorder import HOUR, MIN, T0, Recorder
from sqlalchemy import update

from control_api import seed
from control_api.operators.handlers import list_recordings
from control_api.operators.types import RecordingPage
from control_api.recordings.origin import Copied
from control_api.recordings.settings import Recordings
from control_api.recordings.states import Counts
from control_api.schema import account, channel

START, END = T0 + HOUR, T0 + 2 * HOUR
DONE = END + 5 * MIN + 2_000
DAY = 24 * HOUR


@pytest.fixture
async def recorder(kept: Any) -> AsyncIterator[Recorder]:
    made = Recorder(kept, Recordings(retention_s=30 * 86_400))
    await made.begin("acc_b")
    async with kept.write() as connection:
        await connection.execute(update(channel).values(copy_mode="private"))
    yield made


async def ordered(recorder: Recorder, *accounts: str) -> list[str]:
    event_id = await recorder.event(START, END)
    return [(await recorder.order(event_id, name))[0].id for name in accounts]


async def shown(recorder: Recorder) -> Any:
    """What operators see of copies."""

    class Call:
        services = type("Services", (), {"database": recorder.database, "secret": b"s"})
        query = RecordingPage()

    return (await list_recordings(Call())).copying  # type: ignore[arg-type]


async def test_a_recording_is_complete_when_its_copy_is(recorder: Recorder) -> None:
    mine, theirs = await ordered(recorder, seed.ACCOUNT, "acc_b")
    await recorder.until(START)
    assert all(held.copy for held in recorder.origin.holds.values())
    recorder.origin.copy = Copied("copying", 3, 2, "unavailable")
    recorder.origin.size_bytes = 67 * 10**6
    await recorder.until(DONE)
    assert await recorder.state(mine) == await recorder.state(theirs) == "finalizing"
    seen = await shown(recorder)
    assert {(s.account_id, s.copied_objects, s.left_objects, s.error) for s in seen} == {
        (name, 3, 2, "unavailable") for name in (seed.ACCOUNT, "acc_b")
    }
    asked = len(recorder.origin.calls)
    await recorder.until(recorder.now_ms + 4_000)
    assert len(recorder.origin.calls) == asked, "a copy is given time"
    recorder.origin.copy = Copied("complete", 5)
    await recorder.until(recorder.now_ms + 1_000)
    assert await recorder.state(mine) == await recorder.state(theirs) == "completed"
    assert await shown(recorder) == []
    for name in (seed.ACCOUNT, "acc_b"):
        assert await recorder.counts(name) == Counts(3_600, 0, 60 * 10**6, 0), "each its own"
    assert {(each.copied_objects, each.copy_error) for each in await recorder.assets()} == {
        (5, None)
    }


async def test_a_copy_that_failed_leaves_nothing(recorder: Recorder) -> None:
    [mine] = await ordered(recorder, seed.ACCOUNT)
    await recorder.until(START)
    recorder.origin.copy = Copied("failed", 0, 0, "range_gone")
    await recorder.until(DONE)
    row = await recorder.one(mine)
    assert (row.state, row.reason) == ("failed", "copy_failed")
    assert await recorder.counts() == Counts(0, 0, 0, 0)
    assert recorder.origin.holds == {} and await recorder.assets() == []


async def test_what_an_older_origin_holds_is_looked_at_as_ever(recorder: Recorder) -> None:
    [mine] = await ordered(recorder, seed.ACCOUNT)
    await recorder.until(START)
    recorder.origin.copy = None
    await recorder.until(DONE)
    assert await recorder.state(mine) == "completed"


async def test_each_copy_goes_with_its_recording(recorder: Recorder) -> None:
    """CTL-130: by the viewer, when the grace is over; by retention, which others do not feel."""
    mine, theirs = await ordered(recorder, seed.ACCOUNT, "acc_b")
    await recorder.until(START)
    await recorder.until(DONE)
    await recorder.delete(mine)
    await recorder.until(recorder.now_ms + DAY - 1)
    assert len(recorder.origin.holds) == 2, "it may return"
    await recorder.until(recorder.now_ms + 1)
    [left] = await recorder.assets()
    assert left.account_id == "acc_b" and list(recorder.origin.holds) == [left.id]
    await recorder.until(DONE + 30 * DAY - 1)
    assert await recorder.state(theirs) == "completed"
    await recorder.until(recorder.now_ms + 1)
    assert await recorder.state(theirs) == "expired"
    assert recorder.origin.holds == {} and await recorder.assets() == []


async def test_the_stricter_of_channel_and_territory_holds(recorder: Recorder) -> None:
    async with recorder.database.write() as connection:
        await connection.execute(update(channel).values(copy_mode="shared"))
        abroad = update(account).where(account.c.id == "acc_b").values(country="US")
        await connection.execute(abroad)
    recorder.settings = Recordings(private_territories=["US"])
    await ordered(recorder, seed.ACCOUNT, "acc_b")
    modes = {(each.account_id, each.copy_mode) for each in await recorder.assets()}
    assert modes == {("", "shared"), ("acc_b", "private")}
    async with recorder.database.write() as connection:
        await connection.execute(update(channel).values(copy_mode="private"))
    event_id = await recorder.event(END, END + HOUR)
    row, _ = await recorder.order(event_id)
    [asset] = [each for each in await recorder.assets() if each.id == row.asset_id]
    assert (asset.account_id, asset.copy_mode) == (seed.ACCOUNT, "private"), "not of the US"
