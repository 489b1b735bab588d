"""Names are found by their parts in every script (CTL-143)."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.schema import content, content_text, rights_window
from control_api.search.index import Entry, put
from control_api.search.words import distinct, folded, further

TITLES = {
    "cnt_a": ("Le Fabuleux Destin d\u2019Amélie Poulain", ["ame poul", "amelie", "d'amélie"]),
    "cnt_b": ("千と千尋の神隠し", ["千と千尋の神隠し", "千尋", "神隠し", "千"]),
    "cnt_c": ("Spider-Man: Far From Home", ["spiderman", "spider man", "spider-man far"]),
    "cnt_d": ("Ocean's Eleven", ["oceans", "ocean\u2019s", "eleven"]),
    "cnt_e": ("พี่มาก..พระโขนง", ["พระโขนง", "โขนง"]),
    "cnt_f": ("기생충", ["기생", "기생충"]),
}


async def test_parts_of_names(api: Any) -> None:
    always = {"start_ms": 0, "end_ms": 4_102_444_800_000, "territory": "**", "licence": "free"}
    entries = []
    async with api.database.write() as connection:
        for key, (title, _) in TITLES.items():
            row = {"id": key, "kind": "movie", "status": "published", "updated_ms": 1}
            await connection.execute(content.insert().values(row))
            text = {"content_id": key, "lang": "und", "title": title, "sort_title": title}
            await connection.execute(content_text.insert().values(text))
            window = {"id": f"w{key}", "content_id": key, "platform": "*", **always}
            await connection.execute(rights_window.insert().values(window))
            entries.append(Entry(key, "movie", title, (title,)))
        await put(connection, entries)
    wrong = {}
    for key, (_, questions) in TITLES.items():
        for q in questions:
            _, answer = await api.send("GET", "/v1/search", params={"q": q})
            found = [each["id"] for each in answer["items"]]
            if found[:1] != [key]:
                wrong[q] = found
    assert wrong == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("l'Avare", ["avare"]),
        ("don't, it's, we'll", []),
        ("Spider-Man", ["spiderman"]),
        ("千と千尋", ["と千尋", "千尋", "尋"]),
        ("plain words", []),
        ("-'\u2019--", []),
    ],
)
def test_further_words(text: str, words: list[str]) -> None:
    assert further([text]) == words


@given(st.text("ab\u00e9-\u2010 ", max_size=30))
def test_hyphened_words(text: str) -> None:
    """Each word is looked at once, and nothing is found otherwise than by looking everywhere."""
    everywhere = re.findall(r"\w+(?:[-\u2010]\w+)+", text)
    assert further([text]) == distinct("".join(folded(each)) for each in everywhere)


@pytest.mark.parametrize("text", ["a" * 16_000, "a-" * 8_000, "-a" * 8_000, "'a" * 8_000])
def test_further_words_cost_as_little_as_words(text: str) -> None:
    """By the processor's time; a search from each letter on would take thousands of times as long
    as one pass.
    """

    def cost_s(work: Callable[[], object]) -> float:
        began = time.thread_time()
        work()
        return time.thread_time() - began

    once = max(min(cost_s(lambda: folded(text)) for _ in range(3)), 0.001)
    assert min(cost_s(lambda: further([text])) for _ in range(3)) < 100 * once
