"""Sessions that run: a household's own, everybody's for support, and the word that ends one.

A list is of the database, which hears of a sign of life at most `flush_s` late (CTL-107). Source:
control-api section 3 (`sessions`, `admin/sessions`), CTL-6, CTL-8, CTL-105, CTL-162.
"""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit, sealed, types
from control_api.calls import Call
from control_api.catalogue import documents
from control_api.problems import Problem
from control_api.route import VIEWER, Route
from control_api.schema import channel, content, device, playback_session
from control_api.times import utc

SUPPORT = "session:terminate"  # CTL-162: read and terminate
session = playback_session.c


class SessionPage(types.Page):
    """Of everybody, or of one account."""

    account_id: types.Id | None = None


class Running(types.Answer):
    """A live session. `title` is the channel's or the title's name, else the id of what is played;
    `position_ms` is what the player said last.
    """

    session_id: str
    account_id: str
    kind: str
    target_id: str
    title: str
    device_id: str
    device_name: str
    device_class: str
    cdn: str | None
    position_ms: Annotated[int, Meta(ge=0)]
    started_at: datetime
    last_seen: datetime


class RunningList(types.Answer):
    items: list[Running]
    next_cursor: str | None


async def list_own(call: Call[None]) -> RunningList:
    """The account's live sessions, the newest first."""
    return await _page(call, call.caller.account_id)


async def list_all(call: Call[None]) -> RunningList:
    """Live sessions of all accounts or of one, the newest first."""
    return await _page(call, call.query.account_id)


async def terminate_own(call: Call[None]) -> None:
    """End a session of another device of the account; its player hears 410."""
    await _end(call, call.caller.account_id, "terminated")


async def terminate_any(call: Call[None]) -> None:
    """End anybody's session; its player hears 410."""
    query = select(session.account_id).where(session.id == call.path["id"])
    async with call.services.database.read() as connection:
        account_id = (await connection.execute(query)).scalar()
    if account_id is None:
        raise Problem("session_not_found")
    await _end(call, account_id, "support")
    async with call.services.database.write() as connection:
        change = "session.terminate", call.path["id"], None, {"account_id": account_id}
        await audit.record(connection, call.caller.account_id, call.now_ms, change)


async def _end(call: Call[None], account_id: str, reason: str) -> None:
    await call.services.playback.streams.end(account_id, call.path["id"], reason, call.now_ms)


async def _page(call: Call[None], account_id: str | None) -> RunningList:
    services, query = call.services, call.query
    await services.playback.ledger.flush()
    unseen_ms = call.now_ms - 1_000 * services.settings.session_ttl_s
    wanted = _live(unseen_ms)
    if account_id is not None:
        wanted = wanted.where(session.account_id == account_id)
    listing = f"sessions:{account_id or ''}"
    after = sealed.position(services.secret, listing, query.cursor)
    if after is not None:
        wanted = wanted.where(tuple_(session.started_ms, session.id) < tuple_(*after))
    async with services.database.read() as connection:
        rows = await _rows(connection, wanted, query.limit + 1)
    shown, cursor = sealed.page(rows, query.limit, services.secret, listing, "started_ms", "id")
    return RunningList([_shown(row) for row in shown], cursor)


def _live(unseen_ms: int) -> Select[Any]:
    """Live sessions seen after `unseen_ms`, with the names of what they are and play."""
    title = func.coalesce(channel.c.name, channel.c.slug, documents.named(), session.target_id)
    return (
        select(
            playback_session,
            title.label("title"),
            device.c.name.label("device_name"),
            device.c["class"].label("device_class"),
        )
        .outerjoin(device, device.c.id == session.device_id)
        .outerjoin(channel, channel.c.id == session.target_id)
        .outerjoin(content, content.c.id == session.target_id)
        .where(session.ended_ms.is_(None), session.last_seen_ms > unseen_ms)
    )


async def _rows(connection: AsyncConnection, wanted: Select[Any], count: int) -> list[Any]:
    newest = wanted.order_by(session.started_ms.desc(), session.id.desc()).limit(count)
    return list((await connection.execute(newest)).all())


def _shown(row: Any) -> Running:
    return Running(
        session_id=row.id,
        account_id=row.account_id,
        kind=row.kind,
        target_id=row.target_id,
        title=row.title,
        device_id=row.device_id,
        device_name=row.device_name or "",
        device_class=row.device_class or "web",
        cdn=row.cdn,
        position_ms=row.position_ms or 0,
        started_at=utc(row.started_ms),
        last_seen=utc(row.last_seen_ms),
    )


def _terminated(path: str, scope: str, handler: Any) -> Route:
    return Route("POST", path, handler, None, ("session_not_found",), scope=scope, status=204)


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/sessions",
        list_own,
        RunningList,
        ("bad_cursor",),
        scope=VIEWER,
        query=types.Page,
    ),
    _terminated("/v1/sessions/{id}/terminate", VIEWER, terminate_own),
    Route(
        "GET",
        "/v1/admin/sessions",
        list_all,
        RunningList,
        ("bad_cursor",),
        scope=SUPPORT,
        query=SessionPage,
    ),
    _terminated("/v1/admin/sessions/{id}/terminate", SUPPORT, terminate_any),
)
