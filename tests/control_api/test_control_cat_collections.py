"""Collections: put together by editors, seen as far as a place may see (CTL-7, 8, 32, 163)."""

from typing import Any

import pytest
from sqlalchemy import Engine, event

SCOPES = {"scopes": frozenset({"catalog:write"})}
BOOK, SEEN = "/v1/admin/collections", "/v1/collections"
HERE = {"licence": "svod", "start_at": "2026-01-01T00:00:00Z", "end_at": "2099-01-01T00:00:00Z"}
PATCH = {"Content-Type": "application/merge-patch+json", "If-Match": '"v1"'}


async def edit(api: Any, method: str, path: str, body: Any = None, **headers: str) -> Any:
    signed = api.bearer("svc_editor", **SCOPES) | headers
    return await api.send(method, path, body, headers=signed)


async def title(api: Any, name: str, *, public: bool = True, **window: str) -> str:
    told = {
        "kind": "series",
        "texts": [{"lang": "en", "title": name}],
        "windows": [HERE | window],
    }
    _, entry = await edit(api, "POST", "/v1/catalog/contents", told)
    for to in ("review", "approved", "published") if public else ():
        await edit(api, "POST", f"/v1/catalog/contents/{entry['id']}/moves", {"to": to})
    return str(entry["id"])


@pytest.fixture
async def desk(kept: Any, make_api: Any) -> Any:
    return await make_api(kept)


async def made(api: Any, *items: str) -> str:
    texts = [{"lang": "en", "title": "Best", "synopsis": "All"}, {"lang": "fr", "title": "Mieux"}]
    status, entry = await edit(api, "POST", BOOK, {"texts": texts, "items": list(items)})
    assert status == 201, entry
    return str(entry["id"])


async def seen(api: Any, path: str, part: str = "title") -> list[str]:
    _, found = await api.send("GET", path)
    return [each[part] for each in found["items"]]


async def test_viewers_see_what_they_may_in_the_editors_order(desk: Any) -> None:
    """CTL-32: drafts and titles of other places are left out, one by one."""
    names = {name: await title(desk, name) for name in ("A", "B", "C")}
    draft = await title(desk, "Draft", public=False)
    french = await title(desk, "French", territory="FR")
    key = await made(desk, names["C"], draft, names["A"], french, names["B"])
    assert await seen(desk, f"{SEEN}/{key}?territory=US") == ["C", "A", "B"]
    assert await seen(desk, f"{SEEN}/{key}?territory=FR") == ["C", "A", "French", "B"]
    assert await seen(desk, f"/v1/rails/collection.{key}?territory=US") == ["C", "A", "B"]
    _, rail = await desk.send("GET", f"/v1/rails/collection.{key}")
    assert (rail["id"], rail["source"]) == (f"collection.{key}", "editorial")
    _, found = await desk.send("GET", f"{SEEN}/{key}?lang=fr-CA&fields=year")
    assert (found["title"], found["items"][0]) == ("Mieux", {"id": names["C"], "year": None})
    _, found = await desk.send("GET", f"{SEEN}/{key}")
    assert (found["title"], found["synopsis"]) == ("Best", "All")
    for path in (f"{SEEN}/col_none", "/v1/rails/collection.col_none"):
        status, problem = await desk.send("GET", path)
        assert (status, problem["code"]) == (404, "not_found")


async def test_lists_leave_out_what_is_empty_here(desk: Any) -> None:
    """CTL-6, CTL-7."""
    somewhere, french = await title(desk, "A"), await title(desk, "F", territory="FR")
    keys = [await made(desk, somewhere), await made(desk, french), await made(desk, somewhere)]
    await made(desk)
    assert await seen(desk, f"{SEEN}?territory=US", "id") == [keys[2], keys[0]]
    _, first = await desk.send("GET", f"{SEEN}?territory=FR&limit=2")
    cursor = first["next_cursor"]
    assert [each["id"] for each in first["items"]] == [keys[2], keys[1]]
    assert await seen(desk, f"{SEEN}?territory=FR&limit=2&cursor={cursor}", "id") == [keys[0]]
    status, problem = await desk.send("GET", f"{SEEN}?territory=US&cursor={cursor}")
    assert (status, problem["code"]) == (400, "bad_cursor")
    async with desk.client.get(f"{desk.url}{SEEN}") as answer:
        etag, control = answer.headers["ETag"], answer.headers["Cache-Control"]
    assert control.startswith("public, max-age=30")
    async with desk.client.get(f"{desk.url}{SEEN}", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304


async def test_editors_keep_a_book_of_them(desk: Any) -> None:
    """CTL-8, CTL-163: versions, references, audit."""
    a, b = await title(desk, "A"), await title(desk, "B")
    key = await made(desk, a)
    path = f"{BOOK}/{key}"
    status, entry = await edit(desk, "PATCH", path, {"items": [b, a]}, **PATCH)
    assert (status, entry["version"], entry["document"]["items"]) == (200, 2, [b, a])
    for body, headers, expected in (
        ({"items": []}, PATCH, (412, "precondition_failed")),
        ({"items": [a, a]}, PATCH | {"If-Match": "*"}, (400, "invalid")),
        ({"items": ["cnt_none"]}, PATCH | {"If-Match": "*"}, (422, "unknown_reference")),
    ):
        status, problem = await edit(desk, "PATCH", path, body, **headers)
        assert (status, problem["code"]) == expected
    assert (await edit(desk, "GET", path))[1]["document"]["items"] == [b, a]
    assert (await edit(desk, "GET", BOOK))[1]["items"][0]["id"] == key
    assert (await edit(desk, "DELETE", f"/v1/catalog/contents/{b}"))[0] == 204
    assert await seen(desk, f"{SEEN}/{key}") == ["A"], "a title that is gone is in none"
    assert [(await edit(desk, "DELETE", path))[0] for _ in "ab"] == [204, 404]
    headers = desk.bearer("svc_admin", scopes=frozenset({"admin"}))
    _, audit = await desk.send("GET", f"/v1/admin/audit?target={key}", headers=headers)
    lines = [each["action"] for each in audit["items"]]
    assert lines == ["collection.removed", "collection.updated", "collection.created"]


async def test_a_page_of_collections_is_read_at_once(desk: Any) -> None:
    """However many there are, each with its own titles in their order."""
    names = [await title(desk, name) for name in "AB"]

    async def statements() -> tuple[int, list[Any]]:
        said: list[str] = []

        def heard(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if "collection" in statement:
                said.append(statement)

        event.listen(Engine, "before_cursor_execute", heard)
        try:
            _, page = await edit(desk, "GET", f"{BOOK}?limit=200")
        finally:
            event.remove(Engine, "before_cursor_execute", heard)
        return len(said), page["items"]

    await made(desk, *names)
    few, _ = await statements()
    keys = [await made(desk, *items) for items in (names, names[::-1], names[:1], [])]
    many, items = await statements()
    assert many == few > 0
    found = {each["id"]: each["document"]["items"] for each in items}
    assert [found[key] for key in keys] == [names, names[::-1], names[:1], []]
