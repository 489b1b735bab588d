"""Channels and titles as anybody may see them: the published ones (CTL-32)."""

from typing import Any

from sqlalchemy import Select, and_, exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import sealed, types
from control_api.problems import Problem
from control_api.schema import asset, channel, content, content_text
from control_api.times import utc


async def channels(
    connection: AsyncConnection, secret: bytes, page: types.Page
) -> types.ChannelList:
    """Published channels by number."""
    query = select(channel).where(channel.c.status == "published")
    after = sealed.position(secret, "channels", page.cursor)
    if after is not None:
        query = query.where(tuple_(channel.c.number, channel.c.id) > tuple_(*after))
    query = query.order_by(channel.c.number, channel.c.id).limit(page.limit + 1)
    rows = (await connection.execute(query)).all()
    items = [
        types.Channel(row.id, row.slug, row.number, row.dvr_window_s) for row in rows[: page.limit]
    ]
    more = len(rows) > page.limit
    last: list[str | int] = [items[-1].number, items[-1].id] if more else []
    return types.ChannelList(items, sealed.seal(secret, "channels", last) if more else None)


async def contents(
    connection: AsyncConnection, secret: bytes, page: types.Page
) -> types.ContentList:
    """Published titles that can be played, the newest first."""
    query = _published().where(
        exists().where(and_(asset.c.content_id == content.c.id, asset.c.kind == "vod"))
    )
    after = sealed.position(secret, "contents", page.cursor)
    if after is not None:
        query = query.where(tuple_(content.c.updated_ms, content.c.id) < tuple_(*after))
    query = query.order_by(content.c.updated_ms.desc(), content.c.id.desc())
    rows = (await connection.execute(query.limit(page.limit + 1))).all()
    more = len(rows) > page.limit
    shown = rows[: page.limit]
    last: list[str | int] = [shown[-1].updated_ms, shown[-1].id] if more else []
    return types.ContentList(
        [_content(row) for row in shown], sealed.seal(secret, "contents", last) if more else None
    )


async def one_content(connection: AsyncConnection, content_id: str) -> types.Content:
    """A published title, else 404 `content_not_found`."""
    row = (await connection.execute(_published().where(content.c.id == content_id))).first()
    if row is None:
        raise Problem("content_not_found")
    return _content(row)


def _published() -> Select[Any]:
    """Titles with their text in the original language."""
    in_original = and_(
        content_text.c.content_id == content.c.id, content_text.c.lang == content.c.orig_lang
    )
    return (
        select(content, content_text.c.title, content_text.c.synopsis)
        .outerjoin(content_text, in_original)
        .where(content.c.status == "published")
    )


def _content(row: Any) -> types.Content:
    return types.Content(
        id=row.id,
        kind=row.kind,
        title=row.title or row.id,
        synopsis=row.synopsis,
        duration_ms=row.duration_ms,
        year=row.year,
        rating=row.rating,
        orig_lang=row.orig_lang,
        version=row.version,
        updated_at=utc(row.updated_ms),
    )
