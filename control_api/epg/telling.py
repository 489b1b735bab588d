"""What an import tells of: each programme that came, changed or went (CTL-63, CTL-171)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.epg.store import BATCH_ROWS, Change
from control_api.events.envelope import MAX_TEXT_CHARS
from control_api.outbox.record import emit_all
from control_api.schema import epg_event
from control_api.search import index
from control_api.times import utc

FIRST_VERSION = 1  # what the schema gives a new event


async def tell(
    connection: AsyncConnection, channel_id: str, changes: Sequence[Change], now_ms: int
) -> None:
    """One event a change, in the transaction of the changes; and let search know."""
    kinds: dict[str, list[Change]] = {"removed": [], "updated": [], "created": []}
    for change in changes:
        kinds[change.verb].append(change)
    versions = await _versions(connection, [change.event_id for change in kinds["updated"]])
    versions |= {change.event_id: FIRST_VERSION for change in kinds["created"]}
    for verb, some in kinds.items():
        told = [
            {
                "channel_id": channel_id,
                "event_id": change.event_id,
                "starts_at": utc(change.event.start_ms),
                "ends_at": utc(change.event.end_ms),
                "version": versions.get(change.event_id, 0),
                **_title(change.event.title),
            }
            for change in some
        ]
        await emit_all(connection, f"epg.event.{verb}", told, now_ms)
    await index.drop(connection, [change.event_id for change in kinds["removed"]])
    await index.put(connection, [_found_by(change) for change in kinds["updated"]])
    await index.add(connection, [_found_by(change) for change in kinds["created"]])


def _title(title: str) -> dict[str, Any]:
    return {"title": title[:MAX_TEXT_CHARS]} if title else {}


async def _versions(connection: AsyncConnection, event_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for at in range(0, len(event_ids), BATCH_ROWS):
        batch = event_ids[at : at + BATCH_ROWS]
        query = select(epg_event.c.id, epg_event.c.version).where(epg_event.c.id.in_(batch))
        found |= {row.id: row.version for row in await connection.execute(query)}
    return found


def _found_by(change: Change) -> index.Entry:
    spoken = change.event.words.values()
    return index.Entry(
        target_id=change.event_id,
        kind="programme",
        label=change.event.title,
        titles=tuple(words.title for words in spoken if words.title),
        texts=tuple(words.sub_title for words in spoken if words.sub_title),
    )
