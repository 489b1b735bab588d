"""A source of the guide: what its times and titles mean, and which channels it speaks of."""

from typing import Annotated

from msgspec import Meta, field
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit, types
from control_api.calls import Call
from control_api.epg import store
from control_api.epg.instants import zone
from control_api.problems import Problem
from control_api.schema import channel, channel_source, epg_source
from runtime import bulk

Zone = Annotated[str, Meta(min_length=1, max_length=64)]
MAX_CHANNELS = 5_000

mapped = channel_source.c


class Mapping(types.Request):
    """`xmltv_id` is matched as it is written (CTL-51); lower `priority` goes first (CTL-66)."""

    xmltv_id: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
    channel_id: types.Id
    priority: Annotated[int, Meta(ge=0, le=1_000)] = 0
    tz: Zone | None = None

    def __post_init__(self) -> None:
        _known(self.tz)


class SourceDocument(types.Request):
    """`tz` is meant by times without zone (CTL-49), `lang` by titles without language (CTL-54)."""

    tz: Zone = "UTC"
    lang: types.Lang = "und"
    channels: Annotated[list[Mapping], Meta(max_length=MAX_CHANNELS)] = field(default_factory=list)

    def __post_init__(self) -> None:
        _known(self.tz)
        if len({each.xmltv_id for each in self.channels}) != len(self.channels):
            raise ValueError("channels says an xmltv_id twice")


class SourceEntry(types.Answer):
    id: str
    document: SourceDocument


async def get(call: Call[None]) -> SourceEntry:
    """One source with its channels."""
    async with call.services.database.read() as connection:
        found = await _entry(connection, call.path["id"])
    if found is None:
        raise Problem("not_found")
    return found


async def put(call: Call[SourceDocument]) -> SourceEntry:
    """Say what a source is, new or not; what it brought stays."""
    source_id, told = call.path["id"], call.body
    async with call.services.database.write() as connection:
        before = await _entry(connection, source_id, lock=True)
        wanted = sorted({each.channel_id for each in told.channels})
        await _exist(connection, wanted)
        await store.source(connection, source_id, tz=told.tz, lang=told.lang)
        await connection.execute(delete(channel_source).where(mapped.source_id == source_id))
        rows = [
            {"source_id": source_id}
            | {name: getattr(each, name) for name in ("xmltv_id", "channel_id", "priority", "tz")}
            for each in told.channels
        ]
        await bulk.put(connection, channel_source, rows)
        made = SourceEntry(source_id, told)
        kept = None if before is None else _told(before)
        change = ("epg.source", source_id, kept, _told(made))
        await audit.record(connection, call.caller.account_id, call.now_ms, change)
    return made


def _told(entry: SourceEntry) -> dict[str, object]:
    """What audit keeps of a source: not its thousand channels."""
    document = entry.document
    return {"tz": document.tz, "lang": document.lang, "channels": len(document.channels)}


def _known(tz: str | None) -> None:
    if tz is not None and zone(tz) is None:
        raise ValueError("tz is +HHMM, a name such as CET, or Europe/Paris")


async def _entry(
    connection: AsyncConnection, source_id: str, *, lock: bool = False
) -> SourceEntry | None:
    query = select(epg_source).where(epg_source.c.id == source_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        return None
    listed = select(channel_source).where(mapped.source_id == source_id).order_by(mapped.xmltv_id)
    channels = [
        Mapping(each.xmltv_id, each.channel_id, each.priority, each.tz)
        for each in (await connection.execute(listed)).all()
    ]
    return SourceEntry(source_id, SourceDocument(row.tz, row.lang, channels))


async def _exist(connection: AsyncConnection, channel_ids: list[str]) -> None:
    found: set[str] = set()
    for at in range(0, len(channel_ids), store.BATCH_ROWS):
        batch = channel_ids[at : at + store.BATCH_ROWS]
        query = select(channel.c.id).where(channel.c.id.in_(batch))
        found |= set((await connection.execute(query)).scalars())
    missing = [each for each in channel_ids if each not in found]
    if missing:
        raise Problem("unknown_reference", f"there is no channel {missing[0]}")
