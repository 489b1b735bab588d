"""Lists for editors: entries in any state, and the versions of one."""

from typing import Any, Final

import msgspec
from sqlalchemy import Select, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import sealed
from control_api.catalogue import documents, types
from control_api.catalogue.editor import existing
from control_api.catalogue.tables import content_version
from control_api.schema import content, content_text
from control_api.times import utc
from control_api.types import Page

TRIGRAM: Final = 3  # letters; a pattern without one reads the whole index (PostgreSQL's pg_trgm)


async def entries(
    connection: AsyncConnection, secret: bytes, page: types.EntryPage
) -> types.EntryList:
    """Titles in any state or in one, all or those that a text finds, the last changed first."""
    query = select(content, documents.named().label("title"))
    if page.status is not None:
        query = query.where(content.c.status == page.status)
    if page.q is not None:
        query = query.where(content.c.id.in_(union_all(called(page.q), select(literal(page.q)))))
    listing = f"entries:{page.status}:{page.q or ''}"
    after = sealed.position(secret, listing, page.cursor)
    if after is not None:
        query = query.where(tuple_(content.c.updated_ms, content.c.id) < tuple_(*after))
    query = query.order_by(content.c.updated_ms.desc(), content.c.id.desc())
    rows = (await connection.execute(query.limit(page.limit + 1))).all()
    shown, cursor = sealed.page(rows, page.limit, secret, listing, "updated_ms", "id")
    items = [
        types.EntryHead(
            row.id, row.kind, row.title or row.id, row.status, row.version, utc(row.updated_ms)
        )
        for row in shown
    ]
    return types.EntryList(items, cursor)


def called(text: str) -> Select[Any]:
    """Ids of titles that have the text anywhere, or begin with it where it has no trigram."""
    title = content_text.c.title
    short = len(text) < TRIGRAM
    named = (title.istartswith if short else title.icontains)(text, autoescape=True)
    return select(content_text.c.content_id).where(named)


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
    shown, cursor = sealed.page(rows, page.limit, secret, listing, "version")
    return types.VersionList([_version(row) for row in shown], cursor)


def _version(row: Any) -> types.Version:
    told = msgspec.convert(row.document, types.Document)
    return types.Version(row.version, row.status, row.actor, utc(row.at_ms), told)
