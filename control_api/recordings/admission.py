"""May this be recorded, and then: the recording (CTL-121, CTL-122).

The checks run in the order of the rule; the first that fails answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import and_, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids, rights
from control_api.entitlement import Denied, blacked_out, check
from control_api.facts import Ask
from control_api.problems import Problem
from control_api.recordings import assets, quotas, states
from control_api.recordings.programmes import Programme
from control_api.recordings.schema import recording
from control_api.recordings.settings import Recordings
from control_api.schema import account

row = recording.c
NOT_ENDED = ("requested", "scheduled", "recording", "finalizing", "completed", "partial")
OF_THE_CHANNEL = frozenset(
    {"content_not_found", "outside_window", "geo_blocked", "geo_unknown", "blackout"}
)


class Pads(NamedTuple):
    before_s: int
    after_s: int


@dataclass(frozen=True, slots=True)
class Desk:
    """Who takes orders: the settings of recordings, and where callers are taken to be."""

    settings: Recordings
    country: str

    def pads(self, before_s: int | None, after_s: int | None) -> Pads:
        """The paddings asked for, else the policy's (CTL-123)."""
        return Pads(
            self.settings.pad_before_s if before_s is None else before_s,
            self.settings.pad_after_s if after_s is None else after_s,
        )

    def ending(self, now_ms: int) -> Mapping[str, int]:
        """When a recording that is completed now will be gone, and told of before (CTL-130)."""
        expires_ms = now_ms + 1_000 * self.settings.retention_s
        return {"expires_ms": expires_ms, "due_ms": expires_ms - 1_000 * self.settings.notice_s}


async def record(
    connection: AsyncConnection,
    desk: Desk,
    account_id: str,
    wanted: Programme,
    pads: Pads,
    now_ms: int,
    rule_id: str | None = None,
) -> tuple[Any, bool]:
    """The recording's row, and whether it is new. Problems as CTL-121 lists them."""
    pads = _inside(wanted, pads, now_ms)
    quota = await states.lock(connection, account_id)
    owner = await _permitted(connection, desk, account_id, wanted, now_ms)
    known = await _known(connection, account_id, wanted)
    if known is not None:
        return known, False
    await _make_room(connection, desk, owner, quota, wanted, now_ms)
    if desk.settings.parallel:
        await _alone(connection, desk, account_id, wanted, pads)
    start_ms = wanted.start_ms - 1_000 * pads.before_s
    end_ms = wanted.end_ms + 1_000 * pads.after_s
    private = desk.settings.private_territories
    span = assets.span(wanted.channel, owner, start_ms, end_ms, private)
    asset = await assets.take(connection, span, now_ms)
    made = {
        "id": ids.new("recording"),
        "account_id": account_id,
        "channel_id": wanted.channel.id,
        "event_id": wanted.event_id,
        "programme": wanted.key,
        "rule_id": rule_id,
        "asset_id": asset.id,
        "title": wanted.title,
        "season_no": wanted.season_no,
        "episode_no": wanted.episode_no,
        "prog_start_ms": wanted.start_ms,
        "prog_end_ms": wanted.end_ms,
        "pad_before_s": pads.before_s,
        "pad_after_s": pads.after_s,
        "counted_s": wanted.length_s,
        "counted_bytes": desk.settings.bytes_per_s * wanted.length_s,
        "state": "requested",
        "created_ms": now_ms,
        "version": 1,
    }
    await connection.execute(insert(recording).values(made))
    rows = (await connection.execute(select(recording).where(row.id == made["id"]))).all()
    await states.tell(connection, "recording.requested", rows, now_ms)
    rows = list(await states.move(connection, rows, "scheduled", now_ms))
    if quotas.near(desk.settings, owner, quota, wanted.length_s):
        await quotas.warn(connection, owner, made["id"], now_ms)
    if asset.state != "planned":
        ending = desk.ending(now_ms) if asset.state in ("complete", "partial") else {}
        rows = list(await assets.catch_up(connection, rows, asset.state, now_ms, ending))
        rows = list(await assets.weigh(connection, rows, asset))
    return rows[0], True


def _inside(wanted: Programme, pads: Pads, now_ms: int) -> Pads:
    """The padding, less in front if that is gone; 422 when the programme's own begin is."""
    oldest_ms = now_ms - 1_000 * wanted.channel.dvr_window_s
    if wanted.start_ms < min(now_ms, oldest_ms):
        raise Problem("outside_dvr_window", dvr_window_s=wanted.channel.dvr_window_s)
    if wanted.start_ms < now_ms and wanted.start_ms - 1_000 * pads.before_s < oldest_ms:
        return pads._replace(before_s=0)
    return pads


async def _permitted(
    connection: AsyncConnection, desk: Desk, account_id: str, wanted: Programme, now_ms: int
) -> Any:
    """The account, if it may record this; whatever device it asks from."""
    if not wanted.allowed:
        raise Problem("recording_not_allowed", rule="CTL-121")
    case = await rights.load(connection, account_id, "channel", wanted.channel.id, now_ms)
    if case is None:
        raise Problem("unauthenticated", headers={"WWW-Authenticate": "Bearer"})
    verdict = check(rights.anywhere(case.facts), Ask(now_ms, desk.country, "web"))
    if isinstance(verdict, Denied):
        code = "recording_not_allowed" if verdict.code in OF_THE_CHANNEL else verdict.code
        raise Problem(code, rule=verdict.rule)
    if blacked_out(case.facts, desk.country, (wanted.start_ms, wanted.end_ms)):
        raise Problem("recording_not_allowed", rule="CTL-76")
    return (await connection.execute(select(account).where(account.c.id == account_id))).one()


async def _known(connection: AsyncConnection, account_id: str, wanted: Programme) -> Any:
    """The account's recording of the same, if it has one that has not ended."""
    same = (
        row.event_id == wanted.event_id
        if wanted.event_id is not None
        else and_(
            row.event_id.is_(None),
            row.channel_id == wanted.channel.id,
            row.prog_start_ms == wanted.start_ms,
            row.prog_end_ms == wanted.end_ms,
        )
    )
    query = select(recording).where(row.account_id == account_id, row.state.in_(NOT_ENDED), same)
    return (await connection.execute(query.limit(1))).first()


async def _make_room(
    connection: AsyncConnection, desk: Desk, owner: Any, quota: Any, wanted: Programme, now_ms: int
) -> None:
    """409 `quota_exceeded`, unless policy lets the oldest go (CTL-122)."""
    needed_bytes = desk.settings.bytes_per_s * wanted.length_s
    limit_bytes = owner.npvr_quota_bytes
    over_s = quota.used_s + quota.reserved_s + wanted.length_s - owner.npvr_quota_s
    over_bytes = quota.used_bytes + quota.reserved_bytes + needed_bytes - (limit_bytes or 0)
    if limit_bytes is None:
        over_bytes = 0
    if over_s <= 0 and over_bytes <= 0:
        return
    oldest = (
        select(recording)
        .where(row.account_id == owner.id, row.protected.is_(False))
        .where(row.state.in_(("completed", "partial")))
        .order_by(row.prog_start_ms, row.id)
    )
    leaving = []
    if desk.settings.fifo:
        for each in (await connection.execute(oldest.limit(states.BATCH_ROWS))).all():
            if over_s <= 0 and over_bytes <= 0:
                break
            leaving.append(each)
            over_s -= each.counted_s
            over_bytes -= each.counted_bytes
    if over_s > 0 or over_bytes > 0:
        in_bytes = {
            "quota_bytes": limit_bytes,
            "used_bytes": quota.used_bytes,
            "reserved_bytes": quota.reserved_bytes,
            "needed_bytes": needed_bytes,
        }
        raise Problem(
            "quota_exceeded",
            quota_s=owner.npvr_quota_s,
            used_s=quota.used_s,
            reserved_s=quota.reserved_s,
            needed_s=wanted.length_s,
            **(in_bytes if limit_bytes is not None else {}),
        )
    await states.move(connection, leaving, "expired", now_ms, reason="fifo")
    await assets.let_go(connection, [each.asset_id for each in leaving], now_ms)


async def _alone(
    connection: AsyncConnection, desk: Desk, account_id: str, wanted: Programme, pads: Pads
) -> None:
    """409 `parallel_limit` when as many as policy allows run at that time."""
    query = select(func.count()).where(
        row.account_id == account_id,
        row.state.in_(("scheduled", "recording")),
        row.prog_start_ms - 1_000 * row.pad_before_s < wanted.end_ms + 1_000 * pads.after_s,
        row.prog_end_ms + 1_000 * row.pad_after_s > wanted.start_ms - 1_000 * pads.before_s,
    )
    if (await connection.execute(query)).scalar_one() >= desk.settings.parallel:
        raise Problem("parallel_limit", limit=desk.settings.parallel)
