"""While some nodes are of an older release, which writes titles and not what lists read of them."""

from typing import Any

import pytest
from control_rigs.titles import CONTENTS, load, row
from sqlalchemy import select, update

from control_api.catalogue import derived, documents, found
from control_api.catalogue.derived import catch_up
from control_api.schema import content, content_text
from control_api.search import index
from runtime.sql import Database

LISTS = (CONTENTS, "/v1/rails/new", "/v1/search?q=title")
KEYS = ("s_mild", "s_strict", "s_new")


async def shown(api: Any, path: str, age: int) -> set[str]:
    query = f"{path}{'&' if '?' in path else '?'}max_age={age}"
    status, answer = await api.send("GET", query)
    assert status == 200, answer
    return {each["id"] for each in answer["items"]} & set(KEYS)


async def write(database: Database, key: str, **told: Any) -> None:
    """What an older release does when an editor changes a title."""
    async with database.write() as connection:
        change = update(content).where(content.c.id == key)
        await connection.execute(change.values(version=content.c.version + 1, **told))


@pytest.fixture
async def mixed(api: Any) -> Any:
    await load(api, *(row(key, rating="FSK-6") for key in KEYS))
    async with api.database.write() as connection:
        entries = await documents.load(connection, KEYS)
        await index.put(connection, [found.by(entry) for entry in entries.values()])
    for path in LISTS:
        assert await shown(api, path, 6) == set(KEYS)
    await write(api.database, "s_strict", rating="FSK-18")
    await write(api.database, "s_mild", rating="FSK-0")
    await write(api.database, "s_new", published_ms=0, updated_ms=77)
    async with api.database.write() as connection:
        known = content_text.c.content_id == "s_mild"
        await connection.execute(update(content_text).where(known).values(sort_title="aaa"))
    return api


async def test_children_see_nothing_that_nobody_derived(mixed: Any) -> None:
    """CTL-77: until it is, a title is for the oldest."""
    for path in LISTS:
        assert await shown(mixed, path, 18) == set(), path
        assert await shown(mixed, path, 21) == set(KEYS), path
    assert await catch_up(mixed.database) == len(KEYS)
    for path in (CONTENTS, "/v1/search?q=title"):
        assert await shown(mixed, path, 6) == {"s_mild", "s_new"}, path
        assert await shown(mixed, path, 18) == set(KEYS), path
    assert await catch_up(mixed.database) == 0


async def test_what_it_derives(mixed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few at a time; also when a title was published, and its name."""
    monkeypatch.setattr(derived, "UNDERIVED", derived.UNDERIVED.limit(2))
    assert [await catch_up(mixed.database) for _ in range(3)] == [2, 1, 0]
    names = ("age", "sort_title", "published_ms")
    query = select(content.c.id, *(content.c[name] for name in names))
    async with mixed.database.read() as connection:
        rows = await connection.execute(query.where(content.c.id.in_(KEYS)))
        told = {key: tuple(rest) for key, *rest in rows}
    assert told["s_mild"][:2] == (0, "aaa")
    assert told["s_strict"][:2] == (18, "title s_strict")
    assert told["s_new"] == (6, "title s_new", 77)


@pytest.mark.parametrize(
    ("lang", "title"),
    [("de-AT", "Lied"), ("DE", "Lied"), ("de-at-1996", "Lied"), ("d", "Air"), (None, "Air")],
)
async def test_its_name_is_the_same_everywhere(api: Any, lang: str | None, title: str) -> None:
    """For editors, for viewers and in the order of titles (RFC 4647 section 3.4)."""
    texts = [{"lang": "de", "title": "Lied"}, {"lang": "da", "title": "Air"}]
    await load(api, row("s_song", texts=texts, orig_lang=lang))
    query = select(documents.named().label("title"), content.c.sort_title)
    async with api.database.read() as connection:
        row_of = (await connection.execute(query.where(content.c.id == "s_song"))).one()
        entry = (await documents.load(connection, ["s_song"]))["s_song"]
    assert documents.title(entry.document).title == title
    assert (row_of.title, row_of.sort_title) == (title, title.lower())
