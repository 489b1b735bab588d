"""Rights windows of all titles and channels, as operators look at them (CTL-33); they are edited
with the title or channel that they are of.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_

from control_api import sealed
from control_api.calls import Call
from control_api.catalogue import documents
from control_api.catalogue.types import Territory
from control_api.schema import channel, content, rights_window
from control_api.times import epoch_ms, utc
from control_api.types import Answer, Id, Instant, Page

own = rights_window.c


class WindowPage(Page):
    """Of one title, channel or territory; those that are open `at` a time."""

    content_id: Id | None = None
    channel_id: Id | None = None
    territory: Territory | None = None
    at: Instant | None = None


class Window(Answer):
    """Half-open; `title` is the name of what it is of, `open` says whether it is now."""

    id: str
    content_id: str | None
    channel_id: str | None
    title: str
    territory: str
    licence: str
    platform: str
    starts_at: datetime
    ends_at: datetime
    open: bool
    tier: int | None
    max_height: int | None
    hdcp: str | None
    offline: bool


class WindowList(Answer):
    items: list[Window]
    next_cursor: str | None


async def page(call: Call[None]) -> WindowList:
    """Rights windows of titles and channels, what opens last first."""
    asked, secret = call.query, call.services.secret
    filters = {
        name: getattr(asked, name)
        for name in ("content_id", "channel_id", "territory")
        if getattr(asked, name) is not None
    }
    listing = f"windows:{sorted(filters.items())}:{asked.at}"
    title = func.coalesce(documents.named(), channel.c.name, channel.c.slug, "")
    query = (
        select(rights_window, title.label("title"))
        .outerjoin(content, content.c.id == own.content_id)
        .outerjoin(channel, channel.c.id == own.channel_id)
        .where(*(own[name] == value for name, value in filters.items()))
    )
    if asked.at is not None:
        at_ms = epoch_ms(asked.at)
        query = query.where(own.start_ms <= at_ms, own.end_ms > at_ms)
    after = sealed.position(secret, listing, asked.cursor)
    if after is not None:
        query = query.where(tuple_(own.start_ms, own.id) < tuple_(*after))
    query = query.order_by(own.start_ms.desc(), own.id.desc()).limit(asked.limit + 1)
    async with call.services.database.read() as connection:
        rows = (await connection.execute(query)).all()
    shown, cursor = sealed.page(rows, asked.limit, secret, listing, "start_ms", "id")
    return WindowList([_shown(row, call.now_ms) for row in shown], cursor)


def _shown(row: Any, now_ms: int) -> Window:
    kept = ("id", "content_id", "channel_id", "title", "territory", "licence", "platform", "tier")
    return Window(
        **{name: getattr(row, name) for name in (*kept, "max_height", "hdcp", "offline")},
        starts_at=utc(row.start_ms),
        ends_at=utc(row.end_ms),
        open=row.start_ms <= now_ms < row.end_ms,
    )
