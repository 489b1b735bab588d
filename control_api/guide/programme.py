"""One programme of the guide."""

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.epg import grid, store
from control_api.guide import rights
from control_api.guide.types import ProgrammeDetail
from control_api.problems import Problem
from control_api.schema import channel, epg_event


async def one(connection: AsyncConnection, event_id: str, lang: str | None) -> ProgrammeDetail:
    """A programme of a published channel; else 404."""
    event = await _one(connection, epg_event, event_id)
    owner = await _one(connection, channel, event.channel_id) if event is not None else None
    if owner is None or owner.status != "published":
        raise Problem("not_found")
    spoken = (await store.words(connection, [event_id])).get(event_id, {})
    shown = grid.programme(event, spoken, lang)
    return ProgrammeDetail(
        **msgspec.structs.asdict(shown),
        channel_id=event.channel_id,
        content_id=event.content_id,
        series_crid=event.series_crid,
        version=event.version,
        langs=sorted(spoken),
        rights=rights.of(event, owner),
    )


async def _one(connection: AsyncConnection, table: Any, key: str) -> Any:
    return (await connection.execute(select(table).where(table.c.id == key))).first()
