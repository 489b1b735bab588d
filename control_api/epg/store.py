"""The guide in the database: each channel in one transaction, so that readers never see half of it
(CTL-67). The exclusion constraint of PostgreSQL is checked at commit.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    String,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids
from control_api.epg.errors import EpgError
from control_api.epg.instants import zone
from control_api.epg.merge import Plan, Stored
from control_api.epg.normalise import Schedules, Target
from control_api.epg.programme import Event, Words
from control_api.recordings.states import insert_new
from control_api.schema import channel, channel_source, epg_event, epg_event_text, epg_source
from runtime import bulk


class Change(NamedTuple):
    """What became of an event: created, updated or removed; and what it was before, if it was."""

    verb: str
    channel_id: str
    event_id: str
    event: Event
    was: Event | None = None


BATCH_ROWS = 500  # CTL-67
NEAR_MS = 24 * 3_600_000  # no event is longer (CTL-48)
T = TypeVar("T")

COLUMNS = ("start_ms", "end_ms", "lang", "season_no", "episode_no", "ext_id", "crid", "series_crid")


async def source(connection: AsyncConnection, source_id: str, **values: str) -> Any:
    """The source's row, made if it is new and locked, so that who changes it waits for who does;
    `values` (url, tz, lang) change it if given.
    """
    await insert_new(connection, epg_source, {"id": source_id, "format": "xmltv", **values})
    query = select(epg_source).where(epg_source.c.id == source_id)
    row = (await connection.execute(query.with_for_update())).one()
    if any(row._mapping[name] != value for name, value in values.items()):
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


async def ranks(
    connection: AsyncConnection, channel_ids: Collection[str]
) -> dict[str, dict[str, int]]:
    """Priority of each source of each channel, lower is better (CTL-66)."""
    found: dict[str, dict[str, int]] = {channel_id: {} for channel_id in channel_ids}
    for row in await connection.execute(_RANKS, {"channels": list(channel_ids)}):
        found[row.channel_id][row.source_id] = row.rank
    return found


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
    source_id: str,
    schedules: Schedules,
    ranks: Mapping[str, Mapping[str, int]],
) -> dict[str, list[Stored]]:
    """Stored events in and around each channel's schedule, in order; a source that is not listed
    any more counts as much as the one that brings the schedules.
    """
    asked = {
        "channels": list(schedules),
        "opens": min(wanted[0].start_ms for wanted in schedules.values()),
        "closes": max(wanted[-1].end_ms for wanted in schedules.values()),
    }
    found: dict[str, list[Stored]] = {channel_id: [] for channel_id in schedules}
    rows = (await connection.execute(_NEAR, asked)).all()
    spoken = await words(connection, [row.id for row in rows])
    for row in rows:
        wanted, rank = schedules[row.channel_id], ranks[row.channel_id]
        opens_ms, closes_ms = wanted[0].start_ms - NEAR_MS, wanted[-1].end_ms + NEAR_MS
        if row.end_ms > opens_ms and row.start_ms <= closes_ms:
            stored = event(row, spoken.get(row.id, {}))
            its_rank = rank.get(row.source_id, rank[source_id])
            found[row.channel_id].append(Stored(row.id, row.source_id, its_rank, stored))
    return found


def event(row: Any, spoken: dict[str, Words]) -> Event:
    """An event as it was when it was written."""
    return Event(
        row.start_ms,
        row.end_ms,
        row.lang,
        spoken,
        row.season_no,
        row.episode_no,
        row.ext_id,
        row.crid,
        row.series_crid,
        tuple(row.flags.split()) if row.flags else (),
    )


async def words(
    connection: AsyncConnection, event_ids: Sequence[str]
) -> dict[str, dict[str, Words]]:
    """Text of events, by id and language."""
    rows: list[Any] = []
    for batch in _batches(event_ids):
        rows += (await connection.execute(_WORDS, {"events": batch})).all()
    return _spoken(rows)


def _spoken(rows: Sequence[Any]) -> dict[str, dict[str, Words]]:
    found: dict[str, dict[str, Words]] = {}
    for row in rows:
        event_id, lang, title, sub_title, descr = row
        found.setdefault(event_id, {})[lang] = Words(title, sub_title, descr)
    return found


async def write(
    connection: AsyncConnection, source_id: str, plans: Mapping[str, Plan]
) -> list[Change]:
    """Carry out plans, by channel; what they do not name is not touched. What became of which
    event.
    """
    removed = [old.id for plan in plans.values() for old in plan.remove]
    updated = [pair for plan in plans.values() for pair in plan.update]
    for batch in _batches([*(old.id for old, _ in updated), *removed]):
        await connection.execute(delete(epg_event_text).where(epg_event_text.c.event_id.in_(batch)))
    for batch in _batches(removed):
        await connection.execute(delete(epg_event).where(epg_event.c.id.in_(batch)))
    rows = [{"event": old.id, **_row(new)} for old, new in updated]
    for some in _batches(rows):
        await connection.execute(_UPDATE, some)
    created = [
        Change("created", channel_id, ids.new("event"), new)
        for channel_id, plan in plans.items()
        for new in plan.create
    ]
    await bulk.put(
        connection,
        epg_event,
        [
            {
                "id": each.event_id,
                "channel_id": each.channel_id,
                "source_id": source_id,
                **_row(each.event),
            }
            for each in created
        ],
    )
    changed = [
        Change(verb, channel_id, old.id, new, old.event)
        for channel_id, plan in plans.items()
        for verb, pairs in (
            ("removed", [(old, old.event) for old in plan.remove]),
            ("updated", plan.update),
        )
        for old, new in pairs
    ]
    changes = [*changed, *created]
    texts = [
        {
            "event_id": each.event_id,
            "lang": lang,
            "title": spoken.title,
            "sub_title": spoken.sub_title,
            "descr": spoken.descr,
        }
        for each in changes
        if each.verb != "removed"
        for lang, spoken in each.event.words.items()
    ]
    await bulk.put(connection, epg_event_text, texts)
    return changes


def _row(new: Event) -> dict[str, Any]:
    fields = {name: getattr(new, name) for name in COLUMNS}
    return fields | {"flags": " ".join(new.flags), "hash": new.digest()}


def groups(schedules: Schedules) -> Iterator[list[str]]:
    """Channels whose schedules are written together: so many rows at most, or one channel."""
    some: list[str] = []
    rows = 0
    for channel_id, wanted in schedules.items():
        if some and rows + len(wanted) > BATCH_ROWS:
            yield some
            some, rows = [], 0
        some.append(channel_id)
        rows += len(wanted)
    if some:
        yield some


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    for at in range(0, len(items), BATCH_ROWS):
        yield list(items[at : at + BATCH_ROWS])


# Made once: to make a statement takes longer than to send it.
_CHANNELS = bindparam("channels", type_=String, expanding=True)
_OPENS, _CLOSES = (bindparam(name, type_=BigInteger) for name in ("opens", "closes"))
_RANKS = (
    select(
        channel_source.c.channel_id,
        channel_source.c.source_id,
        func.min(channel_source.c.priority).label("rank"),
    )
    .where(channel_source.c.channel_id.in_(_CHANNELS))
    .group_by(channel_source.c.channel_id, channel_source.c.source_id)
)
_NEAR = (
    select(*(epg_event.c[name] for name in ("id", "channel_id", "source_id", *COLUMNS, "flags")))
    .where(
        epg_event.c.channel_id.in_(_CHANNELS),
        epg_event.c.start_ms.between(_OPENS - 2 * NEAR_MS, _CLOSES + NEAR_MS),
        epg_event.c.end_ms > _OPENS - NEAR_MS,
    )
    .order_by(epg_event.c.channel_id, epg_event.c.start_ms)
)
_WORDS = select(
    *(epg_event_text.c[name] for name in ("event_id", "lang", "title", "sub_title", "descr"))
).where(epg_event_text.c.event_id.in_(bindparam("events", type_=String, expanding=True)))
_UPDATE = (
    update(epg_event)
    .where(epg_event.c.id == bindparam("event", type_=String))
    .values(
        {name: bindparam(name) for name in (*COLUMNS, "flags", "hash")}
        | {"version": epg_event.c.version + 1}
    )
)
