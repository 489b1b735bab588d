"""Search and suggestions: words, candidates, ranking, page (CTL-143, CTL-144)."""

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audience, sealed
from control_api.calls import Call
from control_api.search import engines, ranking, types
from control_api.search.words import distinct

MAX_ASKED = 8
PRECISION = 1_000_000  # of a worth, in a rank
PLACE_CHARS = 80  # of a title, in a cursor


class Ranked(NamedTuple):
    """A hit with its place in the order: `rank` falls as its worth grows."""

    rank: int
    title: str
    id: str
    row: Any


class Found(NamedTuple):
    hits: list[Ranked]
    corrected: str | None


async def search(call: Call[None]) -> types.SearchAnswer:
    """Find titles and channels by words, with one typo a word forgiven."""
    query: types.SearchQuery = call.query
    limits = {"kind": query.kind, "genre": query.genre, "max_age": await audience.max_age(call)}
    place = _place(call)
    told = repr((query.q, place["territory"], limits)).encode(errors="backslashreplace")
    purpose = f"search:{hashlib.blake2s(told, digest_size=8).hexdigest()}"
    after = sealed.position(call.services.secret, purpose, query.cursor)
    timeout_ms = call.services.settings.timeouts.search_ms
    async with call.services.database.read(timeout_ms=timeout_ms) as connection:
        found = await find(connection, query.q, place, limits)
    hits = found.hits if after is None else [hit for hit in found.hits if hit[:3] > tuple(after)]
    here, cursor = sealed.page(
        hits[: query.limit + 1], query.limit, call.services.secret, purpose, "rank", "title", "id"
    )
    counted = {
        name: [types.FacetValue(value, n) for value, n in values]
        for name, values in ranking.facets(hit.row for hit in found.hits).items()
    }
    return types.SearchAnswer(
        items=[_hit(each.row) for each in here],
        facets=types.Facets(**counted),
        corrected=found.corrected,
        next_cursor=cursor,
    )


async def suggest(call: Call[None]) -> types.SuggestAnswer:
    """The best few for what was typed so far."""
    limits = {"max_age": await audience.max_age(call)}
    if not call.services.flags.on("search"):
        return types.SuggestAnswer([])
    timeout_ms = call.services.settings.timeouts.suggest_ms
    async with call.services.database.read(timeout_ms=timeout_ms) as connection:
        found = await find(connection, call.query.q, _place(call), limits)
    return types.SuggestAnswer([_hit(each.row) for each in found.hits[: call.query.limit]])


async def find(
    connection: AsyncConnection, text: str, place: dict[str, Any], limits: Mapping[str, Any]
) -> Found:
    """Entries with all the words, best first; and the words as they were understood."""
    words = distinct([text])[:MAX_ASKED]
    groups = [await engines.variants(connection, word) for word in words]
    if not words or not all(groups):
        return Found([], None)
    rows = await engines.candidates(connection, groups, place, limits)
    asked = [(word, frozenset(group)) for word, group in zip(words, groups, strict=True)]
    return Found(sorted(_ranked(row, asked) for row in rows), _corrected(words, groups))


def _ranked(row: Any, asked: list[tuple[str, frozenset[str]]]) -> Ranked:
    worth = ranking.score(asked, row.title, row.people, row.popularity)
    return Ranked(-round(worth * PRECISION), row.title[:PLACE_CHARS], row.target_id, row)


def _corrected(words: Sequence[str], groups: Sequence[Sequence[str]]) -> str | None:
    understood = [
        word if any(each.startswith(word) for each in group) else group[0]
        for word, group in zip(words, groups, strict=True)
    ]
    if understood == list(words):
        return None
    return unicodedata.normalize("NFC", " ".join(understood))


def _place(call: Call[None]) -> dict[str, Any]:
    territory = call.query.territory or call.services.settings.default_country
    return {"territory": territory, "now_ms": call.now_ms}


def _hit(row: Any) -> types.Hit:
    told = row.facets
    return types.Hit(row.target_id, row.kind, row.label, told.get("year"), told.get("genres", []))
