"""Rails for many: what fills each is kept in every process, and stands in while the database is
away or late.

Which titles fill a rail takes long to find, so it is found twice a minute; whether a title may be
seen is asked anew each time, by its windows and its age alone where the database does not answer.
The front page is kept apart from rails that are asked for by name, which anybody may make up.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from sqlalchemy import select

from control_api import kept
from control_api.catalogue import documents, genres, rails, shown, types
from control_api.catalogue.visible import Viewer, offered
from control_api.ratings import title_age
from control_api.schema import content
from runtime.sql import Database, SqlError

SEEN_MS = 1_000  # a request has 5 s, of which `kept.FILL_MS` are for what fills rails
MOST_TITLES = 4_096

Place = tuple[str, str, int | None]
Page = kept.Kept[Place, Sequence[rails.Filling]]
Named = kept.Kept[tuple[str, Place], rails.Filling]


class Known(NamedTuple):
    entry: types.Entry
    popularity: int


class Titles:
    """What all rails show, as it last was; the longest unused goes first."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()

    async def seen(
        self, database: Database, wanted: Sequence[str], viewer: Viewer, budget_ms: float
    ) -> tuple[Mapping[str, Known], bool]:
        """Those that may be seen now, and whether they are stale because the database does not
        answer, or not soon enough. Raises SqlError if it does not and none is known.
        """
        old = {key: self._known[key] for key in wanted if key in self._known}
        try:
            async with asyncio.timeout(kept.patience_s(budget_ms) if old else None):
                found = await _read(database, wanted, old, viewer) if wanted else {}
        except (SqlError, TimeoutError):
            if not old:
                raise
            return {key: each for key, each in old.items() if _fits(each.entry, viewer)}, True
        for key, each in found.items():
            self._known[key] = each
            self._known.move_to_end(key)
        while len(self._known) > MOST_TITLES:
            self._known.popitem(last=False)
        return found, False


async def page(
    database: Database, fields: str | None, viewer: Viewer, budget_ms: float = inf
) -> tuple[list[types.Rail], bool]:
    """The rails of a front page, and whether they are stale."""

    async def made() -> Sequence[rails.Filling]:
        async with database.read(timeout_ms=kept.FILL_MS) as connection:
            fullest = await genres.count(connection, viewer)
            names = rails.names(fullest.items)
            return [await rails.filling(connection, name, viewer) for name in names]

    copies: Page = kept.of(database, "front page", kept.Kept)
    fillings, old = await copies.get(
        _place(viewer), viewer.now_ms, made, _filled, budget_ms=budget_ms
    )
    found, stale = await _rows(database, fillings, fields, viewer, budget_ms)
    return found, stale or old


async def named(
    database: Database, name: str, fields: str | None, viewer: Viewer, budget_ms: float = inf
) -> tuple[types.Rail, bool]:
    """A rail by name, and whether it is stale; 404 for a name that is none."""

    async def made() -> rails.Filling:
        async with database.read(timeout_ms=kept.FILL_MS) as connection:
            return await rails.filling(connection, name, viewer)

    copies: Named = kept.of(database, "rails", kept.Kept)
    key = (name, _place(viewer))
    filling, old = await copies.get(
        key, viewer.now_ms, made, lambda each: _filled([each]), budget_ms=budget_ms
    )
    (found,), stale = await _rows(database, [filling], fields, viewer, budget_ms)
    return found, stale or old


async def _rows(
    database: Database,
    fillings: Sequence[rails.Filling],
    fields: str | None,
    viewer: Viewer,
    budget_ms: float,
) -> tuple[list[types.Rail], bool]:
    names = shown.listed(fields)
    wanted = sorted({key for filling in fillings for key in filling.content_ids})
    titles = kept.of(database, "titles", Titles)
    seen, stale = await titles.seen(database, wanted, viewer, budget_ms)
    return [_rail(filling, seen, names, viewer) for filling in fillings], stale


def _rail(
    filling: rails.Filling, seen: Mapping[str, Known], names: frozenset[str], viewer: Viewer
) -> types.Rail:
    found = [seen[key] for key in filling.content_ids if key in seen]
    items = [shown.dressed(each.entry, each.popularity, names, viewer) for each in found]
    return types.Rail(filling.id, filling.source, items)


async def _read(
    database: Database, wanted: Sequence[str], old: Mapping[str, Known], viewer: Viewer
) -> dict[str, Known]:
    """Those that may be seen; only the ones that changed are loaded."""
    query = select(content.c.id, content.c.version, content.c.popularity)
    query = query.where(content.c.id.in_(wanted), offered(viewer))
    async with database.read(timeout_ms=SEEN_MS) as connection:
        rows = (await connection.execute(query)).all()
        same = {
            row.id: old[row.id].entry
            for row in rows
            if row.id in old and old[row.id].entry.version == row.version
        }
        changed = [row.id for row in rows if row.id not in same]
        entries = same | (await documents.load(connection, changed) if changed else {})
    return {row.id: Known(entries[row.id], row.popularity) for row in rows}


def _fits(entry: types.Entry, viewer: Viewer) -> bool:
    told = entry.document
    young = viewer.max_age is None or title_age(told.min_age, told.rating) <= viewer.max_age
    return young and shown.availability(told, viewer) != (None, None)


def _filled(fillings: Iterable[rails.Filling]) -> bool:
    return any(filling.content_ids for filling in fillings)


def _place(viewer: Viewer) -> Place:
    return (viewer.territory, viewer.platform, viewer.max_age)
