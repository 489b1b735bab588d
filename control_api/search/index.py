"""Entries of search and the vocabulary, kept in the transaction of the change (CTL-143)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.search.tables import search_entry
from control_api.search.words import distinct
from runtime import bulk

BATCH_ROWS = 500
MAX_WORDS = 400  # of one entry
UPSERT = "ON CONFLICT (word) DO UPDATE SET n = search_word.n + excluded.n"
COUNT = text(f"INSERT INTO search_word (word, n) VALUES (:word, :n) {UPSERT}")
COUNT_MANY = text(  # in one statement, where the database can
    "INSERT INTO search_word (word, n) SELECT word, n FROM"
    f" unnest(CAST(:words AS text[]), CAST(:ns AS bigint[])) AS given (word, n) {UPSERT}"
)


class Entry(Struct, frozen=True):
    """What can be found: `label` is shown, the texts are searched, `facets` are counted."""

    target_id: str
    kind: str
    label: str
    titles: tuple[str, ...]
    people: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    facets: dict[str, Any] = {}


async def put(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Let entries be found from now on, as they are now."""
    await drop(connection, [entry.target_id for entry in entries])
    await add(connection, entries)


async def add(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Let entries be found whose targets were not there before."""
    rows = [_row(entry) for entry in entries]
    await bulk.put(connection, search_entry, rows)
    await _count(connection, [row["words"] for row in rows], 1)


async def drop(connection: AsyncConnection, target_ids: Sequence[str]) -> None:
    """Let targets be found no more."""
    for at in range(0, len(target_ids), BATCH_ROWS):
        named = search_entry.c.target_id.in_(target_ids[at : at + BATCH_ROWS])
        found = list(
            (await connection.execute(select(search_entry.c.words).where(named))).scalars()
        )
        if found:
            await connection.execute(delete(search_entry).where(named))
            await _count(connection, found, -1)


async def _count(connection: AsyncConnection, texts: Sequence[str], sign: int) -> None:
    """Words in order, so that two writers never wait for each other in a ring."""
    counts = Counter(word for words in texts for word in words.split())
    ordered = sorted(counts.items())
    if not ordered:
        return
    if connection.dialect.name == "postgresql":
        words, ns = [word for word, _ in ordered], [sign * n for _, n in ordered]
        await connection.execute(COUNT_MANY, {"words": words, "ns": ns})
        return
    rows = [{"word": word, "n": sign * n} for word, n in ordered]
    for at in range(0, len(rows), BATCH_ROWS):
        await connection.execute(COUNT, rows[at : at + BATCH_ROWS])


def _row(entry: Entry) -> dict[str, Any]:
    titles, people = distinct(entry.titles), distinct(entry.people)
    words = list(dict.fromkeys([*titles, *people, *distinct(entry.texts)]))[:MAX_WORDS]
    told = structs.asdict(entry)
    return {name: told[name] for name in ("target_id", "kind", "label", "facets")} | {
        "title": " ".join(titles),
        "people": " ".join(people),
        "words": " ".join(words),
    }
