"""What administrators do with API keys; each change is a line of audit without the secret."""

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit, ids, sealed
from control_api.api_keys import types
from control_api.api_keys.secrets import fresh
from control_api.api_keys.tables import api_key
from control_api.calls import Call, Reply
from control_api.problems import Problem
from control_api.times import epoch_ms, utc

LISTING = "api-keys"
row = api_key.c


async def list_keys(call: Call[None]) -> types.ApiKeyList:
    """API keys, the newest first."""
    services, query = call.services, call.query
    wanted = select(api_key)
    after = sealed.position(services.secret, LISTING, query.cursor)
    if after is not None:
        wanted = wanted.where(row.id < after[0])
    async with services.database.read() as connection:
        wanted = wanted.order_by(row.id.desc()).limit(query.limit + 1)
        rows = (await connection.execute(wanted)).all()
    shown, cursor = sealed.page(rows, query.limit, services.secret, LISTING, "id")
    return types.ApiKeyList([_shown(each) for each in shown], cursor)


async def get_key(call: Call[None]) -> types.ApiKey:
    """One API key."""
    async with call.services.database.read() as connection:
        return _shown(await _find(connection, call.path["id"]))


async def make_key(call: Call[types.NewKey]) -> Reply:
    """Give out an API key; the answer shows the secret, once."""
    secret, key = fresh(), ids.new("api_key")
    expires_ms = epoch_ms(call.body.expires_at) if call.body.expires_at else None
    if expires_ms is not None and expires_ms <= call.now_ms:
        raise Problem("invalid", "expires_at has passed")
    made = {
        "id": key,
        "name": call.body.name,
        "scopes": call.body.scopes,
        "prefix": secret.prefix,
        "sha256": secret.sha256,
        "created_ms": call.now_ms,
        "expires_ms": expires_ms,
    }
    async with call.services.database.write() as connection:
        await connection.execute(insert(api_key).values(made))
        shown = await _noted(connection, call, "created", None, key)
        reply = Reply(types.MadeKey(shown, secret.text), {"Location": f"/v1/admin/keys/{key}"})
        await call.settle(connection, reply, 201)
    return reply


async def rotate_key(call: Call[types.Rotation]) -> types.MadeKey:
    """Give a key a new secret; the former one goes on for a while.

    409 `in_use` while the one before it still does, which may be the only one that anybody has:
    the answer to the last rotation may have been lost. `force` ends it. 409 `bad_state` for a key
    whose time is over.
    """
    secret = fresh()
    async with call.services.database.write() as connection:
        old = await _live(connection, call.path["id"])
        if old.expires_ms is not None and old.expires_ms <= call.now_ms:
            raise Problem("bad_state", "the key is over: a new secret would let nobody in")
        until_ms = old.old_until_ms or 0
        if until_ms > call.now_ms and not call.body.force:
            raise Problem("in_use", "the former secret goes on", until=utc(until_ms))
        values = {
            "prefix": secret.prefix,
            "sha256": secret.sha256,
            "old_prefix": old.prefix,
            "old_sha256": old.sha256,
            "old_until_ms": call.now_ms + 1_000 * call.body.overlap_s,
        }
        await connection.execute(update(api_key).where(row.id == old.id).values(values))
        shown = await _noted(connection, call, "rotated", old, old.id)
    return types.MadeKey(shown, secret.text)


async def revoke_key(call: Call[None]) -> None:
    """Let nobody in with this key any more."""
    async with call.services.database.write() as connection:
        old = await _live(connection, call.path["id"])
        mine = update(api_key).where(row.id == old.id)
        await connection.execute(mine.values(revoked_ms=call.now_ms))
        await _noted(connection, call, "revoked", old, old.id)


async def _noted(
    connection: AsyncConnection, call: Call[Any], verb: str, old: Any, key: str
) -> types.ApiKey:
    made = await _find(connection, key)
    before, after = (_told(each) if each is not None else None for each in (old, made))
    line = (f"key.{verb}", key, before, after)
    await audit.record(connection, call.caller.account_id, call.now_ms, line)
    return _shown(made)


def _told(each: Any) -> dict[str, Any]:
    """What audit keeps: whose and for what, no hash."""
    kept = ("name", "scopes", "prefix", "expires_ms", "old_until_ms", "revoked_ms")
    return {name: each._mapping[name] for name in kept}


async def _find(connection: AsyncConnection, key: str) -> Any:
    found = (await connection.execute(select(api_key).where(row.id == key))).first()
    if found is None:
        raise Problem("not_found")
    return found


async def _live(connection: AsyncConnection, key: str) -> Any:
    """The row, locked; 404 for one that was revoked."""
    query = select(api_key).where(row.id == key, row.revoked_ms.is_(None)).with_for_update()
    found = (await connection.execute(query)).first()
    if found is None:
        raise Problem("not_found")
    return found


def _shown(each: Any) -> types.ApiKey:
    def at(name: str) -> Any:
        value = each._mapping[name]
        return utc(value) if value is not None else None

    return types.ApiKey(
        id=each.id,
        name=each.name,
        scopes=each.scopes,
        prefix=each.prefix,
        created_at=utc(each.created_ms),
        expires_at=at("expires_ms"),
        last_used_at=at("last_used_ms"),
        revoked_at=at("revoked_ms"),
        former_until=at("old_until_ms"),
    )
