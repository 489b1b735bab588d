"""Recordings that start on time, however many there are.

    python -m bench.bench_recordings --json

`late_*` is from the moment at which DUE ones are due to the last of them being held and told,
`idle_*` a turn of the planner with nothing due, each beside 1,000 and beside many scheduled, on
SQLite with an origin that says yes. `HEADWATER_BENCH_RECORDINGS=1000000` is the long form, and
`HEADWATER_BENCH_SQL=postgresql://..` another, empty database.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, update

from bench import harness
from control_api import seed
from control_api.migrations import LOCATION
from control_api.recordings import look
from control_api.recordings.admission import Desk
from control_api.recordings.origin import Held
from control_api.recordings.planner import Planner
from control_api.recordings.schema import recording, recording_asset
from control_api.recordings.settings import Recordings
from runtime.sql import Database

MANY = int(os.environ.get("HEADWATER_BENCH_RECORDINGS", "50000"))
FEW = 1_000
DUE = 1_000
DUE_ASSETS = 20  # channels on which a programme begins at one time
SHARED = 10  # accounts that record the same
T0 = 1_774_656_000_000
FAR_MS = 86_400_000
BATCH = 5_000
IDLE_ROUND_S = 0.3


class Willing:
    """An origin that holds whatever it is asked to."""

    async def hold(self, held: Held) -> None: ...

    async def release(self, asset_id: str, channel: str) -> None: ...

    async def look(self, asset_id: str, start_ms: int, end_ms: int) -> look.Report | None: ...


def rows_of(first: int, count: int, shared: int, start_ms: int) -> tuple[list[Any], list[Any]]:
    """Assets and recordings; each asset has `shared` of them and begins a millisecond later."""
    assets, recordings = [], []
    for number in range(first, first + count):
        place = number // shared
        begins_ms = start_ms + place
        span = {"channel_id": "ch_demo", "start_ms": begins_ms, "end_ms": begins_ms + 3_600_000}
        asset_id = f"ras_{start_ms}_{place}"
        if number % shared == 0:
            state = {"state": "planned", "due_ms": begins_ms, "tries": 0, "missing_ms": 0}
            assets.append(
                {"id": asset_id, "copy_mode": "shared", "account_id": "", **span, **state}
            )
        recordings.append(
            {
                "id": f"rec_{start_ms}_{number}",
                "account_id": seed.ACCOUNT,
                "channel_id": "ch_demo",
                "asset_id": asset_id,
                "title": "Show",
                "prog_start_ms": begins_ms,
                "prog_end_ms": begins_ms + 3_600_000,
                "pad_before_s": 0,
                "pad_after_s": 0,
                "counted_s": 0,
                "state": "scheduled",
                "created_ms": T0,
                "version": 1,
            }
        )
    return assets, recordings


async def plant(database: Database, first: int, count: int, shared: int, start_ms: int) -> None:
    for at in range(first, first + count, BATCH):
        size = min(BATCH, first + count - at)
        assets, recordings = rows_of(at, size, shared, start_ms)
        async with database.write(timeout_ms=600_000) as connection:
            if assets:
                await connection.execute(insert(recording_asset), assets)
            await connection.execute(insert(recording), recordings)


async def measure(url: str) -> list[str]:
    lines = []
    async with Database(url, timeout_ms=600_000) as database:
        await database.upgrade(LOCATION)
        async with database.write() as connection:
            for table, row in seed.ROWS:
                await connection.execute(insert(table).values(row))
        planted = 0
        for wanted in (FEW, MANY):
            await plant(database, planted, wanted - planted, SHARED, T0 + FAR_MS)
            planted = wanted
            now = [T0]
            planner = Planner(database, Willing(), Desk(Recordings(), "ZZ"), lambda at=now: at[0])
            turns, began = 0, time.perf_counter()
            while time.perf_counter() - began < IDLE_ROUND_S:
                assert await planner.turn() == 0
                turns += 1
            idle_ms = 1_000 * (time.perf_counter() - began) / turns
            lines.append(harness.line("recordings", f"idle_{wanted}", idle_ms, "ms", None, None))
            late_s = await started(database, planner, wanted)
            lines.append(harness.line("recordings", f"late_{wanted}", late_s, "s", None, None))
    return lines


async def started(database: Database, planner: Planner, mark: int) -> float:
    """Seconds until DUE recordings are recorded, which are due from now on."""
    start_ms = T0 - 10_000 - mark
    await plant(database, 0, DUE, DUE // DUE_ASSETS, start_ms)
    mine = recording.c.id.like(f"rec_{start_ms}_%")
    left = select(func.count()).where(mine, recording.c.state == "scheduled")
    began = time.perf_counter()
    while await planner.turn():
        pass
    spent = time.perf_counter() - began
    async with database.read() as connection:
        assert (await connection.execute(left)).scalar_one() == 0
    async with database.write() as connection:
        rest = update(recording_asset).where(recording_asset.c.start_ms < T0)
        await connection.execute(rest.values(due_ms=None))
    return spent


def rows() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        url = os.environ.get("HEADWATER_BENCH_SQL", f"sqlite:///{Path(folder) / 'bench.sqlite'}")
        return asyncio.run(measure(url))


if __name__ == "__main__":
    harness.main(__doc__, rows)
