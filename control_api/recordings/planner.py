"""The planner: does what is due, and nothing else (CTL-120, CTL-125, CTL-126, CTL-130).

Rules of the file
1. What is due stands in the rows: an asset or a recording with a `due_ms` that has passed, a
   channel whose schedule has changed. Reading when the next is due is a look at partial indices,
   whose cost does not depend on how many recordings there are; until then, and for no longer than
   `IDLE_S`, the planner sleeps.
2. A row is claimed by putting its `due_ms` a lease ahead; other planners skip claimed and locked
   ones. A planner that dies leaves its claims to the next when the lease is over.
3. Each act may be done twice. Nothing is kept in memory, and time is the wall clock's of the
   moment, so that neither restarts nor clock changes matter.
4. An asset's recordings are moved before its next act: see `assets.MIRROR`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Table, bindparam, delete, func, select, update

from control_api.loops import beat_s
from control_api.recordings import assets, follow, look, rules, states
from control_api.recordings.admission import Desk
from control_api.recordings.origin import Copied, Held, Origin, OriginAway, OriginRefused
from control_api.recordings.schema import (
    ERROR_CHARS,
    recording,
    recording_asset,
    recording_gap,
    schedule_change,
)
from control_api.schema import channel
from runtime import logs, metrics
from runtime.sql import Database, SqlError

log = logs.get("recordings")
LATE = metrics.histogram("control_recording_late_s", "from due to held, of assets")
ACTS = metrics.counter("control_recording_acts", "what the planner did", ("act",))

CLAIM_ROWS = 256
AT_ONCE = 32
LEASE_MS = 30_000
IDLE_S = 0.5
SETTLE_MS = 2_000  # until the last segment of a range is published
COPY_MS = 5_000  # between looks at a copy that is being made
RETRY_MS = (500, 30_000)  # first and longest pause before the origin is asked again
TIMEOUT_MS = 30_000

asset = recording_asset.c


class Planner:
    """One of perhaps many; `clock` tells epoch milliseconds."""

    def __init__(
        self, database: Database, origin: Origin, desk: Desk, clock: Callable[[], int]
    ) -> None:
        self._database = database
        self._origin = origin
        self._desk = desk
        self._clock = clock
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._rest_s = 0.0  # until the next is due

    async def forever(self) -> None:
        """Until cancelled; a database that is away is waited for."""
        while True:
            try:
                busy = await self.turn()
            except SqlError as error:
                log.warning("planner_waits", error=str(error))
                busy, self._rest_s = 0, IDLE_S
            if not busy:
                rest_s = self._rest_s
                await asyncio.sleep(rest_s if rest_s < IDLE_S else beat_s(IDLE_S))

    async def turn(self) -> int:
        """Everything that is due now, up to a claim's size; how much that was."""
        [(change, asset_ms, recording_ms)] = await self._database.ask(_NEXT, {})
        now_ms = self._clock()
        changed = 0
        claimed: list[str] = []
        passed: list[str] = []
        if change is not None:
            changed = await follow.changes(self._database, self._desk, now_ms)
        if asset_ms is not None and asset_ms <= now_ms:
            claimed = await self._claim(recording_asset)
            await asyncio.gather(*(self._attend(asset_id) for asset_id in claimed))
        if recording_ms is not None and recording_ms <= now_ms:
            passed = await self._claim(recording)
            if passed:
                await self._pass(passed)
        ahead = [ms - now_ms for ms in (asset_ms, recording_ms) if ms is not None and ms > now_ms]
        self._rest_s = min([IDLE_S, *(ms / 1_000 for ms in ahead)])
        return changed + len(claimed) + len(passed)

    async def _claim(self, table: Table) -> list[str]:
        now_ms = self._clock()
        query = _DUE[table.name]
        async with self._database.write(timeout_ms=TIMEOUT_MS) as connection:
            found = await connection.execute(query, {"now": now_ms})
            claimed = [row.id for row in found.all()]
            lease = update(table).where(table.c.id.in_(claimed)).values(due_ms=now_ms + LEASE_MS)
            await connection.execute(lease)
        return claimed

    async def _attend(self, asset_id: str) -> None:
        async with self._gate:
            try:
                while await self._act(asset_id):
                    pass
            except SqlError as error:
                log.warning("asset_waits", asset=asset_id, error=str(error))

    async def _act(self, asset_id: str) -> bool:
        """One act on an asset; whether there may be another now."""
        async with self._database.read() as connection:
            query = select(recording_asset, channel.c.slug, channel.c.dvr_window_s)
            query = query.join(channel, channel.c.id == asset.channel_id)
            row = (await connection.execute(query.where(asset.id == asset_id))).first()
        if row is None:
            return False
        if row.state != "releasing" and await self._move_along(row):
            return True
        try:
            return await self._next(row)
        except OriginAway as error:
            return await self._later(row, str(error))
        except OriginRefused as error:
            log.error("hold_refused", asset=asset_id, channel=row.slug, code=error.code)
            return await self._fail(row, error.code)

    async def _move_along(self, row: Any) -> bool:
        """Bring some recordings to where their asset is; False when all are there."""
        goal = assets.MIRROR[row.state]
        behind = states.WAY[: states.WAY.index(goal)] if goal in states.WAY else states.WAY[:-1]
        which = (recording.c.asset_id == row.id, recording.c.state.in_(behind))
        if not behind:
            return False
        now_ms = self._clock()
        async with self._database.read() as connection:
            some = select(recording.c.id).where(*which).limit(1)
            if (await connection.execute(some)).first() is None:
                return False
        async with self._database.write(timeout_ms=TIMEOUT_MS) as connection:
            rows = await states.locked(connection, *which)
            ending = {} if row.state == "failed" else self._desk.ending(now_ms)
            rows = await assets.catch_up(connection, rows, row.state, now_ms, ending)
            if row.state in ("complete", "partial"):
                rows = await assets.weigh(connection, rows, row)
                await rules.trim(connection, self._desk, rows, now_ms)
        return True

    async def _next(self, row: Any) -> bool:
        now_ms = self._clock()
        match row.state:
            case "planned" if now_ms >= row.start_ms:
                await self._origin.hold(_held(row))
                LATE.observe((self._clock() - row.start_ms) / 1_000)
                return await self._put(row, state="held", due_ms=now_ms, tries=0)
            case "planned":
                return await self._put(row, due_ms=row.start_ms)
            case "held" if now_ms >= row.end_ms:
                await self._origin.hold(_held(row, row.end_ms))
                return await self._put(
                    row, state="checking", due_ms=row.end_ms + SETTLE_MS, tries=0
                )
            case "held":
                return await self._put(row, due_ms=row.end_ms)
            case "checking" if now_ms >= row.end_ms + SETTLE_MS:
                return await self._look(row, now_ms)
            case "checking":
                return await self._put(row, due_ms=row.end_ms + SETTLE_MS)
            case "failed":
                return await self._put(row, state="releasing", due_ms=now_ms, tries=0)
            case "releasing":
                await self._origin.release(row.id, row.slug)
                return await self._forget(row)
        return await self._put(row, due_ms=None)

    async def _look(self, row: Any, now_ms: int) -> bool:
        """Complete, or look again later, or partial: what the origin lacks decides (CTL-126). A
        private copy is looked at when it is whole, and once: it never gets more (CTL-127).
        """
        private = row.copy_mode == "private"
        copy = await self._origin.copied(row.id, row.slug) if private else None
        if copy is not None and copy.state == "failed":
            log.error("copy_failed", asset=row.id, channel=row.slug, code=copy.error)
            return await self._fail(row, "copy_failed")
        if copy is not None and copy.state == "copying":
            return await self._put(row, due_ms=now_ms + COPY_MS, **_progress(copy))
        report = await self._origin.look(row.id, row.slug, row.start_ms, row.end_ms)
        settings = self._desk.settings
        again_ms = now_ms + 1_000 * settings.look_again_s
        if report is None:
            return await self._put(row, due_ms=min(again_ms, now_ms + SETTLE_MS))
        found = {
            "first_ms": report.first_ms,
            "missing_ms": report.missing_ms,
            "tracks": dict(report.segments),
            "size_bytes": report.size_bytes,
            **({} if copy is None else _progress(copy)),
        }
        async with self._database.write() as connection:
            [(start_ms, end_ms)] = await connection.execute(_SHOWN, {"asset": row.id})
            await connection.execute(
                delete(recording_gap).where(recording_gap.c.asset_id == row.id)
            )
            gaps = [{"asset_id": row.id, **gap._asdict()} for gap in report.gaps]
            for batch in states.batches(gaps):
                await connection.execute(recording_gap.insert(), batch)
        shown = (row.start_ms, row.end_ms) if start_ms is None else (start_ms, end_ms)
        lacking_ms = look.lacking(report.gaps, *shown)
        if lacking_ms < settings.missing * (shown[1] - shown[0]) or not report.gaps:
            return await self._put(row, state="complete", due_ms=now_ms, **found)
        if row.tries < settings.looks and copy is None:
            return await self._put(row, due_ms=again_ms, tries=row.tries + 1, **found)
        if not any(report.segments.values()):
            return await self._fail(row, "no_media")
        return await self._put(row, state="partial", due_ms=now_ms, **found)

    async def _put(self, row: Any, **values: Any) -> bool:
        """Write an asset unless it was changed meanwhile; what changed it has made it due. Whether
        there is more to do at once.
        """
        ACTS.labels(values.get("state", "wait")).inc()
        due_ms = values["due_ms"]
        async with self._database.write() as connection:
            put = await connection.execute(
                update(recording_asset)
                .where(asset.id == row.id, asset.state == row.state, asset.end_ms == row.end_ms)
                .values(**values)
            )
            if put.rowcount and values.get("state") == "held":
                await assets.tell(connection, "confirmed", row, self._clock())
        return "state" in values or (due_ms is not None and due_ms <= self._clock())

    async def _later(self, row: Any, reason: str) -> bool:
        """Ask again, ever less often, until the range has aged out (CTL-125, CTL-188)."""
        now_ms = self._clock()
        window_ms = 1_000 * row.dvr_window_s
        if row.state == "planned" and now_ms > row.start_ms + window_ms > row.start_ms:
            log.error("hold_unconfirmed", asset=row.id, channel=row.slug, reason=reason)
            return await self._fail(row, "hold_unconfirmed")
        log.warning("origin_away", asset=row.id, channel=row.slug, reason=reason)
        pause_ms = min(RETRY_MS[0] << min(row.tries, 16), RETRY_MS[1])
        looks = row.tries if row.state == "checking" else row.tries + 1
        return await self._put(row, due_ms=now_ms + pause_ms, tries=looks)

    async def _fail(self, row: Any, reason: str) -> bool:
        """The recordings of an asset that cannot be had fail with the reason."""
        if row.state == "releasing":
            return await self._forget(row, reason)
        which = (recording.c.asset_id == row.id,)
        async with self._database.write(timeout_ms=TIMEOUT_MS) as connection:
            rows = await states.locked(connection, *which)
            failing = [each for each in rows if "failed" in states.MOVES[each.state]]
            await states.move(connection, failing, "failed", self._clock(), reason=reason[:32])
            left = select(func.count()).where(*which)
            done = (await connection.execute(left)).scalar_one() == 0
        return await self._put(
            row, state="failed" if done else row.state, due_ms=self._clock(), tries=row.tries
        )

    async def _forget(self, row: Any, reason: str | None = None) -> bool:
        async with self._database.write() as connection:
            await connection.execute(
                delete(recording_gap).where(recording_gap.c.asset_id == row.id)
            )
            gone = await connection.execute(delete(recording_asset).where(asset.id == row.id))
            if gone.rowcount:
                await assets.tell(connection, "released", row, self._clock(), reason)
        ACTS.labels("released").inc()
        return False

    async def _pass(self, claimed: list[str]) -> None:
        """Recordings whose own time has come: told of their end, expired, or gone for good."""
        now_ms = self._clock()
        async with self._database.write(timeout_ms=TIMEOUT_MS) as connection:
            rows = await states.locked(connection, recording.c.id.in_(claimed))
            gone = [each for each in rows if each.state == "deleted"]
            kept = [each for each in rows if each.state in ("completed", "partial")]
            over = [each for each in kept if each.expires_ms <= now_ms]
            warned = [each for each in kept if each.expires_ms > now_ms]
            await states.remove(connection, gone)
            await states.move(connection, over, "expired", now_ms, reason="retention")
            await states.tell(connection, "recording.expiring", warned, now_ms)
            for each in warned:
                await states.change(connection, [each], due_ms=each.expires_ms)
            await assets.let_go(connection, [each.asset_id for each in gone + over], now_ms)


def _held(row: Any, end_ms: int | None = None) -> Held:
    return Held(row.id, row.slug, row.start_ms, end_ms, row.copy_mode == "private")


def _progress(copy: Copied) -> dict[str, Any]:
    """Columns of an asset."""
    return {
        "copied_objects": copy.objects,
        "left_objects": copy.left,
        "copy_error": copy.error[:ERROR_CHARS] or None,
    }


# What is due, of each table.
_DUE = {
    table.name: select(table.c.id)
    .where(table.c.due_ms <= bindparam("now", type_=BigInteger))
    .order_by(table.c.due_ms)
    .limit(CLAIM_ROWS)
    .with_for_update(skip_locked=True)
    for table in (recording_asset, recording)
}
# From the first begin of an asset's programmes to their last end: padding may lack (CTL-126).
_SHOWN = select(func.min(recording.c.prog_start_ms), func.max(recording.c.prog_end_ms)).where(
    recording.c.asset_id == bindparam("asset")
)
_NEXT = select(
    select(func.min(schedule_change.c.seq)).scalar_subquery(),
    *(
        select(func.min(table.c.due_ms)).where(table.c.due_ms.is_not(None)).scalar_subquery()
        for table in (recording_asset, recording)
    ),
)
