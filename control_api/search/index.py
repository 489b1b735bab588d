"""Entries of search and the vocabulary, kept in the transaction of the change (CTL-143)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.search.tables import search_entry
from control_api.search.words import distinct, further
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
    await change(connection, [entry.target_id for entry in entries], entries)


async def drop(connection: AsyncConnection, target_ids: Sequence[str]) -> None:
    """Let targets be found no more."""
    await change(connection, target_ids, ())


async def change(
    connection: AsyncConnection, gone: Sequence[str], entries: Sequence[Entry]
) -> None:
    """Let these targets be found no more and then these entries, whose targets are not there, as
    they are now.
    """
    counts: Counter[str] = Counter()
    for at in range(0, len(gone), BATCH_ROWS):
        named = search_entry.c.target_id.in_(gone[at : at + BATCH_ROWS])
        former = delete(search_entry).where(named).returning(search_entry.c.words)
        for words in (await connection.execute(former)).scalars():
            counts.subtract(words.split())
    rows = [_row(entry) for entry in entries]
    await bulk.put(connection, search_entry, rows)
    for row in rows:
        counts.update(row["words"].split())
    await _count(connection, counts)


async def _count(connection: AsyncConnection, counts: Mapping[str, int]) -> None:
    """Words in order and each once, so that two writers never wait for each other in a ring."""
    ordered = sorted((word, n) for word, n in counts.items() if n)
    if not ordered:
        return
    if connection.dialect.name == "postgresql":
        words, ns = map(list, zip(*ordered, strict=True))
        await connection.execute(COUNT_MANY, {"words": words, "ns": ns})
        return
    rows = [{"word": word, "n": n} for word, n in ordered]
    for at in range(0, len(rows), BATCH_ROWS):
        await connection.execute(COUNT, rows[at : at + BATCH_ROWS])


def _row(entry: Entry) -> dict[str, Any]:
    titles, people = distinct(entry.titles), distinct(entry.people)
    others = further((*entry.titles, *entry.people))
    words = list(dict.fromkeys([*titles, *people, *others, *distinct(entry.texts)]))[:MAX_WORDS]
    return {
        "target_id": entry.target_id,
        "kind": entry.kind,
        "label": entry.label,
        "facets": entry.facets,
        "title": " ".join(titles),
        "people": " ".join(people),
        "words": " ".join(words),
    }
