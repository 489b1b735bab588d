"""Genres and how many titles they have: the one question that reads all titles, so its answers are
kept in each process, and stand in while the database is away.
"""

from weakref import WeakKeyDictionary

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.catalogue import types
from control_api.catalogue.tables import content_genre
from control_api.catalogue.visible import Viewer, whole
from control_api.kept import Kept
from control_api.schema import content
from runtime.sql import Database

TIMEOUT_MS = 4_000  # a request's time, less some for the rest of its answer

Counts = Kept[tuple[str, str, int | None], types.GenreList]
_COUNTS: WeakKeyDictionary[Database, Counts] = WeakKeyDictionary()


async def counted(database: Database, viewer: Viewer) -> types.GenreList:
    """Genres of titles in lists with how many they have, the fullest first."""

    async def made() -> types.GenreList:
        async with database.read(timeout_ms=TIMEOUT_MS) as connection:
            return await _count(connection, viewer)

    kept = _COUNTS.setdefault(database, Kept())
    place = (viewer.territory, viewer.platform, viewer.max_age)
    return (await kept.get(place, viewer.now_ms, made))[0]


async def _count(connection: AsyncConnection, viewer: Viewer) -> types.GenreList:
    query = (
        select(content_genre.c.genre, func.count().label("titles"))
        .join(content, content.c.id == content_genre.c.content_id)
        .where(whole(viewer))
        .group_by(content_genre.c.genre)
        .order_by(func.count().desc(), content_genre.c.genre)
    )
    rows = (await connection.execute(query)).all()
    return types.GenreList([types.Genre(row.genre, row.titles) for row in rows])
