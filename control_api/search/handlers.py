"""Search and suggestions: words, candidates, ranking, page (CTL-143, CTL-144)."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import sealed
from control_api.calls import Call
from control_api.search import engines, ranking, types
from control_api.search.words import distinct

MAX_ASKED = 8


class Found(NamedTuple):
    rows: list[Any]
    corrected: str | None


async def search(call: Call[None]) -> types.SearchAnswer:
    """Find titles and channels by words, with one typo a word forgiven."""
    query: types.SearchQuery = call.query
    told = repr((query.q, query.territory, query.kind, query.genre)).encode()
    purpose = f"search:{hashlib.blake2s(told, digest_size=8).hexdigest()}"
    after = sealed.position(call.services.secret, purpose, query.cursor)
    timeout_ms = call.services.settings.timeouts.search_ms
    async with call.services.database.read(timeout_ms=timeout_ms) as connection:
        found = await find(connection, query.q, _place(call), query.kind)
    rows = [row for row in found.rows if _has(row, query.genre)]
    begin = int(after[0]) if after is not None else 0
    end = begin + query.limit
    counted = {
        name: [types.FacetValue(value, n) for value, n in values]
        for name, values in ranking.facets(rows).items()
    }
    more = len(rows) > end
    return types.SearchAnswer(
        items=[_hit(row) for row in rows[begin:end]],
        facets=types.Facets(**counted),
        corrected=found.corrected,
        next_cursor=sealed.seal(call.services.secret, purpose, [end]) if more else None,
    )


async def suggest(call: Call[None]) -> types.SuggestAnswer:
    """The best few for what was typed so far."""
    if not call.services.flags.on("search"):
        return types.SuggestAnswer([])
    timeout_ms = call.services.settings.timeouts.suggest_ms
    async with call.services.database.read(timeout_ms=timeout_ms) as connection:
        found = await find(connection, call.query.q, _place(call), None)
    return types.SuggestAnswer([_hit(row) for row in found.rows[: call.query.limit]])


async def find(
    connection: AsyncConnection, text: str, place: dict[str, Any], kind: str | None
) -> Found:
    """Entries with all the words, best first; and the words as they were understood."""
    words = distinct([text])[:MAX_ASKED]
    groups = [await engines.variants(connection, word) for word in words]
    if not words or not all(groups):
        return Found([], None)
    rows = await engines.candidates(connection, groups, place, kind)
    asked = [(word, frozenset(group)) for word, group in zip(words, groups, strict=True)]
    return Found(_ranked(rows, asked), _corrected(words, groups))


def _ranked(rows: Sequence[Any], asked: list[tuple[str, frozenset[str]]]) -> list[Any]:
    def order(row: Any) -> tuple[float, int, str, str]:
        worth = ranking.score(asked, row.title, row.people, row.popularity)
        return (-worth, -row.popularity, row.title, row.target_id)

    return sorted(rows, key=order)


def _corrected(words: Sequence[str], groups: Sequence[Sequence[str]]) -> str | None:
    understood = [
        word if any(each.startswith(word) for each in group) else group[0]
        for word, group in zip(words, groups, strict=True)
    ]
    return " ".join(understood) if understood != list(words) else None


def _place(call: Call[None]) -> dict[str, Any]:
    territory = call.query.territory or call.services.settings.default_country
    return {"territory": territory, "now_ms": call.now_ms}


def _has(row: Any, genre: str | None) -> bool:
    return genre is None or genre in row.facets.get("genres", ())


def _hit(row: Any) -> types.Hit:
    told = row.facets
    return types.Hit(row.target_id, row.kind, row.label, told.get("year"), told.get("genres", []))
