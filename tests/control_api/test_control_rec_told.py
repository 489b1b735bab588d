"""What recordings tell of holds and quotas, in the transaction that makes it so (CTL-171)."""

from typing import Any

import msgspec
import pytest
from control_rigs.recorder import HOUR, T0, Recorder
from sqlalchemy import select

from control_api import audit
from control_api.outbox.tables import outbox
from control_api.problems import Problem
from control_api.recordings import quotas, shapes
from control_api.recordings.series import make

START = T0 + 2 * HOUR


@pytest.fixture
async def recorder(kept: Any) -> Recorder:
    made = Recorder(kept)
    await made.begin("acc_b", quota_s=10_000)
    return made


async def data(recorder: Recorder, topic: str) -> list[Any]:
    query = select(outbox.c.payload).where(outbox.c.topic == topic).order_by(outbox.c.seq)
    async with recorder.database.read() as connection:
        payloads = (await connection.execute(query)).scalars().all()
    return [msgspec.json.decode(each)["data"] for each in payloads]


async def test_a_hold_is_placed_confirmed_and_released(recorder: Recorder) -> None:
    """CTL-125: once for all who share it, when the origin said so and not before."""
    event_id = await recorder.event(START, START + HOUR)
    rows = [(await recorder.order(event_id, name))[0] for name in ("acc_demo", "acc_b")]
    [asset] = await recorder.assets()
    [placed] = await data(recorder, "retention.hold.placed")
    assert (placed["asset_id"], placed["channel_id"]) == (asset.id, "ch_demo")
    recorder.origin.away = True
    await recorder.until(asset.start_ms)
    assert await recorder.told("retention.") == ["retention.hold.placed"]
    recorder.origin.away = False
    await recorder.until(asset.start_ms + 60_000)
    assert len(await data(recorder, "retention.hold.confirmed")) == 1
    await recorder.until(asset.end_ms + 10_000)
    for row, owner in zip(rows, ("acc_demo", "acc_b"), strict=True):
        assert await data(recorder, "retention.hold.released") == []
        await recorder.delete(row.id, owner)
    await recorder.until(recorder.now_ms + 1_000 * recorder.settings.grace_s + HOUR)
    [released] = await data(recorder, "retention.hold.released")
    assert released["asset_id"] == asset.id and await recorder.assets() == []


async def test_a_quota_that_is_nearly_used_up_is_told_once(recorder: Recorder) -> None:
    """CTL-122: 9,000 of 10,000 s is the share."""
    for hour in range(2):
        await recorder.order(await recorder.event(START + hour * HOUR, START + (hour + 1) * HOUR))
    assert await recorder.told("quota.") == []
    third, _ = await recorder.order(await recorder.event(START + 2 * HOUR, START + int(2.5 * HOUR)))
    [told] = await data(recorder, "quota.warning")
    assert told == {
        "account_id": "acc_demo",
        "quota_s": 10_000,
        "used_s": 9_000,
        "recording_id": third.id,
    }
    await recorder.order(await recorder.event(START + 3 * HOUR, START + 3 * HOUR + 60_000))
    assert len(await data(recorder, "quota.warning")) == 1


async def test_what_a_quota_refuses_is_told(recorder: Recorder) -> None:
    """CTL-122: an order's refusal after its transaction is undone, a rule's once a look."""
    long = await recorder.event(START, START + 3 * HOUR)
    with pytest.raises(Problem) as refusal:
        await recorder.order(long)
    assert await recorder.told("quota.") == []
    await quotas.refused(recorder.database, "acc_demo", refusal.value, recorder.now_ms)
    await quotas.refused(recorder.database, "acc_demo", Problem("not_found"), recorder.now_ms)
    numbers = {"account_id": "acc_demo", "quota_s": 10_000, "used_s": 0, "needed_s": 10_800}
    assert await data(recorder, "quota.exceeded") == [numbers]
    await recorder.event(START + 4 * HOUR, START + 7 * HOUR)
    asked = shapes.RuleRequest(title="Show")
    async with recorder.database.write() as connection:
        await make(connection, recorder.desk, "acc_b", asked, recorder.now_ms)
    assert await data(recorder, "quota.exceeded") == [numbers, numbers | {"account_id": "acc_b"}]


async def test_what_the_audit_log_has_is_told_without_its_contents(recorder: Recorder) -> None:
    """CTL-163, CTL-171; whoever acts may be named by another's issuer."""
    line = ("device.remove", "dev_1", {"name": "secret"}, None)
    async with recorder.database.write() as connection:
        await audit.record(connection, "auth0|anna b", recorder.now_ms, line)
    [told] = await data(recorder, "audit.action")
    assert told.pop("at") and told == {
        "actor": "auth0|anna b",
        "action": "device.remove",
        "target": "dev_1",
    }
