"""Which entries have the words, on each database (CTL-143, CTL-144).

Query text never reaches a grammar: its words are looked up in the vocabulary, and only words of the
vocabulary (letters and digits) are put into the engine's own expression.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.ratings import OLDEST
from control_api.schema import Json
from control_api.search.words import one_typo

MAX_PREFIXED = 32  # completions of one word
MAX_SIMILAR = 400  # looked at for a typo
MAX_TYPOS = 8
MIN_FORGIVEN = 5  # letters of a word that may be mistyped (CTL-143)
MAX_CANDIDATES = 400  # ranked per query
SIMILARITY = 0.19  # two neighbours swapped in five letters still pass
LAST = "\U0010ffff"

PREFIXED = text(
    "SELECT word FROM search_word WHERE word >= :word AND word < :last AND n > 0"
    " ORDER BY word <> :word, n DESC, word LIMIT :most"
)
SIMILAR = {
    "sqlite": text(
        "SELECT substr(padded, 3, length(padded) - 3) AS word FROM search_trigrams"
        " WHERE search_trigrams MATCH :grams ORDER BY rank LIMIT :most"
    ),
    "postgresql": text(
        "SELECT word FROM search_word WHERE word % :word AND n > 0"
        " AND length(word) BETWEEN :length - 1 AND :length + 1"
        " ORDER BY similarity(word, :word) DESC LIMIT :most"
    ),
}
HAVING = {
    "sqlite": "e.seq IN (SELECT rowid FROM search_fts WHERE search_fts MATCH :words)",
    "postgresql": "array_to_tsvector(string_to_array(e.words, ' ')) @@ CAST(:words AS tsquery)",
}
JOINED = {"sqlite": (" OR ", " AND "), "postgresql": (" | ", " & ")}
# schema.content_age; none where there is no title.
AGE, TITLE_AGE = (
    f"CASE WHEN {t}.derived_version <> {t}.version THEN {OLDEST} ELSE {t}.age END" for t in "ct"
)
# What narrows a search, where it is asked for.
LIMITS = {
    "kind": "AND e.kind = :kind ",
    "genre": "AND EXISTS (SELECT 1 FROM content_genre g"
    " WHERE g.content_id = e.target_id AND g.genre = :genre) ",
    "max_age": f"AND COALESCE({AGE}, (SELECT n.min_age FROM channel n WHERE n.id = e.target_id),"
    f" (SELECT CASE WHEN {TITLE_AGE} > COALESCE(n.min_age, 0) THEN {TITLE_AGE} ELSE n.min_age END"
    " FROM epg_event p JOIN channel n ON n.id = p.channel_id LEFT JOIN content t"
    " ON t.id = p.content_id WHERE p.id = e.target_id), 0) <= :max_age ",
}
# The limit is part of the text: a plan that is kept must know how few rows are wanted.
CANDIDATES = """
SELECT e.target_id, e.kind, e.label, e.title, e.people, e.facets,
       COALESCE(c.popularity, 0) AS popularity
FROM search_entry e LEFT JOIN content c ON c.id = e.target_id
WHERE {having} AND (c.id IS NULL OR EXISTS (
  SELECT 1 FROM rights_window w WHERE w.content_id = e.target_id
  AND w.territory IN ('**', :territory) AND w.end_ms > :now_ms))
{limits}LIMIT {most}
"""


async def variants(connection: AsyncConnection, word: str) -> list[str]:
    """Words of the vocabulary that may be meant: the word, its completions, else its typos."""
    if len(word) > 1 or not word.isascii():
        asked = {"word": word, "last": word + LAST, "most": MAX_PREFIXED}
        found = list((await connection.execute(PREFIXED, asked)).scalars())
        if found:
            return found
        return await _typos(connection, word)
    return [word]


async def candidates(
    connection: AsyncConnection,
    groups: Sequence[Sequence[str]],
    place: Mapping[str, Any],
    limits: Mapping[str, Any],
) -> Sequence[Any]:
    """Entries that have a word of every group, are visible and within `LIMITS`, at most
    `MAX_CANDIDATES`.
    """
    dialect = connection.dialect.name
    either, both = JOINED[dialect]
    quote = '"' if dialect == "sqlite" else "'"
    words = both.join(
        "(" + either.join(f"{quote}{word}{quote}" for word in group) + ")" for group in groups
    )
    given = {name: value for name, value in limits.items() if value is not None}
    limited = "".join(LIMITS[name] for name in given)
    told = CANDIDATES.format(having=HAVING[dialect], limits=limited, most=MAX_CANDIDATES)
    query = text(told).columns(facets=Json)
    return (await connection.execute(query, {"words": words, **place, **given})).all()


async def _typos(connection: AsyncConnection, word: str) -> list[str]:
    if len(word) < MIN_FORGIVEN - 1:
        return []
    dialect = connection.dialect.name
    asked: dict[str, Any] = {"most": MAX_SIMILAR}
    if dialect == "sqlite":
        padded = f"__{word}_"
        grams = dict.fromkeys(padded[at : at + 3] for at in range(len(padded) - 2))
        asked["grams"] = " OR ".join(f'"{gram}"' for gram in grams)
    else:
        limit = text("SELECT set_config('pg_trgm.similarity_threshold', :value, true)")
        await connection.execute(limit, {"value": str(SIMILARITY)})
        asked |= {"word": word, "length": len(word)}
    near = (await connection.execute(SIMILAR[dialect], asked)).scalars()
    found = [each for each in near if len(each) >= MIN_FORGIVEN and one_typo(word, each)]
    return found[:MAX_TYPOS]
