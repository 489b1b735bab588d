"""Rows of titles for a page, filled from what is counted and said here, by no model (CTL-145)."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, case, distinct, exists, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.catalogue import curated, orders, shown, types
from control_api.catalogue.tables import collection_item, content_genre, credit
from control_api.catalogue.visible import Viewer, offered, visible
from control_api.popularity.tables import popular
from control_api.problems import Problem
from control_api.schema import content

RAIL_TITLES = 20
MAX_GENRES = 8
KINDS = ("movie", "series", "event")
GENRE, COLLECTION = "genre.", "collection."
COMMON_GENRE, COMMON_PERSON, SAME_KIND, NEAR_YEAR = 4, 6, 2, 1  # weights of likeness
LIKEST = 500  # of which those that the place may see are shown


Source = Literal["popularity", "editorial", "related"]


class Filling(NamedTuple):
    """What fills a rail, in order; `source` says by what right."""

    id: str
    source: Source
    content_ids: Sequence[str]


def names(fullest: Sequence[types.Genre]) -> Sequence[str]:
    """The rails of a front page: what is popular, what is new, and the fullest genres."""
    return ["popular", "new", *(f"{GENRE}{genre.id}" for genre in fullest[:MAX_GENRES])]


async def related(
    connection: AsyncConnection, content_id: str, fields: str | None, viewer: Viewer
) -> types.Rail:
    """Titles like a title: common genres and people, its kind, its years; then by popularity."""
    mine = (
        await connection.execute(
            select(content.c.kind, content.c.year).where(
                content.c.id == content_id, visible(viewer)
            )
        )
    ).first()
    if mine is None:
        raise Problem("content_not_found")
    found = await _like(connection, content_id, mine, viewer)
    if not found.content_ids:
        loved = (await filling(connection, "popular", viewer)).content_ids
        others = [each for each in loved if each != content_id]
        found = Filling("related", "popularity", others)
    items = await shown.titles(connection, found.content_ids, shown.listed(fields), viewer)
    return types.Rail("related", found.source, items)


async def filling(connection: AsyncConnection, rail_id: str, viewer: Viewer) -> Filling:
    """Of a rail by name: popular, new, genre.{slug}, popularity first, then what is newest; or
    collection.{id}, in its editor's order. Else 404.
    """
    if rail_id.startswith(COLLECTION):
        return await _gathered(connection, rail_id, viewer)
    wanted: list[ColumnElement[bool]] = [offered(viewer), content.c.kind.in_(KINDS)]
    if rail_id == "new":
        query = orders.newest(wanted, viewer, None, RAIL_TITLES)
        return Filling(rail_id, "editorial", await _ids(connection, query))
    if rail_id.startswith(GENRE):
        tagged = content_genre.c.genre == rail_id.removeprefix(GENRE)
        wanted.append(exists().where(content_genre.c.content_id == content.c.id, tagged))
    elif rail_id != "popular":
        raise Problem("not_found")
    query = orders.by_popularity(wanted, viewer, None, RAIL_TITLES)
    return Filling(rail_id, "popularity", await _ids(connection, query))


async def _like(connection: AsyncConnection, content_id: str, mine: Any, viewer: Viewer) -> Filling:
    """The likest of those that have a genre or a person in common with a title."""
    genres = select(content_genre.c.genre).where(content_genre.c.content_id == content_id)
    people = select(credit.c.name).where(credit.c.content_id == content_id)
    persons = COMMON_PERSON * func.count(distinct(credit.c.name))
    common = union_all(
        select(content_genre.c.content_id, literal(COMMON_GENRE).label("n")).where(
            content_genre.c.genre.in_(genres)
        ),
        select(credit.c.content_id, persons.label("n"))
        .where(credit.c.name.in_(people))
        .group_by(credit.c.content_id),
    ).subquery()
    summed = select(common.c.content_id, func.sum(common.c.n).label("n"))
    alike = summed.group_by(common.c.content_id).subquery()
    likeness = alike.c.n + SAME_KIND * case((content.c.kind == mine.kind, 1), else_=0)
    if mine.year is not None:
        near = content.c.year.between(mine.year - 5, mine.year + 5)
        likeness += NEAR_YEAR * case((near, 1), else_=0)
    here = and_(popular.c.target_id == content.c.id, popular.c.territory == viewer.territory)
    loved = (func.coalesce(popular.c.shown, 0), content.c.popularity, content.c.id)
    place = func.row_number().over(order_by=(likeness.desc(), *(column.desc() for column in loved)))
    likest = (
        select(content.c.id, place.label("place"))
        .join(alike, alike.c.content_id == content.c.id)
        .outerjoin(popular, here)
        .where(
            content.c.id != content_id,
            content.c.kind.in_(KINDS),
            content.c.status == "published",
        )
        .order_by(place)
        .limit(LIKEST)
        .subquery()
    )
    query = (
        select(content.c.id)
        .join(likest, likest.c.id == content.c.id)
        .where(offered(viewer))
        .order_by(likest.c.place)
        .limit(RAIL_TITLES)
    )
    return Filling("related", "related", await _ids(connection, query))


async def _gathered(connection: AsyncConnection, rail_id: str, viewer: Viewer) -> Filling:
    row = await curated.existing(connection, rail_id.removeprefix(COLLECTION))
    item = collection_item.c
    query = (
        select(content.c.id)
        .join(collection_item, item.content_id == content.c.id)
        .where(item.collection_id == row.id, offered(viewer))
        .order_by(item.pos)
        .limit(RAIL_TITLES)
    )
    return Filling(rail_id, "editorial", await _ids(connection, query))


async def _ids(connection: AsyncConnection, query: Any) -> Sequence[str]:
    return (await connection.execute(query)).scalars().all()
