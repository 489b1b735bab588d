"""Rails for many: what fills each is kept in every process, and stands in while the database is
away.

Which titles fill a rail takes long to find, so it is found twice a minute; whether a title may be
seen is asked anew each time, by its windows alone where the database does not answer.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import select

from control_api.catalogue import documents, rails, shown, types
from control_api.catalogue.visible import Viewer, offered
from control_api.kept import Kept
from control_api.schema import content
from runtime.sql import Database, SqlError

TIMEOUT_MS = 4_000  # a request's time, less some for the rest of its answer


class Filled(NamedTuple):
    """A rail with its titles, in order, as editors have them."""

    filling: rails.Filling
    entries: Mapping[str, types.Entry]
    popularity: Mapping[str, int]


Copies = Kept[tuple[str, str, str, int | None], Filled]
_COPIES: WeakKeyDictionary[Database, Copies] = WeakKeyDictionary()


async def rows(
    database: Database, names: Sequence[str], fields: str | None, viewer: Viewer
) -> tuple[list[types.Rail], bool]:
    """Rails by name, and whether they are stale; 404 for a name that is none."""
    listed = shown.listed(fields)
    found = [await _filled(database, name, viewer) for name in names]
    wanted = {key for filled, _ in found for key in filled.entries}
    may = await _offered(database, sorted(wanted), viewer)
    stale = may is None or any(old for _, old in found)
    return [_rail(filled, listed, may, viewer) for filled, _ in found], stale


async def _filled(database: Database, name: str, viewer: Viewer) -> tuple[Filled, bool]:
    async def made() -> Filled:
        async with database.read(timeout_ms=TIMEOUT_MS) as connection:
            filling = await rails.filling(connection, name, viewer)
            entries = await documents.load(connection, filling.content_ids)
            popularity = await shown.popularities(connection, filling.content_ids)
        return Filled(filling, entries, popularity)

    copies = _COPIES.setdefault(database, Kept())
    place = (name, viewer.territory, viewer.platform, viewer.max_age)
    return await copies.get(place, viewer.now_ms, made)


async def _offered(database: Database, wanted: Sequence[str], viewer: Viewer) -> set[str] | None:
    """Those that may be seen now; None if the database does not tell."""
    query = select(content.c.id).where(content.c.id.in_(wanted), offered(viewer))
    try:
        async with database.read() as connection:
            return set((await connection.execute(query)).scalars())
    except SqlError:
        return None


def _rail(
    filled: Filled, names: frozenset[str], may: set[str] | None, viewer: Viewer
) -> types.Rail:
    key, source, content_ids = filled.filling
    entries = [filled.entries[each] for each in content_ids if each in filled.entries]
    seen = [each for each in entries if _open(each, viewer) and (may is None or each.id in may)]
    items = [shown.dressed(each, filled.popularity.get(each.id, 0), names, viewer) for each in seen]
    return types.Rail(key, source, items)


def _open(entry: types.Entry, viewer: Viewer) -> bool:
    return shown.availability(entry.document, viewer) != (None, None)
