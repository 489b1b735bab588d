"""Accounts in the database: each change is a version, a line of audit and, where others have to
know, an event.

Rules of the file
1. A suspended account is signed out: its refresh tokens go with the change. Who signs in again is
   told why nothing plays (CTL-71).
2. A deleted account is deleted for good, and its sign-ins with it: their subjects are free again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit, ids, sealed
from control_api.accounts import types
from control_api.catalogue.editor import Edit
from control_api.identity.schema import refresh_token
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.schema import account, credential
from control_api.times import utc

own, sign_in = account.c, credential.c
DOCUMENT = types.AccountDocument.__struct_fields__
TOLD = frozenset({"suspended", "deleted"})  # states that have an event


async def page(
    connection: AsyncConnection, secret: bytes, asked: types.AccountPage
) -> types.AccountList:
    """The newest first."""
    query, listing = select(account), f"accounts:{asked.q or ''}"
    if asked.q is not None:
        begins = sign_in.subject.startswith(asked.q.casefold(), autoescape=True)
        named = select(sign_in.account_id).where(begins)
        query = query.where(or_(own.id == asked.q, own.id.in_(named)))
    after = sealed.position(secret, listing, asked.cursor)
    if after is not None:
        query = query.where(own.id < after[0])
    query = query.order_by(own.id.desc()).limit(asked.limit + 1)
    rows = (await connection.execute(query)).all()
    shown, cursor = sealed.page(rows, asked.limit, secret, listing, "id")
    items = await _entries(connection, shown)
    return types.AccountList(items, cursor)


async def existing(connection: AsyncConnection, key: str, *, lock: bool = False) -> types.Account:
    """The account, 404 for none; locked for who is to change it."""
    query = select(account).where(own.id == key)
    rows = (
        await connection.execute(query.with_for_update(key_share=True) if lock else query)
    ).all()
    if not rows:
        raise Problem("not_found")
    return (await _entries(connection, rows))[0]


async def create(edit: Edit, told: types.NewAccount, password_hash: str | None) -> types.Account:
    """A new account with its sign-in; 409 `exists` for a subject that signs in already."""
    kind, subject = way_in(told)
    key = subject if kind == "oidc" else ids.new("account")
    terms = {name: getattr(told, name) for name in types.AccountTerms.__struct_fields__}
    row = terms | {"id": key, "status": "active", "version": 1}
    row |= {"created_ms": edit.now_ms, "updated_ms": edit.now_ms}
    opened = {"id": ids.new("credential"), "account_id": key, "kind": kind, "subject": subject}
    try:
        await edit.connection.execute(insert(account).values(row))
        await edit.connection.execute(insert(credential).values(**opened, hash=password_hash))
    except IntegrityError:
        raise Problem("exists", "this subject signs in to an account already") from None
    made = await existing(edit.connection, key)
    await _told(edit, "created", None, made)
    return made


def way_in(told: types.NewAccount) -> tuple[str, str]:
    """Kind and subject of the sign-in that a request names; 400 unless it names one."""
    by_password = told.username is not None and told.password is not None
    if by_password and told.oidc_subject is None:
        subject = str(told.username).casefold()
        if len(subject) > types.SUBJECT_CHARS:
            raise Problem("invalid", "the user name is too long")
        return "password", subject
    if told.oidc_subject is not None and told.username is None and told.password is None:
        return "oidc", told.oidc_subject
    raise Problem("invalid", "either username and password, or oidc_subject")


async def change(edit: Edit, old: types.Account, told: types.AccountDocument) -> types.Account:
    """The account with another document; an equal one changes nothing."""
    if told == old.document:
        return old
    if old.document.status == "deleted":
        raise Problem("bad_state", "a deleted account stays as it is")
    values = {name: getattr(told, name) for name in DOCUMENT}
    values |= {"version": old.version + 1, "updated_ms": edit.now_ms}
    await edit.connection.execute(update(account).where(own.id == old.id).values(values))
    moved = told.status != old.document.status
    if moved and told.status in TOLD:
        mine = refresh_token.c.account_id == old.id
        await edit.connection.execute(delete(refresh_token).where(mine))
    if moved and told.status == "deleted":
        await edit.connection.execute(delete(credential).where(sign_in.account_id == old.id))
    made = await existing(edit.connection, old.id)
    await _told(edit, told.status if moved else "updated", old, made)
    return made


async def _told(edit: Edit, verb: str, old: types.Account | None, made: types.Account) -> None:
    before = msgspec.to_builtins(old) if old else None
    line = (f"account.{verb}", made.id, before, msgspec.to_builtins(made))
    await audit.record(edit.connection, edit.actor, edit.now_ms, line)
    if verb == "created" or verb in TOLD:
        event = {"account_id": made.id, "state": made.document.status}
        await emit(edit.connection, f"account.{verb}", event, edit.now_ms)


async def _entries(connection: AsyncConnection, rows: Sequence[Any]) -> list[types.Account]:
    keys = [row.id for row in rows]
    query = select(sign_in.account_id, sign_in.kind, sign_in.subject)
    query = query.where(sign_in.account_id.in_(keys)).order_by(sign_in.kind, sign_in.subject)
    found: dict[str, list[types.SignIn]] = {key: [] for key in keys}
    for each in (await connection.execute(query)).all():
        found[each.account_id].append(types.SignIn(each.kind, each.subject))
    return [_entry(row._mapping, found[row.id]) for row in rows]


def _entry(row: Mapping[str, Any], sign_ins: list[types.SignIn]) -> types.Account:
    return types.Account(
        id=row["id"],
        version=row["version"],
        created_at=utc(row["created_ms"]),
        updated_at=utc(row["updated_ms"]),
        sign_ins=sign_ins,
        document=types.AccountDocument(**{name: row[name] for name in DOCUMENT}),
    )
