"""The guide in the database: one transaction per channel, so that readers never see half of one
(CTL-67). The exclusion constraint of PostgreSQL is checked at commit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Select, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids
from control_api.epg.errors import EpgError
from control_api.epg.instants import zone
from control_api.epg.merge import Plan, Stored
from control_api.epg.normalise import Schedules, Target
from control_api.epg.programme import Event, Words
from control_api.schema import channel, channel_source, epg_event, epg_event_text, epg_source
from runtime import bulk


class Change(NamedTuple):
    """What became of an event: created, updated or removed."""

    verb: str
    event_id: str
    event: Event


BATCH_ROWS = 500  # CTL-67
NEAR_MS = 24 * 3_600_000  # no event is longer (CTL-48)
T = TypeVar("T")

COLUMNS = ("start_ms", "end_ms", "lang", "season_no", "episode_no", "ext_id", "crid", "series_crid")


async def source(connection: AsyncConnection, source_id: str, **values: str) -> Any:
    """The source's row, made if it is new; `values` (url, tz, lang) change it if given."""
    query = select(epg_source).where(epg_source.c.id == source_id)
    row = (await connection.execute(query)).first()
    if row is None:
        made = insert(epg_source).values(id=source_id, format="xmltv", **values)
        await connection.execute(made)
    elif any(row._mapping[name] != value for name, value in values.items()):
        change = update(epg_source).where(epg_source.c.id == source_id).values(**values)
        await connection.execute(change)
    return (await connection.execute(query)).one()


async def map_channels(
    connection: AsyncConnection, source_id: str, slugs: Mapping[str, str], priority: int
) -> None:
    """Let xmltv ids stand for channels, by slug; a slug nobody has is `unknown_channel`."""
    for xmltv_id, slug in slugs.items():
        query = select(channel.c.id).where(channel.c.slug == slug)
        channel_id = (await connection.execute(query)).scalar()
        if channel_id is None:
            raise EpgError("unknown_channel", f"no channel {slug}")
        key = (channel_source.c.source_id == source_id, channel_source.c.xmltv_id == xmltv_id)
        await connection.execute(delete(channel_source).where(*key))
        row = {"source_id": source_id, "xmltv_id": xmltv_id, "channel_id": channel_id}
        await connection.execute(insert(channel_source).values(**row, priority=priority))


async def targets(connection: AsyncConnection, source_row: Any) -> dict[str, Target]:
    """xmltv id -> channel; times without zone are the channel's, else the source's (CTL-49)."""
    query = select(channel_source).where(channel_source.c.source_id == source_row.id)
    rows = (await connection.execute(query)).all()
    zones = {row.xmltv_id: zone(row.tz or source_row.tz) for row in rows}
    return {
        row.xmltv_id: Target(row.channel_id, where)
        for row in rows
        if (where := zones[row.xmltv_id]) is not None
    }


async def ranks(connection: AsyncConnection, channel_id: str) -> dict[str, int]:
    """Priority of each source of a channel, lower is better (CTL-66)."""
    query = (
        select(channel_source.c.source_id, func.min(channel_source.c.priority).label("rank"))
        .where(channel_source.c.channel_id == channel_id)
        .group_by(channel_source.c.source_id)
    )
    return {row.source_id: row.rank for row in (await connection.execute(query)).all()}


async def count(connection: AsyncConnection, source_id: str, schedules: Schedules) -> int:
    """How many stored events of a source begin in the time that a file speaks of (CTL-62)."""
    starts = [event.start_ms for events in schedules.values() for event in events]
    if not starts:
        return 0
    query = select(func.count()).where(
        epg_event.c.source_id == source_id, epg_event.c.start_ms.between(min(starts), max(starts))
    )
    return int((await connection.execute(query)).scalar_one())


async def near(
    connection: AsyncConnection,
    channel_id: str,
    first_ms: int,
    last_ms: int,
    rank: Mapping[str, int],
    unlisted_rank: int,
) -> list[Stored]:
    """Stored events of a channel in a window and around it, in order."""
    query = (
        select(epg_event)
        .where(
            epg_event.c.channel_id == channel_id,
            epg_event.c.start_ms.between(first_ms - 2 * NEAR_MS, last_ms + NEAR_MS),
            epg_event.c.end_ms > first_ms - NEAR_MS,
        )
        .order_by(epg_event.c.start_ms)
    )
    rows = (await connection.execute(query)).all()
    spoken = await words(connection, query)
    return [
        Stored(
            row.id,
            row.source_id,
            rank.get(row.source_id, unlisted_rank),
            event(row, spoken.get(row.id, {})),
        )
        for row in rows
    ]


def event(row: Any, spoken: dict[str, Words]) -> Event:
    """An event as it was when it was written."""
    fields = {name: row._mapping[name] for name in COLUMNS}
    return Event(**fields, words=spoken, flags=tuple(row.flags.split()))


async def words(connection: AsyncConnection, events: Select[Any]) -> dict[str, dict[str, Words]]:
    """Text, by id and language, of the events that a query finds. Asked by the query, since a list
    of ids is compared one by one.
    """
    found: dict[str, dict[str, Words]] = {}
    listed = select(events.order_by(None).subquery().c.id)
    query = select(epg_event_text).where(epg_event_text.c.event_id.in_(listed))
    for row in (await connection.execute(query)).all():
        spoken = found.setdefault(row.event_id, {})
        spoken[row.lang] = Words(row.title, row.sub_title, row.descr)
    return found


async def write(
    connection: AsyncConnection, channel_id: str, source_id: str, plan: Plan
) -> list[Change]:
    """Carry out a plan; what it does not name is not touched. What became of which event."""
    changed = [old.id for old, _ in plan.update]
    for batch in _batches([*changed, *(old.id for old in plan.remove)]):
        await connection.execute(delete(epg_event_text).where(epg_event_text.c.event_id.in_(batch)))
    for batch in _batches([old.id for old in plan.remove]):
        await connection.execute(delete(epg_event).where(epg_event.c.id.in_(batch)))
    change = (
        update(epg_event)
        .where(epg_event.c.id == bindparam("event_id"))
        .values(
            {name: bindparam(name) for name in (*COLUMNS, "flags", "hash")}
            | {"version": epg_event.c.version + 1}
        )
    )
    rows = [{"event_id": old.id, **_row(new)} for old, new in plan.update]
    for some in _batches(rows):
        await connection.execute(change, some)
    named = [(ids.new("event"), new) for new in plan.create]
    place = {"channel_id": channel_id, "source_id": source_id}
    await bulk.put(connection, epg_event, [{"id": key, **place, **_row(new)} for key, new in named])
    texts = [
        {"event_id": key, "lang": lang, **msgspec.structs.asdict(spoken)}
        for key, new in (*named, *((old.id, new) for old, new in plan.update))
        for lang, spoken in new.words.items()
    ]
    await bulk.put(connection, epg_event_text, texts)
    return [
        *(Change("removed", old.id, old.event) for old in plan.remove),
        *(Change("updated", old.id, new) for old, new in plan.update),
        *(Change("created", key, new) for key, new in named),
    ]


def _row(new: Event) -> dict[str, Any]:
    fields = {name: getattr(new, name) for name in COLUMNS}
    return fields | {"flags": " ".join(new.flags), "hash": new.digest()}


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    for at in range(0, len(items), BATCH_ROWS):
        yield list(items[at : at + BATCH_ROWS])
