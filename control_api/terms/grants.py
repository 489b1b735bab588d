"""Grants that services give and take, and what there is (control-api section 3, `entitlements`).

What billing tells of its subscriptions comes by webhook (webhooks/subscriptions.py); both are rows
of `entitlement`, told apart by their source.
"""

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit, ids, sealed
from control_api.calls import Call
from control_api.catalogue.editor import Edit
from control_api.facts import Grant
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.schema import account, content, entitlement, package
from control_api.terms import types
from control_api.terms.books import referred
from control_api.times import epoch_ms, utc

SOURCE = "api"
OVER = frozenset({"cancelled", "expired"})
held = entitlement.c


async def page(call: Call[Any], account_id: str | None) -> types.GrantList:
    """Of an account, or of all."""
    services, query = call.services, call.query
    wanted, name = select(entitlement), f"grants:{account_id or ''}"
    if account_id is not None:
        wanted = wanted.where(held.account_id == account_id)
    after = sealed.position(services.secret, name, query.cursor)
    if after is not None:
        wanted = wanted.where(held.id < after[0])
    async with services.database.read() as connection:
        wanted = wanted.order_by(held.id.desc()).limit(query.limit + 1)
        rows = (await connection.execute(wanted)).all()
    shown, cursor = sealed.page(rows, query.limit, services.secret, name, "id")
    return types.GrantList([_shown(row, call.now_ms) for row in shown], cursor)


async def give(edit: Edit, told: types.GrantRequest) -> types.Grant:
    """A new grant; 409 `exists` for a reference that was used."""
    connection = edit.connection
    for table, key in (
        (account, told.account_id),
        (package, told.package_id),
        (content, told.content_id),
    ):
        await referred(connection, table, [key] if key is not None else [])
    start_ms = epoch_ms(told.starts_at) if told.starts_at is not None else edit.now_ms
    end_ms = epoch_ms(told.ends_at) if told.ends_at is not None else None
    if end_ms is not None and end_ms <= start_ms:
        raise Problem("invalid", "it ends before it begins")
    row = {
        "id": ids.new("entitlement"),
        "account_id": told.account_id,
        "package_id": told.package_id,
        "content_id": told.content_id,
        "source": SOURCE,
        "source_ref": told.reference,
        "state": "active",
        "start_ms": start_ms,
        "end_ms": end_ms,
        "max_uses": told.max_uses,
        "viewing_s": told.viewing_s,
    }
    try:
        await connection.execute(insert(entitlement).values(row))
    except IntegrityError:  # references are unique, also among those who ask at once
        raise Problem("exists", "this reference was used") from None
    made = await _find(connection, row["id"])
    await _told(edit, "granted", None, made)
    return _shown(made, edit.now_ms)


async def take(edit: Edit, key: str) -> types.Grant:
    """The grant, cancelled; 404 for one that is over or never was."""
    old = await _find(edit.connection, key)
    if old.state in OVER:
        raise Problem("not_found")
    await edit.connection.execute(
        update(entitlement).where(held.id == key).values(state="cancelled")
    )
    made = await _find(edit.connection, key)
    await _told(edit, "revoked", old, made)
    return _shown(made, edit.now_ms)


async def _find(connection: AsyncConnection, key: Any) -> Any:
    query = select(entitlement).where(held.id == key).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        raise Problem("not_found")
    return row


async def _told(edit: Edit, verb: str, old: Any, made: Any) -> None:
    before, after = (dict(each._mapping) if each is not None else None for each in (old, made))
    line = (f"entitlement.{verb}", made.id, before, after)
    await audit.record(edit.connection, edit.actor, edit.now_ms, line)
    event = {
        "account_id": made.account_id,
        "entitlement_id": made.id,
        "state": made.state,
        "package_id": made.package_id,
        "content_id": made.content_id,
        "source": made.source,
        "starts_at": utc(made.start_ms),
        "ends_at": utc(made.end_ms) if made.end_ms is not None else None,
    }
    await emit(edit.connection, f"entitlement.{verb}", event, edit.now_ms)


def _shown(row: Any, now_ms: int) -> types.Grant:
    grant = Grant.of(row)
    return types.Grant(
        id=row.id,
        account_id=row.account_id,
        package_id=row.package_id,
        content_id=row.content_id,
        source=row.source,
        reference=row.source_ref,
        state=row.state,
        live=grant.live_at(now_ms) and grant.spent_at(now_ms) is None,
        starts_at=utc(row.start_ms),
        ends_at=utc(row.end_ms) if row.end_ms is not None else None,
        max_uses=row.max_uses,
        uses=row.uses,
        first_played_at=utc(row.first_played_ms) if row.first_played_ms is not None else None,
        viewing_s=row.viewing_s,
    )
