"""What was changed, by whom, with before and after (CTL-163); secrets never come here."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids, sealed
from control_api.catalogue import types
from control_api.catalogue.tables import audit_log
from control_api.outbox import emit_all
from control_api.times import utc

Change = tuple[str, str, Mapping[str, Any] | None, Mapping[str, Any] | None]


async def record(connection: AsyncConnection, actor: str, now_ms: int, *changes: Change) -> None:
    """In the transaction of the changes themselves; each is (action, target, before, after). What
    is told to others has neither of the last two.
    """
    rows = [
        {
            "id": ids.new("audit"),
            "actor": actor,
            "action": action,
            "target": target,
            "before": before,
            "after": after,
            "at_ms": now_ms,
        }
        for action, target, before, after in changes
    ]
    if rows:
        await connection.execute(insert(audit_log), rows)
        told = [
            {"actor": actor, "action": action, "target": target, "at": utc(now_ms)}
            for action, target, _, _ in changes
        ]
        await emit_all(connection, "audit.action", told, now_ms)


async def page(
    connection: AsyncConnection, secret: bytes, query: types.AuditPage
) -> types.AuditList:
    """Lines of all or of one target, the newest first."""
    listing = f"audit:{query.target}"
    wanted = select(audit_log)
    if query.target is not None:
        wanted = wanted.where(audit_log.c.target == query.target)
    after = sealed.position(secret, listing, query.cursor)
    if after is not None:
        wanted = wanted.where(tuple_(audit_log.c.at_ms, audit_log.c.id) < tuple_(*after))
    wanted = wanted.order_by(audit_log.c.at_ms.desc(), audit_log.c.id.desc())
    rows = (await connection.execute(wanted.limit(query.limit + 1))).all()
    shown, cursor = sealed.page(rows, query.limit, secret, listing, "at_ms", "id")
    items = [
        types.AuditEntry(
            row.id, row.actor, row.action, row.target, row.before, row.after, utc(row.at_ms)
        )
        for row in shown
    ]
    return types.AuditList(items, cursor)
