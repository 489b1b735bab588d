"""Published titles as viewers' lists need them: their names, their series, the episode behind."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Select,
    String,
    and_,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audience
from control_api.catalogue import documents
from control_api.facts import Limit
from control_api.schema import content
from control_api.viewers.schema import bookmark

PARENTS = 2  # season, series

parent = content.alias()
PLACE = (
    func.coalesce(content.c.season_no, parent.c.season_no, 0),
    func.coalesce(content.c.episode_no, 0),
)


async def published(
    connection: AsyncConnection, wanted: Sequence[str], limit: Limit | None = None
) -> Mapping[str, Any]:
    """Published titles by id, those within a profile's limit."""
    query = _published().where(content.c.id.in_(wanted), audience.fits_title(limit))
    return {row.id: row for row in (await connection.execute(query)).all()}


async def series(connection: AsyncConnection, titles: Iterable[Any]) -> Mapping[str, str]:
    """The series of titles that have one: they hang on it or on its season (CTL-31)."""
    above = {title.id: title.parent_id for title in titles if title.parent_id is not None}
    found: dict[str, str] = {}
    for _ in range(PARENTS):
        query = select(content.c.id, content.c.kind, content.c.parent_id)
        query = query.where(content.c.id.in_(set(above.values())))
        rows = {row.id: row for row in (await connection.execute(query)).all()} if above else {}
        parents = {key: rows[parent_id] for key, parent_id in above.items() if parent_id in rows}
        found |= {key: row.id for key, row in parents.items() if row.kind == "series"}
        above = {
            key: row.parent_id
            for key, row in parents.items()
            if row.kind != "series" and row.parent_id is not None
        }
    return found


async def following(
    connection: AsyncConnection, profile_id: str, finished: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Of series with an episode that was finished: the published one behind it that was not, with
    `position_ms`, None where it was not begun.
    """
    if not finished:
        return {}
    each = (_behind(profile_id, key, title).subquery() for key, title in finished.items())
    rows = (await connection.execute(union_all(*map(select, each)))).all()
    return {row.series_id: row for row in rows}


def _published() -> Select[Any]:
    """With their place in a series: an episode may leave its season's number to the season, or
    hang on the series.
    """
    return (
        select(
            content.c.id,
            content.c.parent_id,
            content.c.duration_ms,
            documents.named().label("title"),
            *(number.label(f"at_{i}") for i, number in enumerate(PLACE)),
        )
        .outerjoin(parent, parent.c.id == content.c.parent_id)
        .where(content.c.status == "published")
    )


def _behind(profile_id: str, series_id: str, title: Any) -> Select[Any]:
    own = and_(bookmark.c.profile_id == profile_id, bookmark.c.content_id == content.c.id)
    return (
        _published()
        .add_columns(bookmark.c.position_ms, literal(series_id, String).label("series_id"))
        .outerjoin(bookmark, own)
        .where(
            content.c.kind == "episode",
            or_(parent.c.id == series_id, parent.c.parent_id == series_id),
            tuple_(*PLACE) > tuple_(title.at_0, title.at_1),
            not_(func.coalesce(bookmark.c.finished, False)),
        )
        .order_by(*PLACE)
        .limit(1)
    )
