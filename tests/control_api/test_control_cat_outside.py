"""The catalogue as a stranger finds it: names, languages, rows without ids, what is not there."""

import json
from typing import Any

import pytest

from control_api.times import now_ms, utc

EDITOR = {"scopes": frozenset({"catalog:write"})}
CONTENTS = "/v1/catalog/contents"
IMPORTS = "/v1/admin/contents/imports"
FREE = {"licence": "free", "start_at": "2026-01-01T00:00:00Z", "end_at": "2099-01-01T00:00:00Z"}


def told(title: str, **more: Any) -> dict[str, Any]:
    texts = [{"lang": "nb", "title": title}, {"lang": "zu", "title": f"{title} (zu)"}]
    return {"kind": "movie", "texts": texts, "windows": [FREE], **more}


async def edit(api: Any, method: str, path: str, body: Any = None, **more: Any) -> Any:
    headers = api.bearer("svc_editor", **EDITOR) | more.pop("headers", {})
    return await api.send(method, path, body, headers=headers, **more)


async def published(api: Any, document: dict[str, Any], *, asset: bool = True) -> str:
    status, entry = await edit(api, "POST", CONTENTS, document)
    assert status == 201, entry
    key = str(entry["id"])
    if asset:
        path = f"/v1/admin/contents/{key}/assets/ast_{key[4:]}"
        assert (await edit(api, "PUT", path, {"origin_path": "/vod/film/"}))[0] == 200
    for to in ("review", "approved", "published"):
        assert (await edit(api, "POST", f"{CONTENTS}/{key}/moves", {"to": to}))[0] == 200
    return key


async def stopped(api: Any, key: str, position_ms: int, percent: int = 10) -> tuple[int, Any]:
    at = utc(now_ms() + position_ms).isoformat()
    body = {"position_ms": percent * 10_000, "duration_ms": 1_000_000, "updated_at": at}
    answer: tuple[int, Any] = await api.send(
        "PUT", f"/v1/bookmarks/{key}?profile_id={api.profile}", body
    )
    return answer


@pytest.fixture
async def home(api: Any) -> Any:
    """An API, and a profile to watch with."""
    status, made = await api.send("POST", "/v1/profiles", {"name": "Ann"})
    assert status == 201
    api.profile = made["id"]
    return api


async def test_names_without_an_original_language(home: Any) -> None:
    """Every list names a title as the title itself does, never by its id."""
    first, last = await published(home, told("Alpha")), await published(home, told("Omega"))
    heads = (await edit(home, "GET", "/v1/admin/contents?limit=2"))[1]["items"]
    assert [each["title"] for each in heads] == ["Omega", "Alpha"]
    found = (await edit(home, "GET", "/v1/admin/contents?q=omeg"))[1]["items"]
    assert [each["id"] for each in found] == [last]
    listed = (await home.send("GET", f"{CONTENTS}?sort=title"))[1]["items"]
    assert [each["id"] for each in listed if each["id"] in (first, last)] == [first, last]
    assert listed[0]["id"] == first, "sorted by name, not by id"
    whose = f"?profile_id={home.profile}"
    assert (await home.send("PUT", f"/v1/watchlist/{first}{whose}"))[0] == 204
    assert (await stopped(home, last, 0))[0] == 200
    for path in ("/v1/watchlist", "/v1/continue-watching"):
        (item,) = (await home.send("GET", path + whose))[1]["items"]
        assert item["title"] in ("Alpha", "Omega"), path


async def test_languages_are_one_whatever_their_case(api: Any) -> None:
    texts = [{"lang": "en-GB", "title": "A"}, {"lang": "EN-gb", "title": "B"}]
    assert (await edit(api, "POST", CONTENTS, told("A") | {"texts": texts}))[0] == 400


async def test_rows_without_ids_are_known_by_what_they_are_called(api: Any) -> None:
    """A file that is brought again changes what it brought, and a rejected row has no id."""
    own = [{"system": "own", "value": "a-1"}]
    rows = [told("One", external_ids=own), told("Two"), {"kind": "movie", "texts": []}]
    headers = {"Content-Type": "application/x-ndjson"}

    async def brought(*some: dict[str, Any]) -> Any:
        text = "\n".join(json.dumps(each) for each in some).encode()
        return (await edit(api, "POST", IMPORTS, data=text, headers=headers))[1]["rows"]

    first = await brought(*rows)
    assert [each["outcome"] for each in first] == ["created", "created", "rejected"]
    assert first[2]["id"] is None
    again = await brought(rows[0], rows[0] | {"year": 1999})
    assert [each["outcome"] for each in again] == ["unchanged", "rejected"]
    (changed,) = await brought(rows[0] | {"year": 1999})
    assert (changed["outcome"], changed["id"]) == ("updated", first[0]["id"])


async def test_what_is_listed_is_what_rails_and_genres_show(api: Any) -> None:
    """A film without a ready asset is in neither of them."""
    key = await published(api, told("Bare", genres=["bare"]), asset=False)
    assert (await api.send("GET", f"{CONTENTS}?genre=bare"))[1]["items"] == []
    assert "bare" not in [g["id"] for g in (await api.send("GET", "/v1/genres"))[1]["items"]]
    rails = (await api.send("GET", "/v1/rails"))[1]["items"]
    assert key not in [title["id"] for rail in rails for title in rail["items"]]
    assert (await api.send("GET", f"{CONTENTS}/{key}"))[0] == 200, "visible all the same (CTL-32)"


async def test_paths_and_links_stay_where_they_belong(api: Any) -> None:
    for path in ("/vod/../", "/vod/./", "/vod/.hidden/"):
        body = {"origin_path": path}
        asset = "/v1/admin/contents/cnt_film/assets/ast_film"
        assert (await edit(api, "PUT", asset, body))[0] == 400, path
    for url in ("//evil.example/a.jpg", "javascript:alert(1)"):
        art = told("Art", artwork=[{"kind": "poster", "url": url}])
        assert (await edit(api, "POST", CONTENTS, art))[0] == 400, url


async def test_any_version_may_be_changed(api: Any) -> None:
    """`If-Match: *` is true of whatever there is (RFC 9110 section 13.1.1)."""
    any_version = {"If-Match": "*"}
    path = f"{CONTENTS}/cnt_film"
    assert (await edit(api, "PATCH", path, {"year": 1999}, headers=any_version))[0] == 200
    weak = {"If-Match": 'W/"v2"'}
    assert (await edit(api, "PATCH", path, {"year": 1998}, headers=weak))[0] == 412


async def test_only_what_is_published_has_bookmarks(home: Any) -> None:
    status, entry = await edit(home, "POST", CONTENTS, told("Draft"))
    status, problem = await stopped(home, entry["id"], 0)
    assert (status, problem["code"]) == (404, "content_not_found")


async def test_the_next_episode_wherever_its_number_is_said(home: Any) -> None:
    """CTL-142: episodes on the series itself, and those that leave the number to their season."""

    async def goes_on(series: str) -> list[tuple[str, int]]:
        path = f"/v1/continue-watching?profile_id={home.profile}"
        items = (await home.send("GET", path))[1]["items"]
        return [(i["content_id"], i["position_ms"]) for i in items if i["series_id"] == series]

    series = await published(home, told("Flat", kind="series"), asset=False)
    flat = [
        await published(home, told(f"F{n}", kind="episode", parent_id=series, episode_no=n))
        for n in (1, 2, 10)
    ]
    await stopped(home, flat[1], 0, percent=99)
    assert await goes_on(series) == [(flat[2], 0)]

    series = await published(home, told("Deep", kind="series"), asset=False)
    deep = []
    for n in (1, 2):
        document = told(f"S{n}", kind="season", parent_id=series, season_no=n)
        season = await published(home, document, asset=False)
        part = {"kind": "episode", "parent_id": season, "episode_no": 1}
        deep.append(await published(home, told(f"S{n}E1", **part)))
    await stopped(home, deep[0], 1_000, percent=99)
    assert await goes_on(series) == [(deep[1], 0)], "the first of the next season"
    await stopped(home, deep[1], 2_000, percent=99)
    assert await goes_on(series) == [], "the last one is seen"
