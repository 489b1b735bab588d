"""Rows of titles for a page, filled from what is counted and said here, by no model (CTL-145)."""

from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.catalogue import curated, shown, types
from control_api.catalogue.shown import Viewer
from control_api.catalogue.tables import collection_item, content_genre, credit
from control_api.problems import Problem
from control_api.schema import content

RAIL_TITLES = 20
MAX_GENRES = 8
KINDS = ("movie", "series", "event")
GENRE, COLLECTION = "genre.", "collection."
COMMON_GENRE, COMMON_PERSON, SAME_KIND, NEAR_YEAR = 4, 6, 2, 1  # weights of likeness


async def page(connection: AsyncConnection, fields: str | None, viewer: Viewer) -> types.RailList:
    """What is popular, what is new, and the fullest genres; empty rails are left out."""
    fullest = (await shown.genres(connection, viewer)).items[:MAX_GENRES]
    names = ["popular", "new", *(f"{GENRE}{genre.id}" for genre in fullest)]
    rails = [await one(connection, name, fields, viewer) for name in names]
    return types.RailList([rail for rail in rails if rail.items])


async def one(
    connection: AsyncConnection, rail_id: str, fields: str | None, viewer: Viewer
) -> types.Rail:
    """A rail by name: popular, new, genre.{slug}, popularity first, then what is newest; or
    collection.{id}, in its editor's order.
    """
    if rail_id.startswith(COLLECTION):
        return await _gathered(connection, rail_id, fields, viewer)
    query = select(content.c.id).where(shown.offered(viewer), content.c.kind.in_(KINDS))
    if rail_id == "new":
        query = query.order_by(content.c.updated_ms.desc(), content.c.id)
        return await _rail(connection, rail_id, "editorial", query, fields, viewer)
    if rail_id.startswith(GENRE):
        tagged = content_genre.c.genre == rail_id.removeprefix(GENRE)
        query = query.join(content_genre, and_(content_genre.c.content_id == content.c.id, tagged))
    elif rail_id != "popular":
        raise Problem("not_found")
    query, loved = shown.by_popularity(query, viewer)
    newest = content.c.updated_ms.desc()
    query = query.order_by(*(column.desc() for column in loved), newest, content.c.id)
    return await _rail(connection, rail_id, "popularity", query, fields, viewer)


async def related(
    connection: AsyncConnection, content_id: str, fields: str | None, viewer: Viewer
) -> types.Rail:
    """Titles like a title: common genres and people, its kind, its years; then by popularity."""
    mine = (
        await connection.execute(
            select(content.c.kind, content.c.year).where(
                content.c.id == content_id, shown.visible(viewer)
            )
        )
    ).first()
    if mine is None:
        raise Problem("content_not_found")
    genres = (
        select(content_genre.c.content_id, func.count().label("n"))
        .where(
            content_genre.c.genre.in_(
                select(content_genre.c.genre).where(content_genre.c.content_id == content_id)
            )
        )
        .group_by(content_genre.c.content_id)
        .subquery()
    )
    people = (
        select(credit.c.content_id, func.count(credit.c.name.distinct()).label("n"))
        .where(credit.c.name.in_(select(credit.c.name).where(credit.c.content_id == content_id)))
        .group_by(credit.c.content_id)
        .subquery()
    )
    common = COMMON_GENRE * func.coalesce(genres.c.n, 0)
    common += COMMON_PERSON * func.coalesce(people.c.n, 0)
    likeness = common + SAME_KIND * case((content.c.kind == mine.kind, 1), else_=0)
    if mine.year is not None:
        near = content.c.year.between(mine.year - 5, mine.year + 5)
        likeness += NEAR_YEAR * case((near, 1), else_=0)
    query = (
        select(content.c.id)
        .outerjoin(genres, genres.c.content_id == content.c.id)
        .outerjoin(people, people.c.content_id == content.c.id)
        .where(
            shown.offered(viewer),
            content.c.kind.in_(KINDS),
            content.c.id != content_id,
            or_(genres.c.n > 0, people.c.n > 0),
        )
    )
    query, loved = shown.by_popularity(query, viewer)
    query = query.order_by(likeness.desc(), *(column.desc() for column in loved), content.c.id)
    rail = await _rail(connection, "related", "related", query, fields, viewer)
    if rail.items:
        return rail
    popular = await one(connection, "popular", fields, viewer)
    others = [title for title in popular.items if title.id != content_id]
    return types.Rail("related", "popularity", others)


async def _gathered(
    connection: AsyncConnection, rail_id: str, fields: str | None, viewer: Viewer
) -> types.Rail:
    row = await curated.existing(connection, rail_id.removeprefix(COLLECTION))
    item = collection_item.c
    query = (
        select(content.c.id)
        .join(collection_item, item.content_id == content.c.id)
        .where(item.collection_id == row.id, shown.offered(viewer))
        .order_by(item.pos)
    )
    return await _rail(connection, rail_id, "editorial", query, fields, viewer)


async def _rail(
    connection: AsyncConnection,
    rail_id: str,
    source: str,
    query: Select[Any],
    fields: str | None,
    viewer: Viewer,
) -> types.Rail:
    found = list((await connection.execute(query.limit(RAIL_TITLES))).scalars())
    items = await shown.titles(connection, found, shown.listed(fields), viewer)
    return types.Rail(rail_id, source, items)  # type: ignore[arg-type]
