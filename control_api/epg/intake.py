"""Guides that come over the API: put on record with their file and carried out behind the answer,
so that no long file holds one up and a killed process loses none (CTL-62, CTL-68).
"""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import String, bindparam, insert, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit, types
from control_api.calls import Call, Reply
from control_api.epg import importer
from control_api.epg.desk import ImportRun, run, shown
from control_api.epg.errors import EpgError
from control_api.epg.importer import ABANDONED_MS, BATCH_TIMEOUT_MS, CUT_OFF, KEPT_BYTES
from control_api.epg.tables import epg_import_file
from control_api.problems import Problem
from control_api.schema import epg_import_run, epg_source
from control_api.times import now_ms
from control_api.wakes import wake, whenever
from runtime import logs
from runtime.sql import Database, SqlError
from runtime.store import Store

log = logs.get("control")
WAKE = "epg:imports"
LOOK_S = 30.0  # for what nobody told of
HOLD_S = 60.0  # how often one says that one still works on a file
MAX_TRIES = 5  # of a file that is cut off, or ends its process
MAX_BYTES = KEPT_BYTES
MEDIA = ("application/xml", "text/xml", "application/gzip", "application/octet-stream")

file = epg_import_file.c
_TAKING = asyncio.Lock()  # one upload of a process at a time: they are large


class UploadQuery(types.Request):
    """Whose guide it is; `force` applies what would be held."""

    source_id: types.Id
    force: bool = False


async def upload(call: Call[bytes]) -> Reply:
    """Take a guide in: XMLTV, gzip or not; its run tells what becomes of it."""
    asked: UploadQuery = call.query
    if _TAKING.locked():
        raise Problem("rate_limited", "another guide is coming in", headers={"Retry-After": "1"})
    async with _TAKING:
        made = await _taken(call, asked)
    await wake(call.services.store, WAKE)
    return Reply(made, {"Location": f"/v1/admin/epg/imports/{made.id}"})


async def _taken(call: Call[bytes], asked: UploadQuery) -> ImportRun:
    packed = await asyncio.to_thread(importer.packed, io.BytesIO(call.body))
    async with call.services.database.write(timeout_ms=BATCH_TIMEOUT_MS) as connection:
        source = select(epg_source.c.id).where(epg_source.c.id == asked.source_id)
        if (await connection.execute(source)).first() is None:
            raise Problem("not_found", "there is no such source")
        try:
            run_id = await importer.begin(connection, asked.source_id, call.now_ms)
        except EpgError as error:
            raise Problem("bad_state", str(error)) from None
        row = {"run_id": run_id, "packed": packed, "forced": asked.force}
        await connection.execute(insert(epg_import_file).values(row))
        told = {"source_id": asked.source_id, "bytes": len(call.body), "forced": asked.force}
        change = ("epg.imported", run_id, None, told)
        await audit.record(connection, call.caller.account_id, call.now_ms, change)
        return await _run(connection, run_id)


async def get(call: Call[None]) -> ImportRun:
    """One import: asked for again and again while it goes on."""
    return _found(await call.services.database.ask(_RUN, {"run": call.path["id"]}))


async def apply(call: Call[None]) -> ImportRun:
    """Apply a guide that is held, as somebody has looked at it."""
    run_id = call.path["id"]
    async with call.services.database.write() as connection:
        known = await _run(connection, run_id)
        if known.state != "held":
            raise Problem("bad_state", f"the import is {known.state}, not held")
        try:
            await importer.alone(connection, known.source_id, call.now_ms)
        except EpgError as error:
            raise Problem("bad_state", str(error)) from None
        again = update(epg_import_file).where(file.run_id == run_id).values(forced=True)
        if not (await connection.execute(again)).rowcount:
            raise Problem("bad_state", "its file is not there any more; bring it again")
        begun = {"state": "running", "started_ms": call.now_ms, "ended_ms": None, "reason": None}
        await connection.execute(
            update(epg_import_run).where(run.id == run_id, run.state == "held").values(**begun)
        )
        change = ("epg.applied", run_id, {"state": "held"}, {"source_id": known.source_id})
        await audit.record(connection, call.caller.account_id, call.now_ms, change)
        made = await _run(connection, run_id)
    await wake(call.services.store, WAKE)
    return made


class _Waiting(NamedTuple):
    run_id: str
    packed: BinaryIO
    forced: bool


class Intake:
    """Carries out what waits, one after the other, whichever process took it in."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    async def run(self) -> None:
        """For ever; without the store it looks now and then."""
        await whenever(self._store, WAKE, LOOK_S, self.finish)

    async def finish(self) -> None:
        """Carry out what waits now; no file, whatever is in it, ends the process. One that is cut
        off waits again.
        """
        while (waiting := await self._take()) is not None:
            try:
                async with self._holding(waiting.run_id):
                    await importer.carry_out(
                        self._database,
                        waiting.run_id,
                        waiting.packed,
                        now_ms,
                        force=waiting.forced,
                        again=True,
                    )
            except EpgError as error:
                log.info("guide_refused", run=waiting.run_id, code=error.code)
            except CUT_OFF:
                await self._touch(waiting.run_id, None)
                raise
            except Exception:
                log.exception("guide_failed", run=waiting.run_id)

    @contextlib.asynccontextmanager
    async def _holding(self, run_id: str) -> AsyncIterator[None]:
        """Meanwhile nobody else takes the file, nor is the run taken for dead."""
        task = asyncio.create_task(self._hold(run_id))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _hold(self, run_id: str) -> None:
        while True:
            await asyncio.sleep(HOLD_S)
            await self._touch(run_id, now_ms())

    async def _touch(self, run_id: str, taken_ms: int | None) -> None:
        """Say when somebody last worked on a file, if the database lets one."""
        change = update(epg_import_file).where(file.run_id == run_id).values(taken_ms=taken_ms)
        with contextlib.suppress(SqlError, DBAPIError):
            async with self._database.write() as connection:
                await connection.execute(change)

    async def _take(self) -> _Waiting | None:
        """The first that nobody works on; what a process left when it died is taken again, unless
        it was so often that the file may be why.
        """
        at_ms = now_ms()
        free = or_(file.taken_ms.is_(None), file.taken_ms <= at_ms - ABANDONED_MS)
        query = (
            select(epg_import_file)
            .join(epg_import_run)
            .where(run.state == "running", free)
            .order_by(run.started_ms, run.id)
            .limit(1)
        )
        async with self._database.read() as connection:
            if (await connection.execute(query.with_only_columns(file.run_id))).first() is None:
                return None
        async with self._database.write(timeout_ms=BATCH_TIMEOUT_MS) as connection:
            first = query.with_for_update(skip_locked=True, of=epg_import_file)
            row = (await connection.execute(first)).first()
            if row is None:
                return None
            if row.tries >= MAX_TRIES:
                given_up = importer.ended("failed", at_ms, f"cut off {row.tries} times")
                await importer.end(connection, row.run_id, given_up)
            mine = update(epg_import_file).where(file.run_id == row.run_id)
            await connection.execute(mine.values(taken_ms=at_ms, tries=file.tries + 1))
        if row.tries >= MAX_TRIES:
            return await self._take()
        return _Waiting(row.run_id, io.BytesIO(row.packed), row.forced)


async def _run(connection: AsyncConnection, run_id: str) -> ImportRun:
    return _found((await connection.execute(_RUN, {"run": run_id})).all())


def _found(rows: Sequence[Any]) -> ImportRun:
    if not rows:
        raise Problem("not_found")
    return shown(rows[0])


_RUN = select(epg_import_run).where(run.id == bindparam("run", type_=String))
