"""For whom a list is: up to which age, by its request and by the profile that it names (CTL-77).

A list that names a profile is its account's own: whoever asks is signed in, and no cache keeps it.
"""

from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true

from control_api.calls import Call
from control_api.problems import Problem
from control_api.schema import channel, content, content_age, epg_event


async def max_age(call: Call[Any]) -> int | None:
    """The lesser of `max_age` and the profile's limit, None for neither; 404 `profile_not_found`
    for a profile that is not the account's.
    """
    asked: int | None = call.query.max_age
    profile_id = call.query.profile_id
    if profile_id is None:
        return asked
    parents = call.services.playback.judge.parents
    limit = await parents.limit(call.caller.account_id, profile_id, call.now_ms)
    if limit is None:
        return asked
    if not limit.known:
        raise Problem("profile_not_found", rule="CTL-77")
    return limit.age if asked is None else min(asked, limit.age)


def fits_channel(age: int | None) -> ColumnElement[bool]:
    """Whether the `channel` of a query is for this age."""
    return true() if age is None else func.coalesce(channel.c.min_age, 0) <= age


def fits_programme(age: int | None) -> ColumnElement[bool]:
    """Whether the `epg_event` of a query is, by its title of the catalogue."""
    if age is None:
        return true()
    older = select(content.c.id).where(content.c.id == epg_event.c.content_id, content_age > age)
    return or_(epg_event.c.content_id.is_(None), ~older.correlate(epg_event).exists())
