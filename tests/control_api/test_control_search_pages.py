"""Pages of a search: what changes between two of them repeats nothing and loses nothing (CTL-6)."""

from typing import Any

import pytest
from control_rigs.titles import load, row, walked
from sqlalchemy import update

from control_api.catalogue import documents, found
from control_api.schema import content
from control_api.search import index

KEYS = [f"s_{n}" for n in range(6)]
PATH = "/v1/search?q=evenly&limit=2"


def named(key: str, title: str, **more: Any) -> dict[str, Any]:
    return row(key, texts=[{"lang": "en", "title": title}], **more)


async def shelve(api: Any, *rows: dict[str, Any]) -> None:
    await load(api, *rows)
    async with api.database.write() as connection:
        entries = await documents.load(connection, [each["id"] for each in rows])
        await index.put(connection, [found.by(entry) for entry in entries.values()])


async def page(api: Any, cursor: str | None = None) -> tuple[list[str], str | None]:
    status, answer = await api.send("GET", PATH + (f"&cursor={cursor}" if cursor else ""))
    assert status == 200, answer
    return [each["id"] for each in answer["items"]], answer["next_cursor"]


@pytest.fixture
async def shelf(api: Any) -> Any:
    await shelve(api, *(named(key, f"Evenly {n}") for n, key in enumerate(KEYS)))
    return api


async def test_pages_join(shelf: Any) -> None:
    assert await walked(shelf, PATH) == KEYS
    assert await walked(shelf, "/v1/search?q=evenly&limit=6") == KEYS


async def test_a_hit_that_comes_repeats_none(shelf: Any) -> None:
    """It is worth more than what was shown."""
    first, cursor = await page(shelf)
    await shelve(shelf, named("s_best", "Evenly"))
    second, _ = await page(shelf, cursor)
    assert (first, second) == (KEYS[:2], KEYS[2:4])
    assert (await page(shelf))[0][0] == "s_best"


async def test_a_hit_that_goes_loses_none(shelf: Any) -> None:
    """Nor does the one go that the cursor was made of."""
    _, cursor = await page(shelf)
    async with shelf.database.write() as connection:
        await index.drop(connection, KEYS[:2])
    second, cursor = await page(shelf, cursor)
    third, end = await page(shelf, cursor)
    assert (second, third, end) == (KEYS[2:4], KEYS[4:], None)


async def test_worth_goes_first(shelf: Any) -> None:
    async with shelf.database.write() as connection:
        loved = update(content).where(content.c.id == KEYS[4]).values(popularity=7)
        await connection.execute(loved)
    assert await walked(shelf, PATH) == [KEYS[4], *KEYS[:4], KEYS[5]]


async def test_a_cursor_is_of_its_search(shelf: Any) -> None:
    _, cursor = await page(shelf)
    for other in ("genre=crime", "max_age=6", "kind=series", "territory=FR"):
        status, problem = await shelf.send("GET", f"{PATH}&{other}&cursor={cursor}")
        assert (status, problem["code"]) == (400, "bad_cursor")


async def test_long_titles_and_every_script(api: Any) -> None:
    """A title of any length makes a cursor that is read again."""
    titles = [f"evenly {letter * 500}" for letter in "aüşمあ漢"]
    await shelve(api, *(named(f"s_{n}", title[:512]) for n, title in enumerate(titles)))
    assert sorted(await walked(api, "/v1/search?q=evenly&limit=1")) == KEYS


async def test_facets_count_what_is_found(api: Any) -> None:
    """Of a genre, of an age, also where more have the words than are looked at."""
    rows = [named(f"s_{n}", f"Evenly {n}", genres=["crime"], min_age=16) for n in range(450)]
    rows += [named(f"t_{n}", f"Evenly {n}", genres=["noir"]) for n in range(3)]
    await shelve(api, *rows)
    for narrowed in ("genre=noir", "max_age=6"):
        path = f"/v1/search?q=evenly&{narrowed}"
        _, answer = await api.send("GET", path)
        assert sorted(each["id"] for each in answer["items"]) == ["t_0", "t_1", "t_2"]
        assert answer["facets"]["genre"] == [{"value": "noir", "count": 3}]
        assert answer["facets"]["kind"] == [{"value": "series", "count": 3}]
    every = await walked(api, "/v1/search?q=evenly&limit=50")
    assert len(every) == len(set(every)) == 400


@pytest.mark.parametrize(
    ("title", "asked"),
    [
        ("Größenwahn Überall", ["GRÖSSENWAHN", "grossenwahn", "u\u0308berall"]),
        (
            "İstanbul I\u015f\u0131k",
            ["istanbul", "ISTANBUL", "\u0131\u015f\u0131k", "ISIK", "İSTANBUL"],
        ),
        ("مُحَمَّد رسول", ["محمد", "\u200fمحمد\u200f", "رسول"]),
        ("أحلام", ["احلام", "أحلام"]),
        ("東京物語", ["東京", "物語"]),
        ("😀 Smile 👩\u200d👩\u200d👧", ["smile", "smile 😀"]),
    ],
)
async def test_scripts(api: Any, title: str, asked: list[str]) -> None:
    await shelve(api, named("s_one", title))
    for text in asked:
        status, answer = await api.send("GET", "/v1/search", params={"q": text})
        assert status == 200 and [each["id"] for each in answer["items"]] == ["s_one"], text


@pytest.mark.parametrize(
    "raw", ["%00", "a%00b", "%ED%A0%80", "%F0%9F%98%80", "%E2%80%AE", "%FF", "'"]
)
async def test_odd_letters_harm_nothing(shelf: Any, raw: str) -> None:
    for path in ("/v1/search", "/v1/search/suggest"):
        for text in (raw, f"evenly%20{raw}"):
            status, answer = await shelf.send("GET", f"{path}?q={text}")
            assert status == 200 or (status, answer["code"]) == (400, "invalid"), answer
        status, answer = await shelf.send("GET", f"{path}?q={'a' * 4_000}")
        assert (status, answer["code"]) == (400, "invalid")
