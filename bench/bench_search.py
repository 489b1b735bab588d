"""Search over many titles on PostgreSQL, a typo in every query (CTL-143, CTL-144).

    HEADWATER_BENCH_SQL=postgresql://... python -m bench.bench_search --json

The URL names an empty database. `HEADWATER_SEARCH_TITLES` says how many titles (100,000; the long
form is 1,000,000). Percentiles are over `QUERIES` queries, one after the other, through the same
functions that the API calls. Lower is better.
"""

import asyncio
import os
import random
import statistics
import time

from sqlalchemy import insert, text

from bench import harness
from control_api.migrations import LOCATION
from control_api.schema import content, rights_window
from control_api.search import handlers, index
from runtime.sql import Database

TITLES = int(os.environ.get("HEADWATER_SEARCH_TITLES", "100000"))
QUERIES = 400
BATCH = 5_000
SYLLABLES = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er")]
VOCABULARY = 60_000
COMMON = ["the", "of", "a", "night", "house", "last", "love", "man", "day", "city"]
PLACE = {"territory": "SE", "now_ms": 1_000}


def vocabulary(draw: random.Random) -> list[str]:
    """Made-up words of two to four syllables, the common ones first."""
    made = {"".join(draw.choices(SYLLABLES, k=draw.randint(2, 4))) for _ in range(VOCABULARY)}
    return COMMON + sorted(made)


def title(draw: random.Random, words: list[str]) -> list[str]:
    """Common words often, rare ones seldom."""

    def one() -> str:
        if draw.random() < 0.35:
            return draw.choice(COMMON)
        return words[int(len(words) * draw.random() ** 2)]

    return [one() for _ in range(draw.randint(2, 5))]


def mistyped(draw: random.Random, word: str) -> str:
    """One letter lost, doubled or swapped with the next."""
    at = draw.randrange(1, len(word) - 1)
    kind = draw.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


async def fill(database: Database, draw: random.Random, words: list[str]) -> list[list[str]]:
    """Published titles with a window each; a sample of them to ask for."""
    asked: list[list[str]] = []
    for begin in range(0, TITLES, BATCH):
        named = [(f"cnt_{n}", title(draw, words)) for n in range(begin, min(begin + BATCH, TITLES))]
        async with database.write(timeout_ms=600_000) as connection:
            await connection.execute(
                insert(content),
                [
                    {"id": k, "kind": "movie", "status": "published", "updated_ms": 1}
                    for k, _ in named
                ],
            )
            await connection.execute(
                insert(rights_window),
                [
                    {"id": f"w{k}", "content_id": k, "territory": "**", "licence": "svod",
                     "platform": "*", "start_ms": 0, "end_ms": 10**15}
                    for k, _ in named
                ],
            )  # fmt: skip
            await index.put(
                connection, [index.Entry(k, "movie", " ".join(t), (" ".join(t),)) for k, t in named]
            )
        asked += [t for _, t in named if draw.random() < 5 * QUERIES / TITLES]
    async with database.write(timeout_ms=600_000) as connection:
        await connection.execute(text("ANALYZE"))
    return asked


async def measure(url: str) -> list[str]:
    lines: list[str] = []
    draw = random.Random(1)
    words = vocabulary(draw)
    async with Database(url, timeout_ms=600_000) as database:
        await database.upgrade(LOCATION)
        begun = time.perf_counter()
        asked = await fill(database, draw, words)
        rate = TITLES / (time.perf_counter() - begun)
        lines.append(harness.line("search", "index", rate, "titles/s", None, None))
        taken: list[float] = []
        found = 0
        draw.shuffle(asked)
        for wanted in asked[:QUERIES]:
            typed = list(wanted)
            long = [n for n, word in enumerate(typed) if len(word) > 5]
            if long:
                at = draw.choice(long)
                typed[at] = mistyped(draw, typed[at])
            begun = time.perf_counter()
            async with database.read() as connection:
                answer = await handlers.find(connection, " ".join(typed), PLACE, {})
            taken.append(1_000 * (time.perf_counter() - begun))
            found += any(hit.row.label == " ".join(wanted) for hit in answer.hits[:10])
        cuts = statistics.quantiles(taken, n=100)
        for name, value in (("p50", cuts[49]), ("p95", cuts[94]), ("p99", cuts[98])):
            lines.append(
                harness.line("search", f"typo_{name}_of_{TITLES}", value, "ms", None, None)
            )
        lines.append(
            harness.line("search", "found_in_ten", 100 * found / len(taken), "%", None, None)
        )
    return lines


def rows() -> list[str]:
    url = os.environ.get("HEADWATER_BENCH_SQL")
    if url is None:
        raise SystemExit("HEADWATER_BENCH_SQL names an empty PostgreSQL database")
    return asyncio.run(measure(url))


if __name__ == "__main__":
    harness.main(__doc__, rows)
