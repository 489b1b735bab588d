"""For whom a list is: up to which age, by its request and by the profile that it names (CTL-77).

A list that names a profile is its account's own: whoever asks is signed in, and no cache keeps it.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, true

from control_api.calls import Call
from control_api.facts import Limit
from control_api.problems import Problem
from control_api.recordings.schema import recording
from control_api.schema import channel, content, content_age, epg_event


async def max_age(call: Call[Any]) -> int | None:
    """The lesser of `max_age` and the profile's limit, None for neither; 404 `profile_not_found`
    for a profile that is not the account's.
    """
    asked: int | None = call.query.max_age
    if call.query.profile_id is None:
        return asked
    limit = await own_limit(call)
    if limit is None:
        return asked
    if not limit.known:
        raise Problem("profile_not_found", rule="CTL-77")
    return limit.age if asked is None else min(asked, limit.age)


async def own_limit(call: Call[Any]) -> Limit | None:
    """That of the profile which the query names, else of the account's first one."""
    parents = call.services.playback.judge.parents
    return await parents.limit(call.caller.account_id, call.query.profile_id, call.now_ms)


def fits_title(limit: Limit | None) -> ColumnElement[bool]:
    """Whether the `content` of a query is within a profile's limit."""
    return true() if limit is None else content_age <= limit.age


def fits_recording(limit: Limit | None) -> ColumnElement[bool]:
    """Whether the `recording` of a query is, by its programme and its channel."""
    if limit is None:
        return true()
    shown = select(channel.c.id).where(
        channel.c.id == recording.c.channel_id, fits_channel(limit.age)
    )
    older = select(epg_event.c.id).where(
        epg_event.c.id == recording.c.event_id, ~fits_programme(limit.age)
    )
    return and_(shown.correlate(recording).exists(), ~older.correlate(recording).exists())


def fits_airing(limit: Limit | None) -> ColumnElement[bool]:
    """Whether the `epg_event` of a query is, on its `channel`."""
    return true() if limit is None else airing_age() <= limit.age


def airing_age() -> ColumnElement[int]:
    """From which age on the `epg_event` of a query is, on its `channel`."""
    of = select(content_age).where(content.c.id == epg_event.c.content_id)
    title = func.coalesce(of.correlate(epg_event).scalar_subquery(), 0)
    its = func.coalesce(channel.c.min_age, 0)
    return case((title > its, title), else_=its)


def fits_channel(age: int | None) -> ColumnElement[bool]:
    """Whether the `channel` of a query is for this age."""
    return true() if age is None else func.coalesce(channel.c.min_age, 0) <= age


def fits_programme(age: int | None) -> ColumnElement[bool]:
    """Whether the `epg_event` of a query is, by its title of the catalogue."""
    if age is None:
        return true()
    older = select(content.c.id).where(content.c.id == epg_event.c.content_id, content_age > age)
    return or_(epg_event.c.content_id.is_(None), ~older.correlate(epg_event).exists())
