"""Playback sessions: admission under the account's limit, heartbeat, stop.

Rules of the file
1. A session is live while `ended_ms` is null and it was seen within the TTL; one unseen for longer
   counts nowhere and is closed as `expired` by the next admission of its account (CTL-102).
2. Admission is one transaction under the account's row lock: close the expired, close those that a
   termination code names, replace the same device's session, count, add. A refusal undoes all of it
   (CTL-104).
3. A session of another account does not exist (CTL-8).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, func, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import devices, ledger, sealed, types
from control_api.facts import UNKNOWN_COUNTRY
from control_api.problems import Problem
from control_api.rights import Kind, find_target
from control_api.schema import account, device, entitlement, playback_session
from control_api.times import utc
from runtime.asking import Ask, within

LATE_S = 600  # a heartbeat up to so late takes its session up again (CTL-108)
TARGETS: dict[str, Kind] = {  # by kind of session
    "live": "channel",
    "vod": "content",
    "recording": "recording",
    "startover": "channel",
    "catchup": "channel",
}
session = playback_session.c
_ENTER = insert(playback_session)  # made once, as the next: every start needs them
_MINE = and_(session.account_id == bindparam("account"), session.ended_ms.is_(None))
_OPEN = (
    select(session.id, session.device_id, session.last_seen_ms).where(_MINE).order_by(session.id)
)
_LIVE = and_(_MINE, session.last_seen_ms > bindparam("after"))
_COUNT = select(func.count()).where(_LIVE)
_ACTIVE = (
    select(playback_session, device.c.name, device.c["class"].label("device_class"))
    .outerjoin(device, device.c.id == session.device_id)
    .where(_LIVE)
    .order_by(session.started_ms, session.id)
)
_FIND = (
    select(playback_session)
    .where(session.id == bindparam("of"), session.account_id == bindparam("by"))
    .with_for_update()
)
_BEAT = (
    update(playback_session)
    .where(session.id == bindparam("of"))
    .values(
        last_seen_ms=bindparam("now"),
        position_ms=bindparam("at"),
        cdn=bindparam("by"),
        ended_ms=null(),
        end_reason=null(),
    )
)
bought = entitlement.c
_NOW = bindparam("now", type_=BigInteger)
_RUNNING = and_(
    bought.first_played_ms.is_not(None),
    bought.viewing_s.is_not(None),
    bought.first_played_ms + 1_000 * bought.viewing_s > _NOW,
)
_BOUGHT = (
    select(bought.id, _RUNNING.label("running"), bought.max_uses, bought.uses)
    .where(bought.id == bindparam("entitlement"))
    .with_for_update()
)
_SPEND = (
    update(entitlement)
    .where(bought.id == bindparam("entitlement"))
    .values(uses=bought.uses + 1, first_played_ms=func.coalesce(bought.first_played_ms, _NOW))
)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A session that asks to be admitted; `spends` is the entitlement it uses up, if any."""

    id: str
    account_id: str
    device_id: str
    kind: str
    target_id: str
    cti: str
    limit: int
    spends: str | None = None
    profile_id: str | None = None
    pin_passed: bool = False
    country: str = UNKNOWN_COUNTRY

    def row(self, now_ms: int) -> dict[str, Any]:
        """As it begins."""
        return {
            "id": self.id,
            "account_id": self.account_id,
            "profile_id": self.profile_id,
            "pin_passed": self.pin_passed,
            "country": self.country,
            "device_id": self.device_id,
            "kind": self.kind,
            "target_id": self.target_id,
            "cti": self.cti,
            "started_ms": now_ms,
            "last_seen_ms": now_ms,
        }


@dataclass(frozen=True, slots=True)
class Clockwork:
    """The times of sessions, from settings."""

    ttl_s: int
    terminated_kept_s: int
    code_s: int


async def admit(
    ask: Ask,
    newcomer: Newcomer,
    codes: Sequence[str],
    secret: bytes,
    times: Clockwork,
    now_ms: int,
) -> int:
    """How many are in use with the new session; else 409 `stream_limit` with the list.

    The caller holds the account's `lock`.
    """
    named = named_by(codes, secret, newcomer.account_id, now_ms)
    in_use = 0
    for row in await ask(_OPEN, {"account": newcomer.account_id}):
        if row.last_seen_ms <= now_ms - 1_000 * times.ttl_s:
            reason = "expired"
        elif row.id in named:
            reason = "terminated"
        elif row.device_id == newcomer.device_id:
            reason = "replaced"
        else:
            in_use += 1
            continue
        await ledger.close(ask, ledger.End(newcomer.account_id, row.id, reason, now_ms))
    if in_use >= newcomer.limit:
        listed = await active(ask, newcomer.account_id, secret, times, now_ms)
        raise Problem("stream_limit", limit=newcomer.limit, active_devices=listed)
    await enter(ask, newcomer, now_ms)
    return in_use + 1


async def enter(ask: Ask, newcomer: Newcomer, now_ms: int) -> None:
    """The row of a session that was admitted, and the use that it costs."""
    if newcomer.spends is not None:
        await _spend(ask, newcomer.spends, now_ms)
    row = newcomer.row(now_ms)
    await ask(_ENTER, row)
    await ledger.told(ask, "started", row, now_ms)


async def lock(connection: AsyncConnection, account_id: str) -> Any:
    """The account's row, held to the end of the transaction (SQLite has one writer anyway)."""
    return await devices.owner(within(connection), account_id)


async def count(ask: Ask, account_id: str, times: Clockwork, now_ms: int) -> int:
    """Live sessions of an account."""
    seen = {"account": account_id, "after": now_ms - 1_000 * times.ttl_s}
    ((live,),) = await ask(_COUNT, seen)
    return int(live)


async def limit_of(connection: AsyncConnection, account_id: str) -> int:
    """How many streams the account may have at once."""
    query = select(account.c.max_streams).where(account.c.id == account_id)
    return int((await connection.execute(query)).scalar_one())


async def find(ask: Ask, account_id: str, session_id: str) -> Any:
    """The session's row, locked; 404 when it is unknown or another account's."""
    rows = await ask(_FIND, {"of": session_id, "by": account_id})
    if not rows:
        raise Problem("session_not_found")
    return rows[0]


async def beat(
    ask: Ask,
    account_id: str,
    session_id: str,
    told: types.HeartbeatRequest,
    times: Clockwork,
    now_ms: int,
) -> Any:
    """Note that a session is alive; answers its row as it was before. Problems as `goes_on`'s."""
    row = await goes_on(ask, account_id, session_id, times, now_ms)
    sign = {"of": session_id, "now": now_ms, "at": told.position_ms, "by": told.cdn or row.cdn}
    await ask(_BEAT, sign)
    return row


async def goes_on(ask: Ask, account_id: str, session_id: str, times: Clockwork, now_ms: int) -> Any:
    """The row of a session whose heartbeat counts, locked.

    410 `session_terminated` once it was ended (CTL-105), 404 when that or the last sign of life is
    long ago, 409 when a late one would break the limit (CTL-108).
    """
    owner = await devices.owner(ask, account_id)
    row = await find(ask, account_id, session_id)
    refuse_ended(row, times, now_ms)
    unseen_ms = now_ms - row.last_seen_ms
    if unseen_ms > 1_000 * LATE_S:
        raise Problem("session_not_found")
    late = unseen_ms >= 1_000 * times.ttl_s
    if late and await count(ask, account_id, times, now_ms) >= owner.max_streams:
        raise Problem("stream_limit", limit=owner.max_streams, active_devices=[])
    return row


def refuse_ended(row: Any, times: Clockwork, now_ms: int) -> None:
    """410 for a session that was ended, 404 once forgotten; an expired one may come back."""
    if row.ended_ms is None or row.end_reason == "expired":
        return
    if now_ms - row.ended_ms > 1_000 * times.terminated_kept_s:
        raise Problem("session_not_found")
    raise gone(row.end_reason, row.ended_ms)


def gone(reason: str, at_ms: int) -> Problem:
    """What the heartbeat of an ended session is told (CTL-105)."""
    by = {"terminated": "account", "replaced": "device", "stopped": "device"}
    return Problem("session_terminated", by=by.get(reason, "service"), at=utc(at_ms), reason=reason)


async def live(ask: Ask, account_id: str, times: Clockwork, now_ms: int) -> Sequence[Any]:
    """The rows of an account's live sessions, with `name` and `device_class` of their devices."""
    seen = {"account": account_id, "after": now_ms - 1_000 * times.ttl_s}
    return await ask(_ACTIVE, seen)


async def active(
    ask: Ask, account_id: str, secret: bytes, times: Clockwork, now_ms: int
) -> list[types.ActiveDevice]:
    """What a 409 lists (CTL-103)."""
    found = []
    for row in await live(ask, account_id, times, now_ms):
        target = await find_target(ask, TARGETS[row.kind], row.target_id)
        found.append(
            types.ActiveDevice(
                session_id=row.id,
                device_name=row.name or "",
                device_class=row.device_class or "web",
                content_title=target.title if target else row.target_id,
                started_at=utc(row.started_ms),
                last_seen=utc(row.last_seen_ms),
                termination_code=code_for(row.id, secret, account_id, times, now_ms),
            )
        )
    return found


def code_for(session_id: str, secret: bytes, account_id: str, times: Clockwork, now_ms: int) -> str:
    """What ends this session when a start of the same account brings it along (CTL-103)."""
    return sealed.seal(secret, _purpose(account_id), [session_id, now_ms + 1_000 * times.code_s])


def _purpose(account_id: str) -> str:
    return f"terminate:{account_id}"


def named_by(codes: Sequence[str], secret: bytes, account_id: str, now_ms: int) -> Sequence[str]:
    """The sessions that unexpired codes of this account name.

    CTL-103 wants codes random and of single use: ours are unguessable by their seal, and a second
    use finds the session already ended; so they need no store.
    """
    named = []
    for code in codes:
        match sealed.unseal(secret, _purpose(account_id), code):
            case [str(session_id), int(expires_ms)] if now_ms < expires_ms:
                named.append(session_id)
    return named


async def _spend(ask: Ask, entitlement_id: str, now_ms: int) -> None:
    """Count a use and open the viewing window once, however many start (CTL-81, CTL-82)."""
    (row,) = await ask(_BOUGHT, {"entitlement": entitlement_id, "now": now_ms})
    if row.running:
        return
    if row.max_uses is not None and row.uses >= row.max_uses:
        raise Problem("uses_exhausted", upgrade_options=[])
    await ask(_SPEND, {"entitlement": entitlement_id, "now": now_ms})
