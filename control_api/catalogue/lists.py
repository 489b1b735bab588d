"""Lists for editors: entries in any state, and the versions of one."""

from typing import Any

import msgspec
from sqlalchemy import and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import sealed
from control_api.catalogue import types
from control_api.catalogue.editor import existing
from control_api.catalogue.tables import content_version
from control_api.schema import content, content_text
from control_api.times import utc
from control_api.types import Page


async def entries(
    connection: AsyncConnection, secret: bytes, page: types.EntryPage
) -> types.EntryList:
    """Titles in any state or in one, the last changed first."""
    in_original = and_(
        content_text.c.content_id == content.c.id, content_text.c.lang == content.c.orig_lang
    )
    query = select(content, content_text.c.title).outerjoin(content_text, in_original)
    if page.status is not None:
        query = query.where(content.c.status == page.status)
    listing = f"entries:{page.status}"
    after = sealed.position(secret, listing, page.cursor)
    if after is not None:
        query = query.where(tuple_(content.c.updated_ms, content.c.id) < tuple_(*after))
    query = query.order_by(content.c.updated_ms.desc(), content.c.id.desc())
    rows = (await connection.execute(query.limit(page.limit + 1))).all()
    shown = rows[: page.limit]
    last: list[str | int] = [shown[-1].updated_ms, shown[-1].id] if len(rows) > len(shown) else []
    items = [
        types.EntryHead(
            row.id, row.kind, row.title or row.id, row.status, row.version, utc(row.updated_ms)
        )
        for row in shown
    ]
    return types.EntryList(items, sealed.seal(secret, listing, last) if last else None)


async def versions(
    connection: AsyncConnection, secret: bytes, content_id: str, page: Page
) -> types.VersionList:
    """What an entry was, the newest first; 404 if there is no such entry."""
    await existing(connection, content_id)
    listing = f"versions:{content_id}"
    query = select(content_version).where(content_version.c.content_id == content_id)
    after = sealed.position(secret, listing, page.cursor)
    if after is not None:
        query = query.where(content_version.c.version < after[0])
    query = query.order_by(content_version.c.version.desc()).limit(page.limit + 1)
    rows = (await connection.execute(query)).all()
    shown = rows[: page.limit]
    more = len(rows) > len(shown)
    cursor = sealed.seal(secret, listing, [shown[-1].version]) if more else None
    return types.VersionList([_version(row) for row in shown], cursor)


def _version(row: Any) -> types.Version:
    told = msgspec.convert(row.document, types.Document)
    return types.Version(row.version, row.status, row.actor, utc(row.at_ms), told)
