"""What packaging tells: a film is ready at the origin."""

from typing import Annotated

from msgspec import Meta
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.outbox import emit
from control_api.schema import asset
from control_api.types import Id, Line, Milliseconds, Request


class ReadyTitle(Request):
    """The data of `title.ready`."""

    title_id: Id
    origin_path: Annotated[str, Meta(max_length=256, pattern=r"^/vod/[A-Za-z0-9_.:-]{1,64}/$")]
    duration_ms: Milliseconds
    renditions: Annotated[list[Line], Meta(max_length=64)]


async def apply(connection: AsyncConnection, source: str, told: ReadyTitle, now_ms: int) -> None:
    """Mark the catalogue's assets of this film as ready, with their length, and tell of each."""
    query = select(asset).where(asset.c.origin_path == told.origin_path).order_by(asset.c.id)
    found = (await connection.execute(query)).all()
    if found:
        change = update(asset).where(asset.c.origin_path == told.origin_path)
        await connection.execute(change.values(state="ready", duration_ms=told.duration_ms))
    for row in found or (None,):
        event = {
            "title_id": told.title_id,
            "origin_path": told.origin_path,
            "duration_ms": told.duration_ms,
            "renditions": told.renditions,
            "asset_id": row.id if row is not None else None,
            "content_id": row.content_id if row is not None else None,
        }
        await emit(connection, "title.ready", event, now_ms)
