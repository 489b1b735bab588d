"""Carries jobs out, each by one process at a time, a step a transaction.

Rules of the file
1. A step's effect and how far the job came are one transaction: who dies repeats nothing.
2. A job that was cancelled meanwhile is left alone: its row is asked for before each step.
3. What a process left when it died is taken up after `ABANDONED_MS`, and so is what the database
   refused; what it refused a process `TRIES` times has failed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import DBAPIError

from control_api import wakes
from control_api.calls import Services
from control_api.jobs import purges, replays
from control_api.jobs.desk import OPEN, WAKE, own
from control_api.jobs.steps import Executor
from control_api.jobs.tables import job
from control_api.loops import Loop
from control_api.times import now_ms
from runtime import logs
from runtime.service import Part
from runtime.sql import Database, SqlError

log = logs.get("control")
LOOK_S = 30.0
ABANDONED_MS = 60_000
TRIES = 5
KEPT_MS = 30 * 86_400_000
SWEEP_MS = 3_600_000
STEP_TIMEOUT_MS = 30_000  # CTL-188


EXECUTORS: Mapping[str, Executor] = {replays.KIND: replays.step}


class Worker:
    """Carries out what waits, one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._swept_ms = 0
        self._refused: Counter[str] = Counter()  # jobs by how often, since they last came on

    async def finish(self) -> None:
        """Carry out what waits now; a job that fails harms no other."""
        while (waiting := await self._take()) is not None:
            try:
                while not await self._step(waiting):
                    self._refused.pop(waiting, None)
            except (SqlError, DBAPIError) as error:
                self._refused[waiting] += 1
                log.warning("job_waits", job=waiting, error=type(error).__name__)
                if self._refused[waiting] < TRIES:
                    continue
                await self._end(waiting, "failed", error="database")
            except Exception:
                log.exception("job_failed", job=waiting)
                await self._end(waiting, "failed", error="internal")
            self._refused.pop(waiting, None)
        await self._sweep()

    async def _take(self) -> str | None:
        """The first that nobody works on, ours from now on."""
        at_ms = now_ms()
        free = or_(own.taken_ms.is_(None), own.taken_ms <= at_ms - ABANDONED_MS)
        query = select(own.id).where(own.state.in_(OPEN), own.kind.in_(EXECUTORS), free)
        query = query.order_by(own.asked_ms, own.id).limit(1)
        async with self._database.read() as connection:
            if (await connection.execute(query)).first() is None:
                return None
        async with self._database.write() as connection:
            locked = query.with_for_update(skip_locked=True)
            job_id: str | None = (await connection.execute(locked)).scalar()
            if job_id is not None:
                begun = func.coalesce(own.started_ms, at_ms)
                values = {"state": "running", "taken_ms": at_ms, "started_ms": begun}
                await connection.execute(update(job).where(own.id == job_id).values(values))
        return job_id

    async def _step(self, job_id: str) -> bool:
        """True when there is nothing more to do."""
        at_ms = now_ms()
        async with self._database.write(timeout_ms=STEP_TIMEOUT_MS) as connection:
            query = select(job).where(own.id == job_id, own.state == "running").with_for_update()
            row = (await connection.execute(query)).first()
            if row is None:
                return True
            step = await EXECUTORS[row.kind](connection, row, at_ms)
            values = {"done": row.done + step.done, "report": step.report, "taken_ms": at_ms}
            values |= {"state": "done", "ended_ms": at_ms} if step.over else {}
            await connection.execute(update(job).where(own.id == job_id).values(values))
            return step.over

    async def _end(self, job_id: str, state: str, **values: Any) -> None:
        mine = (own.id == job_id, own.state == "running")
        values |= {"state": state, "ended_ms": now_ms()}
        async with self._database.write() as connection:
            await connection.execute(update(job).where(*mine).values(values))

    async def _sweep(self) -> None:
        """Forget what was over long ago, and wait no more for who purges."""
        at_ms = now_ms()
        if at_ms - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = at_ms
        late = (own.state == "running", own.kind == purges.KIND)
        over = {"state": "failed", "error": "unconfirmed", "ended_ms": at_ms}
        async with self._database.write() as connection:
            await connection.execute(delete(job).where(own.ended_ms <= at_ms - KEPT_MS))
            waited = own.asked_ms <= at_ms - purges.PATIENCE_MS
            await connection.execute(update(job).where(*late, waited).values(over))


def work(services: Services) -> Sequence[Part]:
    worker = Worker(services.database)
    return [Loop("jobs", lambda: wakes.whenever(services.store, WAKE, LOOK_S, worker.finish))]
