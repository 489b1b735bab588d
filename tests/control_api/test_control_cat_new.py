"""What is new is what was published last, whatever is corrected later (CTL-145)."""

from typing import Any

import pytest
from control_rigs.titles import CONTENTS, OPEN, WRITE, walked
from sqlalchemy import insert, select, update

from control_api.catalogue import documents
from control_api.catalogue.derived import catch_up
from control_api.catalogue.tables import content_version
from control_api.issuer import Passwords
from control_api.migrations import LOCATION
from control_api.schema import content, content_text
from control_api.seed import plant
from runtime.sql import Database

PATCH = {"Content-Type": "application/merge-patch+json"}


async def edit(api: Any, method: str, path: str, body: Any = None, **headers: str) -> Any:
    signed = api.bearer("svc_editor", **WRITE) | headers
    status, answer = await api.send(method, path, body, headers=signed)
    assert status in (200, 201), answer
    return answer


async def published(api: Any, name: str) -> str:
    texts = [{"lang": "en", "title": name}]
    told = {"kind": "series", "texts": texts, "windows": [OPEN], "genres": ["crime"]}
    key = str((await edit(api, "POST", CONTENTS, told))["id"])
    for to in ("review", "approved", "published"):
        await edit(api, "POST", f"{CONTENTS}/{key}/moves", {"to": to})
    return key


async def test_a_correction_makes_nothing_new(api: Any) -> None:
    """Nor does it, to be archived and published once more."""
    old, new = await published(api, "Old"), await published(api, "New")
    async with api.database.write() as connection:
        for key, at_ms in ((old, 1_000), (new, 2_000)):
            known = content.c.id == key
            await connection.execute(update(content).where(known).values(published_ms=at_ms))
    fixed = {"year": 1999}
    version = (await edit(api, "GET", f"/v1/admin/contents/{old}"))["version"]
    match = PATCH | {"If-Match": f'"v{version}"'}
    await edit(api, "PATCH", f"{CONTENTS}/{old}", fixed, **match)
    for to in ("archived", "draft", "review", "approved", "published"):
        await edit(api, "POST", f"{CONTENTS}/{old}/moves", {"to": to})
    for sort in ("newest", "popular"):
        found = await walked(api, f"{CONTENTS}?sort={sort}&kind=series&limit=1")
        assert [key for key in found if key in (old, new)] == [new, old]
    for rail in ("new", "genre.crime"):
        _, answer = await api.send("GET", f"/v1/rails/{rail}")
        found = [each["id"] for each in answer["items"]]
        assert [key for key in found if key in (old, new)] == [new, old]


async def test_it_is_written_when_a_title_is_published(api: Any) -> None:
    key = await published(api, "One")
    async with api.database.read() as connection:
        query = select(content.c.published_ms, content.c.updated_ms).where(content.c.id == key)
        row = (await connection.execute(query)).one()
    assert row.published_ms == row.updated_ms > 0


@pytest.fixture
async def before(migrated: Database) -> Database:
    """As it was before titles knew when they were published."""
    await plant(migrated, Passwords(), "one")
    await migrated.downgrade(LOCATION, "v0040")
    return migrated


async def test_titles_that_were_there_before(before: Database) -> None:
    """By their versions, else by their last change; and for which age they are."""
    rows = [
        ("kept", "published", 9_000, None, "FSK-16"),
        ("bare", "published", 8_000, 12, "FSK-18"),
        ("gone", "archived", 7_000, None, None),
        ("draft", "draft", 6_000, None, "odd"),
    ]
    fields = ("id", "status", "updated_ms", "min_age", "rating")
    versions = [
        ("kept", 2, "draft", 10),
        ("kept", 3, "published", 20),
        ("kept", 5, "published", 30),
    ]
    versions.append(("gone", 4, "published", 40))
    names = ("content_id", "version", "status", "at_ms")
    async with before.write() as connection:
        for row in rows:
            told = dict(zip(fields, row, strict=True)) | {"kind": "movie"}
            await connection.execute(insert(content).values(**told))
        for version in versions:
            told = dict(zip(names, version, strict=True)) | {"document": {}, "actor": "a"}
            await connection.execute(insert(content_version).values(**told))
    await before.upgrade(LOCATION)
    ours = content.c.id.in_([row[0] for row in rows])
    async with before.read() as connection:
        query = select(content.c.id, content.c.published_ms, content.c.age).where(ours)
        found = {key: tuple(rest) for key, *rest in await connection.execute(query)}
    assert found == {"kept": (20, 16), "bare": (8_000, 12), "gone": (40, 0), "draft": (0, 18)}


async def test_names_of_titles_that_were_there_before(before: Database) -> None:
    """As `documents.derived` makes them, so nothing is left to derive."""
    told = {"kind": "movie", "status": "draft", "updated_ms": 5, "rating": "odd"}
    async with before.write() as connection:
        for key, lang in (("song", "de-AT"), ("AIR", None), ("Bare", "de")):
            await connection.execute(insert(content).values(id=key, orig_lang=lang, **told))
            for text, name in (("da", "air"), ("de", "lied"), ("de-DE", "weise")):
                named = {"content_id": key, "lang": text, "title": name, "sort_title": name}
                if key != "Bare":
                    await connection.execute(insert(content_text).values(**named))
    await before.upgrade(LOCATION)
    async with before.read() as connection:
        query = select(content.c.id, content.c.sort_title).where(content.c.rating == "odd")
        found = {row.id: row.sort_title for row in await connection.execute(query)}
        entries = await documents.load(connection, list(found))
    assert found == {"song": "lied", "AIR": "air", "Bare": "bare"}
    assert found == {key: documents.derived(each)["sort_title"] for key, each in entries.items()}
    assert await catch_up(before) == 0
