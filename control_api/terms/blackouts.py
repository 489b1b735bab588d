"""Blackouts: of a channel, or of a programme on its channel and wherever else it is (CTL-76)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.catalogue.editor import Edit
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.schema import channel, epg_event
from control_api.terms import edges, types
from control_api.terms.books import Book, head, referred
from control_api.terms.tables import blackout
from control_api.times import epoch_ms, utc


class Blackouts(Book[types.BlackoutDocument]):
    """A blackout keeps its channel and its programme; its times and countries may move."""

    noun, table = "blackout", blackout
    document, entry, listing = types.BlackoutDocument, types.BlackoutEntry, types.BlackoutList

    async def columns(self, edit: Edit, told: types.BlackoutDocument, old: Any) -> dict[str, Any]:
        subject = (told.channel_id, told.event_id)
        if old is not None and (old.document.channel_id, old.document.event_id) != subject:
            raise Problem("in_use", "a blackout keeps what it is of")
        named = [each for each in (told.channel_id, told.alternate_channel_id) if each]
        await referred(edit.connection, channel, named)
        return {
            "channel_id": old.channel_id if old else await _channel(edit.connection, told),
            "event_id": told.event_id,
            "territories": told.territories,
            "start_ms": epoch_ms(told.start_at),
            "end_ms": epoch_ms(told.end_at),
            "alternate_channel_id": told.alternate_channel_id,
        }

    async def read(self, connection: AsyncConnection, row: Any) -> types.BlackoutEntry:
        told = types.BlackoutDocument(
            start_at=utc(row.start_ms),
            end_at=utc(row.end_ms),
            channel_id=None if row.event_id else row.channel_id,
            event_id=row.event_id,
            territories=row.territories,
            alternate_channel_id=row.alternate_channel_id,
        )
        return types.BlackoutEntry(channel_id=row.channel_id, document=told, **head(row))

    async def follow(self, edit: Edit, old: Any, made: Any) -> None:
        """Beginnings and ends that a change brings at once; the others come in their time."""
        told = await edges.marks(edit.connection, "blackout.started", "blackout.ended", edit.now_ms)
        was, now = (_on(each, told) for each in (old, made))
        if was != now:
            word = "started" if now else "ended"
            await emit(edit.connection, f"blackout.{word}", told_of(made or old), edit.now_ms)

    def concerns(self, old: Any, made: Any) -> Sequence[str]:
        return [(made or old).channel_id]


def _on(entry: types.BlackoutEntry | None, told: edges.Marks) -> bool:
    if entry is None:
        return False
    times = (entry.document.start_at, entry.document.end_at, entry.updated_at)
    return told.on(entry.id, *map(epoch_ms, times))


def told_of(entry: types.BlackoutEntry) -> dict[str, Any]:
    """What events say of a blackout."""
    return {
        "channel_id": entry.channel_id,
        "blackout_id": entry.id,
        "event_id": entry.document.event_id,
        "starts_at": entry.document.start_at,
        "ends_at": entry.document.end_at,
    }


async def _channel(connection: AsyncConnection, told: types.BlackoutDocument) -> str:
    if told.channel_id is not None:
        return told.channel_id
    query = select(epg_event.c.channel_id).where(epg_event.c.id == told.event_id)
    found = (await connection.execute(query)).scalar()
    if found is None:
        raise Problem("unknown_reference", f"no programme {told.event_id}")
    return str(found)
