"""What viewers read: the schedule of published channels, and what is on (control-api section 3)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audience, types
from control_api.epg import store
from control_api.epg.programme import Event, Words
from control_api.problems import Problem
from control_api.schema import channel, epg_event
from control_api.times import epoch_ms, utc

MAX_CHANNELS = 200
MAX_SPAN = timedelta(days=7)
DEFAULT_SPAN = timedelta(hours=4)
HALF_HOUR_MS = 1_800_000
NOW_MS = 10_000  # an answer about now is kept so long


def window(query: types.GridQuery, now_ms: int) -> tuple[datetime, datetime]:
    """The time asked for, else four hours from the last half hour: the same for many who ask."""
    begin = query.from_ or utc(now_ms - now_ms % HALF_HOUR_MS)
    try:
        end = query.to or begin + DEFAULT_SPAN
    except OverflowError:
        raise Problem("invalid", "from is too late") from None
    if not timedelta(0) < end - begin <= MAX_SPAN:
        raise Problem("invalid", "to lies after from, by 7 days at most")
    if query.channels is not None and query.channels.count(",") >= MAX_CHANNELS:
        raise Problem("invalid", f"at most {MAX_CHANNELS} channels")
    return begin, end


async def grid(
    connection: AsyncConnection,
    query: types.GridQuery,
    age: int | None,
    begin: datetime,
    end: datetime,
) -> types.Grid:
    """Everything for an age that overlaps [begin, end) on the channels for it, in order."""
    channel_ids = await _channels(connection, query.channels, age)
    wanted = (
        select(epg_event)
        .where(
            epg_event.c.channel_id.in_(channel_ids),
            epg_event.c.start_ms >= epoch_ms(begin) - store.NEAR_MS,
            epg_event.c.start_ms < epoch_ms(end),
            epg_event.c.end_ms > epoch_ms(begin),
            audience.fits_programme(age),
        )
        .order_by(epg_event.c.channel_id, epg_event.c.start_ms)
    )
    lines = await _lines(connection, channel_ids, wanted, query.lang)
    return types.Grid(utc(epoch_ms(begin)), utc(epoch_ms(end)), lines)


async def now_and_next(
    connection: AsyncConnection, query: types.NowQuery, age: int | None, now_ms: int
) -> types.NowList:
    """The running programme of each channel, if any, and the one after, of those for an age."""
    channel_ids = await _channels(connection, query.channels, age)
    one = (
        select(epg_event.c.id)
        .where(
            epg_event.c.channel_id == channel.c.id,
            epg_event.c.end_ms > now_ms,
            epg_event.c.end_ms < now_ms + 2 * store.NEAR_MS,
            audience.fits_programme(age),
        )
        .order_by(epg_event.c.end_ms)
        .limit(1)
        .correlate(channel)
    )
    places = (one.offset(place).scalar_subquery() for place in range(2))
    listed = channel.c.id.in_(channel_ids)
    ahead = union_all(*(select(place.label("id")).where(listed) for place in places)).subquery()
    wanted = (
        select(epg_event)
        .join(ahead, ahead.c.id == epg_event.c.id)
        .order_by(epg_event.c.channel_id, epg_event.c.start_ms)
    )
    lines = await _lines(connection, channel_ids, wanted, query.lang)
    return types.NowList([_now(line, utc(now_ms)) for line in lines])


def _now(line: types.GridLine, at: datetime) -> types.NowLine:
    running = line.events[0] if line.events and line.events[0].start_at <= at else None
    coming = [event for event in line.events if event is not running]
    return types.NowLine(line.channel_id, running, coming[0] if coming else None)


async def _channels(connection: AsyncConnection, listed: str | None, age: int | None) -> list[str]:
    """Published channels for an age, by number: those listed, else the first ones."""
    public = (channel.c.status == "published", audience.fits_channel(age))
    query = select(channel.c.id).where(*public)
    if listed is not None:
        names = listed.split(",")
        if len(names) > MAX_CHANNELS:
            raise Problem("invalid", f"at most {MAX_CHANNELS} channels")
        query = query.where(channel.c.id.in_(names))
    query = query.order_by(channel.c.number, channel.c.id).limit(MAX_CHANNELS)
    return list((await connection.execute(query)).scalars())


async def _lines(
    connection: AsyncConnection, channel_ids: Sequence[str], query: Any, lang: str | None
) -> list[types.GridLine]:
    """One line per channel, in the order given; channels without events have an empty one."""
    rows = (await connection.execute(query)).all()
    spoken = await store.words(connection, [row.id for row in rows])
    found = {
        channel_id: [programme(row, spoken.get(row.id, {}), lang) for row in group]
        for channel_id, group in groupby(rows, key=lambda row: str(row.channel_id))
    }
    return [types.GridLine(each, found.get(each, [])) for each in channel_ids]


def programme(row: Any, spoken: dict[str, Words], lang: str | None) -> types.Programme:
    event: Event = store.event(row, spoken)
    chosen = lang if lang is not None and lang in spoken else event.lang
    words = spoken.get(chosen, Words(None))
    return types.Programme(
        id=row.id,
        start_at=utc(event.start_ms),
        end_at=utc(event.end_ms),
        title=words.title or event.title,
        sub_title=words.sub_title,
        descr=words.descr,
        lang=chosen,
        season_no=event.season_no,
        episode_no=event.episode_no,
        flags=list(event.flags),
    )
