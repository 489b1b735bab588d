"""Schedules move, recordings move along (CTL-124, CTL-64).

An import notes the channel whose schedule it wrote, in the same transaction. The planner then
compares what is recorded with what is scheduled, so that no way of writing a schedule is missed,
and lets series rules look at it.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.recordings import assets, programmes, rules, states
from control_api.recordings.admission import Desk
from control_api.recordings.schema import (
    recording,
    recording_asset,
    recording_rule,
    schedule_change,
)
from control_api.schema import epg_event
from runtime.sql import Database

TIMEOUT_MS = 30_000
AT_ONCE = 32  # changes that may be passed over
FOLLOWING = ("scheduled", "recording")
row = recording.c
asset = recording_asset.c


class Times(NamedTuple):
    """When a recording's programme is."""

    start_ms: int
    end_ms: int


async def note(connection: AsyncConnection, *channel_ids: str) -> None:
    """Schedules of channels were written; to be called in the same transaction."""
    if channel_ids:
        rows = [{"channel_id": channel_id} for channel_id in channel_ids]
        await connection.execute(insert(schedule_change), rows)


async def changes(database: Database, desk: Desk, now_ms: int) -> int:
    """Look at one channel whose schedule changed, and pass over those that concern nobody; 0 when
    there is none.
    """
    waiting = await database.ask(_WAITING, {})
    if not waiting:
        return 0
    async with database.write(timeout_ms=TIMEOUT_MS) as connection:
        await connection.execute(_PASS_OVER, {"seqs": [each.seq for each in waiting]})
        change = (await connection.execute(_OLDEST.with_for_update(skip_locked=True))).first()
        if change is None:
            return 0
        if await shift(connection, change.channel_id, now_ms) == states.BATCH_ROWS:
            return 1
        owner = await programmes.published(connection, change.channel_id)
        seen = None
        if owner is not None:
            seen = await rules.look(connection, desk, owner, change.after_rule, now_ms)
        this = schedule_change.c
        if seen is not None:
            await connection.execute(
                update(schedule_change).where(this.seq == change.seq).values(after_rule=seen)
            )
        else:
            await connection.execute(delete(schedule_change).where(this.seq == change.seq))
    return 1


async def shift(connection: AsyncConnection, channel_id: str, now_ms: int) -> int:
    """Let recordings follow their events; how many did."""
    apart = or_(
        row.prog_end_ms != epg_event.c.end_ms,
        and_(row.state == "scheduled", row.prog_start_ms != epg_event.c.start_ms),
        and_(row.state == "recording", row.prog_start_ms < epg_event.c.start_ms),
    )
    same = epg_event.c.id == row.event_id
    moved = (
        row.channel_id == channel_id,
        row.state.in_(FOLLOWING),
        exists(select(epg_event.c.id).where(same, apart)),
    )
    removed = (
        row.channel_id == channel_id,
        row.state == "scheduled",
        row.event_id.is_not(None),
        ~exists(select(epg_event.c.id).where(same)),
    )
    rows = await states.locked(connection, *removed)
    await states.move(connection, rows, "cancelled", now_ms, reason="event_removed")
    await assets.let_go(connection, [each.asset_id for each in rows], now_ms)
    if len(rows) == states.BATCH_ROWS:
        return len(rows)
    rows = await states.locked(connection, *moved)
    await _follow(connection, rows, now_ms)
    return len(rows)


async def _follow(connection: AsyncConnection, rows: Sequence[Any], now_ms: int) -> None:
    """Each group of one range, event and padding moves as one."""
    query = select(epg_event).where(epg_event.c.id.in_({each.event_id for each in rows}))
    events = {each.id: each for each in (await connection.execute(query)).all()}

    def group(each: Any) -> tuple[str, str, int, int, str]:
        return (
            each.asset_id,
            each.event_id,
            each.pad_before_s,
            each.pad_after_s,
            each.state,
        )

    for _, found in groupby(sorted(rows, key=group), key=group):
        some = list(found)
        event, first = events[some[0].event_id], some[0]
        begun = first.state == "recording"
        start_ms = max(event.start_ms, first.prog_start_ms) if begun else event.start_ms
        if event.end_ms > start_ms:
            await _retime(connection, some, Times(start_ms, event.end_ms), now_ms)


async def _retime(
    connection: AsyncConnection, rows: Sequence[Any], times: Times, now_ms: int
) -> None:
    first = rows[0]
    query = select(recording_asset).where(asset.id == first.asset_id).with_for_update()
    old = (await connection.execute(query)).one()
    wanted = assets.Span(
        old.channel_id,
        times.start_ms - 1_000 * first.pad_before_s,
        times.end_ms + 1_000 * first.pad_after_s,
        old.account_id,
        old.copy_mode,
    )
    if first.state == "recording" and wanted.start_ms < old.end_ms:  # what is held is kept
        wanted = wanted._replace(start_ms=old.start_ms)
    length_s = -(-(times.end_ms - times.start_ms) // 1_000)
    values: dict[str, Any] = {
        "prog_start_ms": times.start_ms,
        "prog_end_ms": times.end_ms,
        "counted_s": length_s,
        "counted_bytes": row.counted_bytes * length_s // row.counted_s,
    }
    if not await _in_place(connection, old, wanted, len(rows)):
        new = await assets.take(connection, wanted, now_ms)
        values["asset_id"] = new.id
    rows = await states.change(connection, rows, **values)
    await states.tell(connection, "recording.rescheduled", rows, now_ms)
    if "asset_id" in values:
        await assets.let_go(connection, [old.id], now_ms)


async def _in_place(connection: AsyncConnection, old: Any, wanted: assets.Span, users: int) -> bool:
    """Stretch the asset itself, if nobody else wants it as it was and nobody has the new range:
    what is playing from it goes on under its name.
    """
    if old.state not in ("planned", "held") or (
        old.state == "held" and old.start_ms != wanted.start_ms
    ):
        return False
    others = select(func.count()).where(row.asset_id == old.id)
    taken = select(asset.id).where(
        *(asset[name] == value for name, value in wanted._asdict().items()),
        asset.state != "releasing",
    )
    if (await connection.execute(others)).scalar_one() != users:
        return False
    if (await connection.execute(taken)).first() is not None:
        return False
    due_ms = wanted.start_ms if old.state == "planned" else wanted.end_ms
    await assets.put(
        connection, old.id, start_ms=wanted.start_ms, end_ms=wanted.end_ms, due_ms=due_ms
    )
    return True


_OLDEST = select(schedule_change).order_by(schedule_change.c.seq).limit(1)
_this = schedule_change.c
_WAITING = select(_this.seq).order_by(_this.seq).limit(AT_ONCE)
# Nobody waits for a recording there, and there are no rules. They are listed: of a range PostgreSQL
# may expect so many that it reads all recordings instead of their index.
_PASS_OVER = delete(schedule_change).where(
    _this.seq.in_(
        select(_this.seq)
        .where(
            _this.seq.in_(bindparam("seqs", type_=BigInteger, expanding=True)),
            ~exists().where(row.channel_id == _this.channel_id, row.state.in_(FOLLOWING)),
            ~exists().where(recording_rule.c.state == "active"),
        )
        .with_for_update(skip_locked=True)
    )
)
