"""The orders in which titles are walked, each along an index (CTL-6).

An order makes a query of ids from conditions on `content`: at most so many, behind a place; it
names what else it sorts by, so that the last row says where the page ended.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_, union_all

from control_api.catalogue.visible import Viewer
from control_api.popularity.tables import popular
from control_api.schema import content

Wanted = Sequence[ColumnElement[bool]]
Place = Sequence[str | int] | None
Order = Callable[[Wanted, Viewer, Place, int], Select[Any]]


def newest(wanted: Wanted, viewer: Viewer, after: Place, most: int) -> Select[Any]:
    """What was published last goes first: a correction makes no title new."""
    query = select(content.c.id, content.c.published_ms).where(*wanted)
    return _walk(query, (content.c.published_ms, content.c.id), after, most, descending=True)


def by_title(wanted: Wanted, viewer: Viewer, after: Place, most: int) -> Select[Any]:
    query = select(content.c.id, content.c.sort_title).where(*wanted)
    return _walk(query, (content.c.sort_title, content.c.id), after, most)


def by_number(wanted: Wanted, viewer: Viewer, after: Place, most: int) -> Select[Any]:
    """Seasons and episodes."""
    numbers = [func.coalesce(content.c[name], 0).label(name) for name in NUMBERS]
    query = select(content.c.id, *numbers).where(*wanted)
    key = (*(number.element for number in numbers), content.c.id)
    return _walk(query, key, after, most)


def by_popularity(wanted: Wanted, viewer: Viewer, after: Place, most: int) -> Select[Any]:
    """How popular where the viewer is, then everywhere, then the newest (CTL-145).

    Titles that nobody here watches are most of all: they are a walk of their own.
    """
    here = (
        popular.c.target_id == content.c.id,
        popular.c.territory == viewer.territory,
        popular.c.shown > 0,
    )
    key = (content.c.popularity, content.c.published_ms, content.c.id)
    loved = select(content.c.id, popular.c.shown.label("shown"), *key[:2]).join_from(
        content, popular, here[0]
    )
    loved = loved.where(*here[1:], *wanted)
    others = select(content.c.id, literal(0).label("shown"), *key[:2])
    unloved = select(literal(1)).where(*here).limit(1).correlate(content).scalar_subquery()
    others = others.where(unloved.is_(None), *wanted)
    if after is not None and after[0] == 0:
        return _walk(others, key, after[1:], most, descending=True)
    walks = [
        _walk(loved, (popular.c.shown, *key), after, most, descending=True).subquery(),
        _walk(others, key, None, most, descending=True).subquery(),
    ]
    both = union_all(*(select(walk) for walk in walks)).subquery().c
    found = select(both.id, both.shown, both.popularity, both.published_ms)
    order = (both.shown, both.popularity, both.published_ms, both.id)
    return found.order_by(*(column.desc() for column in order)).limit(most)


def _walk(
    query: Select[Any],
    key: Sequence[ColumnElement[Any]],
    after: Place,
    most: int,
    *,
    descending: bool = False,
) -> Select[Any]:
    if after is not None:
        mark, here = tuple_(*after), tuple_(*key)
        query = query.where(here < mark if descending else here > mark)
    return query.order_by(*(each.desc() if descending else each for each in key)).limit(most)


NUMBERS = ("season_no", "episode_no")
# By name: the order, and what it sorts by before the id.
ORDERS: Mapping[str, tuple[Order, tuple[str, ...]]] = {
    "newest": (newest, ("published_ms",)),
    "title": (by_title, ("sort_title",)),
    "popular": (by_popularity, ("shown", "popularity", "published_ms")),
    "number": (by_number, NUMBERS),
}
