"""Recordings as their account sees them, and what it may do with them (CTL-8, CTL-130)."""

from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import sealed
from control_api.problems import Problem
from control_api.recordings import assets, shapes, states
from control_api.recordings.admission import Desk
from control_api.recordings.schema import quota, recording, recording_asset
from control_api.schema import account
from control_api.times import utc

row = recording.c
PLAYABLE = frozenset({"recording", "finalizing", "completed", "partial"})
NUMBERS = states.Counts._fields
PROTECTED_SHARE = 2  # at most one of so many parts of the quota (CTL-130)


async def page(
    connection: AsyncConnection, secret: bytes, account_id: str, asked: shapes.RecordingsQuery
) -> shapes.RecordingList:
    """The account's recordings, the latest programmes first."""
    query = select(recording).where(row.account_id == account_id)
    if asked.state is not None:
        query = query.where(row.state == asked.state)
    listing = f"recordings:{account_id}:{asked.state or ''}"
    after = sealed.position(secret, listing, asked.cursor)
    if after is not None:
        query = query.where(tuple_(row.prog_start_ms, row.id) < tuple_(*after))
    query = query.order_by(row.prog_start_ms.desc(), row.id.desc()).limit(asked.limit + 1)
    rows = (await connection.execute(query)).all()
    shown, cursor = sealed.page(rows, asked.limit, secret, listing, "prog_start_ms", "id")
    return shapes.RecordingList([answer(each) for each in shown], cursor)


async def find(connection: AsyncConnection, account_id: str, recording_id: str) -> Any:
    """The recording's row; 404 when it is unknown or another account's."""
    query = select(recording).where(row.id == recording_id, row.account_id == account_id)
    found = (await connection.execute(query)).first()
    if found is None:
        raise Problem("recording_not_found")
    return found


async def hold(connection: AsyncConnection, account_id: str, recording_id: str) -> Any:
    """The same, to be changed."""
    found = await states.locked(connection, row.id == recording_id, row.account_id == account_id)
    if not found:
        raise Problem("recording_not_found")
    return found[0]


async def delete(
    connection: AsyncConnection, desk: Desk, account_id: str, recording_id: str, now_ms: int
) -> None:
    """What is scheduled is cancelled, what has bytes may return for a while, what has ended goes
    from the list; of a deleted one there is no deleting.
    """
    found = await hold(connection, account_id, recording_id)
    if found.state == "deleted":
        raise Problem("recording_not_found")
    if found.state in states.ENDED:
        await states.remove(connection, [found])
        return
    if found.state == "scheduled":
        await states.move(connection, [found], "cancelled", now_ms, reason="viewer")
        await assets.let_go(connection, [found.asset_id], now_ms)
        return
    due_ms = now_ms + 1_000 * desk.settings.grace_s
    await states.move(connection, [found], "deleted", now_ms, reason="viewer", due_ms=due_ms)


async def restore(
    connection: AsyncConnection, desk: Desk, account_id: str, recording_id: str, now_ms: int
) -> Any:
    """Bring a deleted one back to what its asset is by now; 409 `bad_state` when it is too late."""
    found = await hold(connection, account_id, recording_id)
    if found.state != "deleted" or found.due_ms <= now_ms:
        raise Problem("bad_state", f"a recording that is {found.state}", state=found.state)
    query = select(recording_asset).where(recording_asset.c.id == found.asset_id)
    asset = (await connection.execute(query)).one()
    goal = assets.MIRROR[asset.state]
    ending = desk.ending(now_ms) if goal in ("completed", "partial") else {"due_ms": None}
    if found.expires_ms is not None and goal in ("completed", "partial"):
        notice_ms = found.expires_ms - 1_000 * desk.settings.notice_s
        ending = {"expires_ms": found.expires_ms, "due_ms": max(notice_ms, now_ms)}
    rows = await states.change(connection, [found], state=goal, reason=None, **ending)
    rows = await assets.weigh(connection, rows, asset)
    await states.tell(connection, "recording.restored", rows, now_ms)
    return rows[0]


async def protect(
    connection: AsyncConnection, account_id: str, recording_id: str, protected: bool, now_ms: int
) -> Any:
    """Keep a recording from making room for others; 409 `protected_limit` beyond half the quota."""
    found = await hold(connection, account_id, recording_id)
    if found.state in (*states.ENDED, "deleted"):
        raise Problem("bad_state", f"a recording that is {found.state}", state=found.state)
    if protected and not found.protected:
        owner = account.c
        query = select(owner.npvr_quota_s, owner.npvr_quota_bytes).where(owner.id == account_id)
        quotas = (await connection.execute(query)).one()
        mine = (row.account_id == account_id, row.protected, row.state.not_in(states.ENDED))
        counts = (
            ("s", row.counted_s, found.counted_s),
            ("bytes", row.counted_bytes, found.counted_bytes),
        )
        for (unit, column, more), given in zip(counts, quotas, strict=True):
            total = select(func.coalesce(func.sum(column), 0)).where(*mine)
            taken = int((await connection.execute(total)).scalar_one())
            if given is not None and taken + more > given // PROTECTED_SHARE:
                told = {f"limit_{unit}": given // PROTECTED_SHARE, f"protected_{unit}": taken}
                raise Problem("protected_limit", **told)
    rows = await states.change(connection, [found], protected=protected)
    await states.tell(connection, "recording.protected", rows, now_ms)
    return rows[0]


async def allowance(connection: AsyncConnection, account_id: str) -> shapes.Quota:
    """What the account has, uses and has promised to itself."""
    query = (
        select(account.c.npvr_quota_s, account.c.npvr_quota_bytes, *(quota.c[n] for n in NUMBERS))
        .outerjoin(quota, quota.c.account_id == account.c.id)
        .where(account.c.id == account_id)
    )
    found = (await connection.execute(query)).first()
    if found is None:
        raise Problem("unauthenticated", headers={"WWW-Authenticate": "Bearer"})
    counts = states.Counts(*(found._mapping[name] or 0 for name in NUMBERS))
    free_s = max(found.npvr_quota_s - counts.used_s - counts.reserved_s, 0)
    return shapes.Quota(found.npvr_quota_s, *counts, free_s, found.npvr_quota_bytes)


def answer(each: Any) -> shapes.Recording:
    deleted = each.state == "deleted"
    return shapes.Recording(
        id=each.id,
        state=each.state,
        reason=each.reason,
        channel_id=each.channel_id,
        event_id=each.event_id,
        rule_id=each.rule_id,
        title=each.title,
        season_no=each.season_no,
        episode_no=each.episode_no,
        start_at=utc(each.prog_start_ms),
        end_at=utc(each.prog_end_ms),
        pad_before_s=each.pad_before_s,
        pad_after_s=each.pad_after_s,
        protected=each.protected,
        playable=each.state in PLAYABLE,
        created_at=utc(each.created_ms),
        expires_at=None if each.expires_ms is None else utc(each.expires_ms),
        restorable_until=utc(each.due_ms) if deleted and each.due_ms is not None else None,
        version=each.version,
    )
