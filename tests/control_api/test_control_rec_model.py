"""Recordings as a state machine: whatever is ordered, moved, deleted or broken, in whatever order,
the rules between the tables hold (CTL-120, CTL-122, CTL-125, CTL-190).
"""

import asyncio
from typing import Any

from control_rigs.recorder import HOUR, MIN, T0, Recorder
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import delete, select, update

from control_api.problems import Problem
from control_api.recordings import assets, follow, states
from control_api.recordings.schema import recording, recording_asset
from control_api.schema import epg_event, epg_event_text, metadata
from runtime.sql import Database

ACCOUNTS = ("acc_demo", "acc_b")
QUOTA_S = 4 * 3_600
SLOTS = 6


class Life(RuleBasedStateMachine):
    """Two accounts, a handful of programmes; `database` is migrated before."""

    database: Database
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder(self.database)
        self.events: dict[int, str] = {}
        self.seen: dict[str, str] = {}
        self.run(self._begin())

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    async def _begin(self) -> None:
        async with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(delete(table))
        await self.recorder.begin("acc_b", quota_s=QUOTA_S)
        for slot in range(SLOTS):
            start_ms = T0 + (slot + 1) * HOUR
            self.events[slot] = await self.recorder.event(start_ms, start_ms + 50 * MIN)

    @rule(slot=st.integers(0, SLOTS - 1), account=st.sampled_from(ACCOUNTS))
    def order(self, slot: int, account: str) -> None:
        async def work() -> None:
            try:
                await self.recorder.order(self.events[slot], account)
            except Problem as problem:
                assert problem.code in ("event_not_found", "outside_dvr_window", "quota_exceeded")

        self.run(work())

    @rule(pick=st.integers(0, 50), back=st.booleans())
    def delete_or_restore(self, pick: int, back: bool) -> None:
        async def work() -> None:
            rows = await self._rows()
            if not rows:
                return
            row = rows[pick % len(rows)]
            act = self.recorder.restore if back else self.recorder.delete
            try:
                await act(row.id, row.account_id)
            except Problem as problem:
                assert problem.code in ("bad_state", "recording_not_found")

        self.run(work())

    @rule(slot=st.integers(0, SLOTS - 1), by_min=st.sampled_from([-5, 3, 5]))
    def shift(self, slot: int, by_min: int) -> None:
        async def work() -> None:
            event = epg_event.c
            async with self.database.write() as connection:
                change = update(epg_event).where(
                    event.id == self.events[slot], event.start_ms > self.recorder.now_ms
                )
                start_ms = T0 + (slot + 1) * HOUR + by_min * MIN
                times = {"start_ms": start_ms, "end_ms": start_ms + 50 * MIN}
                await connection.execute(change.values(times))
                await follow.note(connection, "ch_demo")

        self.run(work())

    @rule(slot=st.integers(0, SLOTS - 1))
    def remove(self, slot: int) -> None:
        async def work() -> None:
            event_id = self.events[slot]
            async with self.database.write() as connection:
                text = epg_event_text.c.event_id == event_id
                await connection.execute(delete(epg_event_text).where(text))
                await connection.execute(delete(epg_event).where(epg_event.c.id == event_id))
                await follow.note(connection, "ch_demo")

        self.run(work())

    @rule(minutes=st.sampled_from([-30, 0, 1, 20, 61, 180]))
    def time_passes(self, minutes: int) -> None:
        self.run(self.recorder.until(self.recorder.now_ms + minutes * MIN))

    @rule(size_bytes=st.sampled_from([None, 0, 1, 7 * 10**9]))
    def the_origin_tells_sizes(self, size_bytes: int | None) -> None:
        self.recorder.origin.size_bytes = size_bytes

    @rule()
    def a_day_passes(self) -> None:
        self.run(self.recorder.until(self.recorder.now_ms + 25 * HOUR))

    @rule()
    def the_origin_comes_and_goes(self) -> None:
        self.recorder.origin.away = not self.recorder.origin.away

    @precondition(lambda self: self.recorder.origin.refuse is None)
    @rule()
    def the_origin_refuses_for_a_minute(self) -> None:
        self.recorder.origin.refuse = "range_gone"
        self.run(self.recorder.until(self.recorder.now_ms + MIN))
        self.recorder.origin.refuse = None

    @invariant()
    def quotas_are_sums(self) -> None:
        """CTL-122."""

        async def work() -> None:
            rows = await self._rows()
            for account in ACCOUNTS:
                mine = [states.counted(row) for row in rows if row.account_id == account]
                sums = tuple(sum(each[at] for each in mine) for at in range(4))
                assert await self.recorder.counts(account) == sums

        self.run(work())

    @invariant()
    def every_pointer_points(self) -> None:
        """CTL-125: no asset without a user but those on their way out, none out with a user."""

        async def work() -> None:
            rows = await self._rows()
            used = {row.asset_id for row in rows if row.asset_id is not None}
            found = {asset.id: asset for asset in await self.recorder.assets()}
            assert used == {each for each, asset in found.items() if asset.state != "releasing"}
            for row in rows:
                assert (row.asset_id is None) == (row.state in states.ENDED)
                if row.state in ("recording", "finalizing", "completed") and row.asset_id:
                    assert found[row.asset_id].state != "failed"

        self.run(work())

    @invariant()
    def moves_are_of_the_table(self) -> None:
        """CTL-120: what a recording was leads to what it is."""

        async def work() -> None:
            now = {row.id: row.state for row in await self._rows()}
            for recording_id, state in now.items():
                before = self.seen.get(recording_id, "requested")
                assert state in _reach(before), (before, state)
            self.seen = now

        self.run(work())

    def teardown(self) -> None:
        """With the origin back, everything comes to rest: what is held is what is used."""

        async def work() -> None:
            self.recorder.origin.away = False
            for _ in range(12):
                await self.recorder.until(self.recorder.now_ms + 3 * HOUR)
            rows = await self._rows()
            assert not {"scheduled", "recording", "finalizing"} & {row.state for row in rows}
            held = set(self.recorder.origin.holds)
            assert held == {asset.id for asset in await self.recorder.assets()}
            for row in rows:
                if row.asset_id is not None and row.state != "deleted":
                    async with self.database.read() as connection:
                        query = select(recording_asset.c.state)
                        query = query.where(recording_asset.c.id == row.asset_id)
                        state = (await connection.execute(query)).scalar_one()
                    assert assets.MIRROR[state] == row.state

        self.run(work())

    async def _rows(self) -> list[Any]:
        async with self.database.read() as connection:
            query = select(recording).order_by(recording.c.id)
            return list((await connection.execute(query)).all())


def _reach(state: str) -> set[str]:
    """Where any number of moves leads."""
    found, new = {state}, [state]
    while new:
        more = states.MOVES[new.pop()] - found
        found |= more
        new += more
    return found


def test_the_life_of_recordings_is_sound(kept_url: str) -> None:
    with asyncio.Runner() as runner:
        Life.runner, Life.database = runner, Database(kept_url, timeout_ms=10_000)
        runner.run(Life.database.start())
        try:
            machine: Any = Life.TestCase
            machine.settings = settings(
                max_examples=6 if kept_url.startswith("sqlite") else 2,
                stateful_step_count=20,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            machine("runTest").runTest()
        finally:
            runner.run(Life.database.stop())
