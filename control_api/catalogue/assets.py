"""What the origin holds of a title, and its state: pending, ready or failed."""

from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit
from control_api.catalogue import types
from control_api.catalogue.editor import Edit, existing
from control_api.problems import Problem
from control_api.schema import asset


async def listed(connection: AsyncConnection, content_id: str) -> types.AssetList:
    """Assets of an entry; 404 if there is no such entry."""
    await existing(connection, content_id)
    query = select(asset).where(asset.c.content_id == content_id).order_by(asset.c.id)
    return types.AssetList([_asset(row) for row in await connection.execute(query)])


async def put(edit: Edit, content_id: str, asset_id: str, told: types.AssetRequest) -> types.Asset:
    """Make or replace an asset; an asset never changes its entry (409 `exists`)."""
    await existing(edit.connection, content_id)
    old = await _one(edit.connection, asset_id)
    if old is not None and old.content_id != content_id:
        raise Problem("exists", "the asset belongs to another entry")
    values = msgspec.structs.asdict(told)
    if old is None:
        row = {"id": asset_id, "content_id": content_id, **values}
        await edit.connection.execute(insert(asset).values(row))
    else:
        change = update(asset).where(asset.c.id == asset_id).values(**values)
        await edit.connection.execute(change)
    made = _asset(await _one(edit.connection, asset_id))
    before = msgspec.to_builtins(_asset(old)) if old is not None else None
    line = ("asset.put", content_id, before, msgspec.to_builtins(made))
    await audit.record(edit.connection, edit.actor, edit.now_ms, line)
    return made


async def drop(edit: Edit, content_id: str, asset_id: str) -> None:
    """Take an asset off its entry; the origin keeps the media. 404 if it has no such asset."""
    old = await _one(edit.connection, asset_id)
    if old is None or old.content_id != content_id:
        raise Problem("not_found")
    await edit.connection.execute(delete(asset).where(asset.c.id == asset_id))
    line = ("asset.dropped", content_id, msgspec.to_builtins(_asset(old)), None)
    await audit.record(edit.connection, edit.actor, edit.now_ms, line)


async def ready(
    connection: AsyncConnection, origin_path: str, duration_ms: int | None
) -> list[str]:
    """The origin has packaged a title: its assets are ready. Ids of their entries."""
    values: dict[str, Any] = {"state": "ready"}
    if duration_ms is not None:
        values["duration_ms"] = duration_ms
    query = select(asset.c.content_id).where(asset.c.origin_path == origin_path)
    found = sorted(set((await connection.execute(query)).scalars()))
    await connection.execute(
        update(asset).where(asset.c.origin_path == origin_path).values(**values)
    )
    return found


async def _one(connection: AsyncConnection, asset_id: str) -> Any:
    return (await connection.execute(select(asset).where(asset.c.id == asset_id))).first()


def _asset(row: Any) -> types.Asset:
    return types.Asset(**{name: row._mapping[name] for name in types.Asset.__struct_fields__})
