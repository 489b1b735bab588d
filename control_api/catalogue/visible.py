"""Which titles a place may see (CTL-32), as conditions on `content`.

`visible` and `offered` look at one title at a time, so that a list that is walked by an index stops
where its page ends; `whole` is for what counts all of them at once.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Table, and_, literal, or_, select, true

from control_api.schema import asset, content, content_age, rights_window

WITHOUT_ASSET = ("series", "season")


class Viewer(msgspec.Struct, frozen=True):
    """The place that a public answer is made for, and up to which age; None is any."""

    territory: str
    platform: str
    langs: Sequence[str]
    now_ms: int
    max_age: int | None = None


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """Published, for the age, with a window of the place that is open or announced."""
    return and_(_public(viewer), _has(rights_window, _open(viewer)))


def offered(viewer: Viewer) -> ColumnElement[bool]:
    """Visible, with something that can be played; a series has that in its parts."""
    return and_(visible(viewer), or_(content.c.kind.in_(WITHOUT_ASSET), _has(asset, _READY)))


def whole(viewer: Viewer) -> ColumnElement[bool]:
    """What `offered` says, for a query that reads all titles."""
    ready = content.c.id.in_(select(asset.c.content_id).where(_READY))
    return and_(
        _public(viewer),
        content.c.id.in_(select(rights_window.c.content_id).where(_open(viewer))),
        or_(content.c.kind.in_(WITHOUT_ASSET), ready),
    )


def _public(viewer: Viewer) -> ColumnElement[bool]:
    fits = true() if viewer.max_age is None else content_age <= viewer.max_age
    return and_(content.c.status == "published", fits)


def _has(table: Table, which: ColumnElement[bool]) -> ColumnElement[bool]:
    """EXISTS that PostgreSQL does not turn into a look at the whole table: it takes an OR for a
    reason to, whatever the LIMIT.
    """
    one = select(literal(1)).select_from(table).where(table.c.content_id == content.c.id, which)
    return one.limit(1).scalar_subquery().is_not(None)


def _open(viewer: Viewer) -> ColumnElement[bool]:
    matches = and_(
        rights_window.c.territory.in_(("**", viewer.territory)),
        rights_window.c.end_ms > viewer.now_ms,
    )
    if viewer.platform == "*":
        return matches
    return and_(matches, rights_window.c.platform.in_(("*", viewer.platform)))


_READY = and_(asset.c.kind == "vod", asset.c.state == "ready")
