"""Programmes that a profile wants to be reminded of (control-api section 3, "viewer state")."""

from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audience, sealed, sessions
from control_api.calls import Call
from control_api.facts import Limit
from control_api.problems import Problem
from control_api.schema import channel, epg_event, epg_event_text
from control_api.times import utc
from control_api.viewers import profiles, shapes
from control_api.viewers.schema import reminder

MOST = 1_000  # of a profile
mine = reminder.c


async def put(call: Call[None]) -> None:
    """Remind of a programme before it begins; twice is once."""
    account_id, event_id = call.caller.account_id, call.path["event"]
    limit = await audience.own_limit(call)
    async with call.services.database.write() as connection:
        await sessions.lock(connection, account_id)
        whose = await profiles.whose(connection, account_id, call.query.profile_id)
        start_ms = await _start_ms(connection, event_id, limit)
        if start_ms <= call.now_ms:
            raise Problem("bad_state", "the programme has begun")
        count = select(func.count()).where(mine.profile_id == whose.id, mine.target_id != event_id)
        if (await connection.execute(count)).scalar_one() >= MOST:
            raise Problem("in_use", f"a profile has at most {MOST} reminders")
        await connection.execute(delete(reminder).where(*_key(whose.id, event_id)))
        made = {"profile_id": whose.id, "target_id": event_id, "at_ms": start_ms}
        await connection.execute(insert(reminder).values(made))


async def remove(call: Call[None]) -> None:
    """Do not remind of a programme."""
    async with call.services.database.write() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        gone = delete(reminder).where(*_key(whose.id, call.path["event"]))
        if not (await connection.execute(gone)).rowcount:
            raise Problem("not_found")


async def page(call: Call[None]) -> shapes.ReminderList:
    """Reminders, the next one first; what is withdrawn or for older ones is hidden."""
    limit = await audience.own_limit(call)
    async with call.services.database.read() as connection:
        whose = await profiles.whose(connection, call.caller.account_id, call.query.profile_id)
        listing = f"reminders:{whose.id}"
        after = sealed.position(call.services.secret, listing, call.query.cursor)
        query = _SET.where(mine.profile_id == whose.id, *_shown(limit))
        if after is not None:
            query = query.where(tuple_(mine.at_ms, mine.target_id) > tuple_(*after))
        query = query.order_by(mine.at_ms, mine.target_id).limit(call.query.limit + 1)
        rows = (await connection.execute(query)).all()
    place = ("at_ms", "target_id")
    shown, cursor = sealed.page(rows, call.query.limit, call.services.secret, listing, *place)
    return shapes.ReminderList(
        [_entry(each) for each in shown],
        cursor,
    )


async def _start_ms(connection: AsyncConnection, event_id: str, limit: Limit | None) -> int:
    """When a programme that the profile may see begins; else 404."""
    query = (
        select(epg_event.c.start_ms)
        .join(channel, channel.c.id == epg_event.c.channel_id)
        .where(epg_event.c.id == event_id, *_shown(limit))
    )
    found = (await connection.execute(query)).scalar()
    if found is None:
        raise Problem("not_found")
    return int(found)


def _key(profile_id: str, event_id: str) -> tuple[Any, ...]:
    return (mine.profile_id == profile_id, mine.target_id == event_id)


def _shown(limit: Limit | None) -> tuple[ColumnElement[bool], ...]:
    """Whether a profile with this limit may see the `epg_event` of a query, on its `channel`."""
    return (channel.c.status == "published", audience.fits_airing(limit))


def _entry(each: Any) -> shapes.Reminder:
    return shapes.Reminder(
        event_id=each.target_id,
        channel_id=each.channel_id,
        title=each.title or "",
        start_at=utc(each.at_ms),
        end_at=utc(each.end_ms),
    )


_SET = (
    select(reminder, epg_event.c.channel_id, epg_event.c.end_ms, epg_event_text.c.title)
    .join(epg_event, epg_event.c.id == mine.target_id)
    .join(channel, channel.c.id == epg_event.c.channel_id)
    .outerjoin(
        epg_event_text,
        and_(
            epg_event_text.c.event_id == epg_event.c.id,
            epg_event_text.c.lang == epg_event.c.lang,
        ),
    )
)
