"""What becomes of recordings: one table of moves, and the one function that makes them (CTL-120).

Rules of the file
1. Whoever changes recordings of an account holds its quota row from `locked` on, so what is counted
   is always the sum over the account's recordings (CTL-122), and two never move one recording.
2. Locks are taken in the order quota (by account), recording, asset.
3. Every move is told to the outbox in its own transaction (CTL-170).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Table, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.outbox import emit_all
from control_api.problems import Problem
from control_api.recordings.schema import quota, recording
from control_api.times import utc
from runtime import metrics

T = TypeVar("T")

BATCH_ROWS = 500
MOVED = metrics.counter("control_recordings_moved", "moves of recordings", ("to",))

# fmt: off
MOVES: Mapping[str, frozenset[str]] = {  # CTL-120
    "requested":  frozenset({"scheduled"}),
    "scheduled":  frozenset({"recording", "cancelled", "failed"}),
    "recording":  frozenset({"finalizing", "failed", "deleted"}),
    "finalizing": frozenset({"completed", "partial", "failed", "deleted"}),
    "completed":  frozenset({"expired", "deleted"}),
    "partial":    frozenset({"expired", "deleted"}),
    "deleted":    frozenset({"recording", "finalizing", "completed", "partial", "failed"}),
    "failed":     frozenset(),
    "cancelled":  frozenset(),
    "expired":    frozenset(),
}
# fmt: on

RESERVED = frozenset({"scheduled", "recording", "finalizing"})
USED = frozenset({"completed", "partial", "deleted"})  # a deleted one counts until its grace ends
ENDED = frozenset({"failed", "cancelled", "expired"})  # points at no asset any more
NAMES = {"recording": "started"}  # events that are not called as the state is
WAY = ("requested", "scheduled", "recording", "finalizing", "completed")

row = recording.c


async def lock(connection: AsyncConnection, account_id: str) -> Any:
    """The account's quota row, held to the end of the transaction."""
    await insert_new(connection, quota, {"account_id": account_id, "used_s": 0, "reserved_s": 0})
    query = select(quota).where(quota.c.account_id == account_id).with_for_update()
    return (await connection.execute(query)).one()


async def locked(
    connection: AsyncConnection, *which: ColumnElement[bool], limit: int = BATCH_ROWS
) -> Sequence[Any]:
    """Recordings to be moved: their accounts' quotas and they themselves are held."""
    found = (
        await connection.execute(select(row.id, row.account_id).where(*which).limit(limit))
    ).all()
    accounts = sorted({each.account_id for each in found})
    for batch in batches(accounts):
        query = select(quota).where(quota.c.account_id.in_(batch))
        await connection.execute(query.order_by(quota.c.account_id).with_for_update())
    rows: list[Any] = []
    for batch in batches(sorted(each.id for each in found)):
        query = select(recording).where(row.id.in_(batch), *which)
        rows += (await connection.execute(query.order_by(row.id).with_for_update())).all()
    return rows


async def move(
    connection: AsyncConnection, rows: Sequence[Any], to: str, now_ms: int, **values: Any
) -> Sequence[Any]:
    """Move locked recordings; 409 `bad_state` for a move that the table does not have. Answers the
    rows as they are now.
    """
    for each in rows:
        if to not in MOVES[each.state]:
            raise Problem("bad_state", f"a recording that is {each.state}", state=each.state)
    if to in ENDED:
        values |= {"asset_id": None, "due_ms": None} | values
    after = await change(connection, rows, state=to, **values)
    MOVED.labels(to).inc(len(rows))
    await tell(connection, f"recording.{NAMES.get(to, to)}", after, now_ms)
    return after


async def tell(
    connection: AsyncConnection, event_type: str, rows: Sequence[Any], now_ms: int
) -> None:
    """An event about each recording, as it is now."""
    told = [
        {
            "recording_id": each.id,
            "account_id": each.account_id,
            "channel_id": each.channel_id,
            "starts_at": utc(each.prog_start_ms),
            "ends_at": utc(each.prog_end_ms),
            "state": each.state,
            "event_id": each.event_id,
            "rule_id": each.rule_id,
            "asset_id": each.asset_id,
            "reason": each.reason,
            "expires_at": None if each.expires_ms is None else utc(each.expires_ms),
            "protected": each.protected,
            "title": each.title,
        }
        for each in rows
    ]
    await emit_all(connection, event_type, told, now_ms)


async def change(connection: AsyncConnection, rows: Sequence[Any], **values: Any) -> Sequence[Any]:
    """Write columns of locked recordings, and what that does to the quotas."""
    after: list[Any] = []
    for batch in batches([each.id for each in rows]):
        query = update(recording).where(row.id.in_(batch))
        query = query.values(version=row.version + 1, **values)
        await connection.execute(query)
        again = select(recording).where(row.id.in_(batch)).order_by(row.id)
        after += (await connection.execute(again)).all()
    await _count(connection, rows, after)
    return after


async def remove(connection: AsyncConnection, rows: Sequence[Any]) -> None:
    """Forget locked recordings."""
    for batch in batches([each.id for each in rows]):
        await connection.execute(delete(recording).where(row.id.in_(batch)))
    await _count(connection, rows, ())


async def _count(connection: AsyncConnection, before: Sequence[Any], after: Sequence[Any]) -> None:
    deltas: dict[str, list[int]] = {}
    for sign, rows in ((-1, before), (1, after)):
        for each in rows:
            delta = deltas.setdefault(each.account_id, [0] * len(Counts._fields))
            for at, count in enumerate(counted(each)):
                delta[at] += sign * count
    wanted = [
        {
            "account": account_id,
            **{f"by_{name}": by for name, by in Counts(*delta)._asdict().items()},
        }
        for account_id, delta in sorted(deltas.items())
        if any(delta)
    ]
    changed = {name: quota.c[name] + bindparam(f"by_{name}") for name in Counts._fields}
    query = update(quota).where(quota.c.account_id == bindparam("account")).values(changed)
    for batch in batches(wanted):
        await connection.execute(query, batch)


class Counts(NamedTuple):
    """Columns of a quota."""

    used_s: int
    reserved_s: int
    used_bytes: int
    reserved_bytes: int


def counted(each: Any) -> Counts:
    """What a recording takes of its account's quota."""
    used, reserved = each.state in USED, each.state in RESERVED
    return Counts(
        used * each.counted_s,
        reserved * each.counted_s,
        used * each.counted_bytes,
        reserved * each.counted_bytes,
    )


def batches(items: Sequence[T]) -> Iterator[list[T]]:
    for at in range(0, len(items), BATCH_ROWS):
        yield list(items[at : at + BATCH_ROWS])


async def insert_new(connection: AsyncConnection, table: Table, values: dict[str, Any]) -> None:
    """Insert a row unless one with its key is there."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    await connection.execute(make(table).values(values).on_conflict_do_nothing())
