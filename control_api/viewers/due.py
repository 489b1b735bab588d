"""Reminders as rows: they move with the programmes they are of, and are told of before these begin.

`at_ms` is the start of the programme. An import lets reminders follow in its own transaction; what
is due is told once, by one of all processes, and gone; what the profile may not see is not told.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, delete, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audience
from control_api.events.envelope import MAX_TEXT_CHARS
from control_api.outbox.record import emit_all
from control_api.parental import Parents
from control_api.ratings import STRICTEST
from control_api.schema import channel, epg_event, epg_event_text
from control_api.times import utc
from control_api.viewers.schema import profile, reminder

AHEAD_MS = 120_000  # how long before its programme begins a reminder is due
BATCH = 500
row = reminder.c


async def follow(connection: AsyncConnection, moved: Sequence[str], removed: Sequence[str]) -> None:
    """Let reminders go where their programmes, by id, went."""
    now_at = select(epg_event.c.start_ms).where(epg_event.c.id == row.target_id)
    for at in range(0, len(moved), BATCH):
        theirs = row.target_id.in_(moved[at : at + BATCH])
        change = update(reminder).where(theirs).values(at_ms=now_at.scalar_subquery())
        await connection.execute(change)
    for at in range(0, len(removed), BATCH):
        theirs = row.target_id.in_(removed[at : at + BATCH])
        await connection.execute(delete(reminder).where(theirs))


async def tell(connection: AsyncConnection, parents: Parents, now_ms: int) -> int:
    """Tell of the next that are due, and forget them; how many. What has ended meanwhile is not
    worth telling, nor is what the profile may not see (CTL-77).
    """
    due = (
        select(
            reminder,
            profile.c.account_id,
            profile.c.kind,
            profile.c.max_rating,
            channel.c.status,
            audience.airing_age().label("age"),
            epg_event.c.channel_id,
            epg_event.c.end_ms,
            epg_event_text.c.title,
        )
        .join(profile, profile.c.id == row.profile_id)
        .join(epg_event, epg_event.c.id == row.target_id)
        .join(channel, channel.c.id == epg_event.c.channel_id)
        .outerjoin(
            epg_event_text,
            and_(
                epg_event_text.c.event_id == epg_event.c.id,
                epg_event_text.c.lang == epg_event.c.lang,
            ),
        )
        .where(row.at_ms <= now_ms + AHEAD_MS)
        .order_by(row.at_ms, row.profile_id, row.target_id)
        .limit(BATCH)
        .with_for_update(of=reminder, skip_locked=True)
    )
    rows = (await connection.execute(due)).all()
    told = [
        {
            "profile_id": each.profile_id,
            "account_id": each.account_id,
            "event_id": each.target_id,
            "channel_id": each.channel_id,
            "starts_at": utc(each.at_ms),
            "ends_at": utc(each.end_ms),
            **({"title": each.title[:MAX_TEXT_CHARS]} if each.title else {}),
        }
        for each in rows
        if each.end_ms > now_ms and _shown(parents, each)
    ]
    await emit_all(connection, "reminder.due", told, now_ms)
    keys = [(each.profile_id, each.target_id) for each in rows]
    if keys:
        await connection.execute(
            delete(reminder).where(tuple_(row.profile_id, row.target_id).in_(keys))
        )
    return len(rows)


def _shown(parents: Parents, each: Any) -> bool:
    """May the profile see what it wants to be reminded of?"""
    age = parents.age(each.kind, each.max_rating)
    return each.status == "published" and (age >= STRICTEST or each.age <= age)


ANY_DUE = (
    select(literal(1))
    .select_from(reminder)
    .where(row.at_ms <= bindparam("at", type_=BigInteger) + AHEAD_MS)
    .limit(1)
)
