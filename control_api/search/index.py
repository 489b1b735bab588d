"""Entries of search and the vocabulary, kept in the transaction of the change (CTL-143)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.search.tables import search_entry
from control_api.search.words import distinct

BATCH_ROWS = 500
MAX_WORDS = 400  # of one entry
COUNT = text(
    "INSERT INTO search_word (word, n) VALUES (:word, :n)"
    " ON CONFLICT (word) DO UPDATE SET n = search_word.n + excluded.n"
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
    for at in range(0, len(rows), BATCH_ROWS):
        await connection.execute(insert(search_entry), rows[at : at + BATCH_ROWS])
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
    rows = [{"word": word, "n": sign * n} for word, n in sorted(counts.items())]
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
