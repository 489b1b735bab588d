"""Genres and how many titles they have: the one question that reads all titles, so its answers are
kept in each process, and stand in while the database is away.
"""

from math import inf

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import kept
from control_api.catalogue import types
from control_api.catalogue.tables import content_genre
from control_api.catalogue.visible import Viewer, whole
from control_api.schema import content
from runtime.sql import Database

Counts = kept.Kept[tuple[str, str, int | None], types.GenreList]


async def counted(
    database: Database, viewer: Viewer, budget_ms: float = inf
) -> tuple[types.GenreList, bool]:
    """Genres of titles in lists with how many they have, and whether they are stale."""

    async def made() -> types.GenreList:
        async with database.read(timeout_ms=kept.FILL_MS) as connection:
            return await count(connection, viewer)

    copies: Counts = kept.of(database, "genres", kept.Kept)
    place = (viewer.territory, viewer.platform, viewer.max_age)
    return await copies.get(place, viewer.now_ms, made, budget_ms=budget_ms)


async def count(connection: AsyncConnection, viewer: Viewer) -> types.GenreList:
    """The fullest goes first."""
    query = (
        select(content_genre.c.genre, func.count().label("titles"))
        .join(content, content.c.id == content_genre.c.content_id)
        .where(whole(viewer))
        .group_by(content_genre.c.genre)
        .order_by(func.count().desc(), content_genre.c.genre)
    )
    rows = (await connection.execute(query)).all()
    return types.GenreList([types.Genre(row.genre, row.titles) for row in rows])
