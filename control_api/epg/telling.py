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
from control_api.viewers import due

FIRST_VERSION = 1  # what the schema gives a new event


async def tell(connection: AsyncConnection, changes: Sequence[Change], now_ms: int) -> None:
    """One event a change, in the transaction of the changes; and let reminders and search know."""
    kinds: dict[str, list[Change]] = {"removed": [], "updated": [], "created": []}
    for change in changes:
        kinds[change.verb].append(change)
    known = await versions(connection, [change.event_id for change in kinds["updated"]])
    known |= {change.event_id: FIRST_VERSION for change in kinds["created"]}
    for verb, some in kinds.items():
        told = [of(change, known.get(change.event_id, 0)) for change in some]
        await emit_all(connection, f"epg.event.{verb}", told, now_ms)
    moved, removed = ([one.event_id for one in kinds[verb]] for verb in ("updated", "removed"))
    await due.follow(connection, moved, removed)
    former = (*kinds["removed"], *kinds["updated"])
    shown = (*kinds["updated"], *kinds["created"])
    await index.change(
        connection, [change.event_id for change in former], [_found_by(one) for one in shown]
    )


def of(change: Change, version: int) -> dict[str, Any]:
    """What is told of a change."""
    event = change.event
    return programme(
        change.channel_id, change.event_id, event.start_ms, event.end_ms, version, event.title
    )


def programme(
    channel_id: str, event_id: str, start_ms: int, end_ms: int, version: int, title: str | None
) -> dict[str, Any]:
    """What is told of a programme."""
    told = {
        "channel_id": channel_id,
        "event_id": event_id,
        "starts_at": utc(start_ms),
        "ends_at": utc(end_ms),
        "version": version,
    }
    if title:
        told["title"] = title[:MAX_TEXT_CHARS]
    return told


async def versions(connection: AsyncConnection, event_ids: Sequence[str]) -> dict[str, int]:
    """How often events changed, by id."""
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
