"""Which entries come first: titles over people over text, whole words over beginnings (CTL-143)."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

TITLE, PEOPLE, TEXT = 12.0, 5.0, 1.0
BEGUN, MISTYPED = 0.7, 0.6  # of a whole word's worth
FIRST_WORD, WHOLE_TITLE = 2.0, 10.0
SHORT = 2.0  # for a title that has nothing but the words
POPULARITY = 0.5  # for each doubling
FACETS = ("kind", "genre", "audio", "decade")
MAX_VALUES = 20  # of one facet


def score(asked: Sequence[tuple[str, frozenset[str]]], title: str, people: str, n: int) -> float:
    """Worth of an entry for words with what they may mean; `n` is its popularity."""
    titles, names = title.split(), people.split()
    worth = sum(
        max(_worth(*each, titles, TITLE), _worth(*each, names, PEOPLE), TEXT) for each in asked
    )
    words = [word for word, _ in asked]
    if titles[:1] == words[:1]:
        worth += FIRST_WORD
    if titles == words:
        worth += WHOLE_TITLE
    worth += SHORT * len(words) / max(len(titles), len(words), 1)
    return worth + POPULARITY * math.log2(1 + max(n, 0))


def _worth(word: str, variants: frozenset[str], where: Sequence[str], weight: float) -> float:
    found = variants.intersection(where)
    if not found:
        return 0.0
    if word in found:
        return weight
    return weight * (BEGUN if any(each.startswith(word) for each in found) else MISTYPED)


def facets(rows: Iterable[Any]) -> dict[str, list[tuple[str, int]]]:
    """How many of the rows have which value, the commonest first."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for row in rows:
        told = row.facets
        counts["kind"][row.kind] += 1
        counts["genre"].update(told.get("genres", ()))
        counts["audio"].update(told.get("audio", ()))
        if told.get("year"):
            counts["decade"][f"{told['year'] // 10 * 10}s"] += 1
    return {
        name: sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_VALUES]
        for name, counted in counts.items()
    }
