"""Editing the catalogue: workflow, versions, If-Match, references, audit (CTL-8, 31, 34)."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.catalogue import identifiers, merge_patch
from control_api.catalogue.workflow import MOVES, STATES, move
from control_api.problems import Problem

WRITE = {"scopes": frozenset({"catalog:write"})}
ALWAYS = {"licence": "svod", "start_at": "2026-01-01T00:00:00Z", "end_at": "2099-01-01T00:00:00Z"}
EIDR = "10.5240/7791-8534-2C23-9030-8610-5"


def film(**changed: Any) -> dict[str, Any]:
    told = {
        "kind": "movie",
        "orig_lang": "en",
        "texts": [{"lang": "en", "title": "A"}, {"lang": "fr", "title": "Un A", "synopsis": "S"}],
        "year": 1999,
        "rating": "PG-13",
        "min_age": 13,
        "genres": ["crime", "drama"],
        "audio_langs": ["en", "fr"],
        "subtitle_langs": ["sv"],
        "credits": [{"name": "Ann Actor", "role": "actor", "character": "Joan"}],
        "artwork": [{"kind": "poster", "url": "https://img.example/a.jpg", "width": 600}],
        "external_ids": [{"system": "eidr", "value": EIDR}],
        "windows": [ALWAYS],
    }
    return told | changed


async def edit(api: Any, method: str, path: str, body: Any = None, **more: Any) -> Any:
    headers = api.bearer("svc_editor", **WRITE) | more.pop("headers", {})
    return await api.send(method, path, body, headers=headers, **more)


async def published(api: Any, told: dict[str, Any], *, asset: bool = True) -> str:
    status, entry = await edit(api, "POST", "/v1/catalog/contents", told)
    assert status == 201, entry
    key = str(entry["id"])
    if asset:
        path = f"/v1/admin/contents/{key}/assets/ast_{key[4:]}"
        status, answer = await edit(api, "PUT", path, {"origin_path": "/vod/film/"})
        assert status == 200, answer
    for to in ("review", "approved", "published"):
        status, entry = await edit(api, "POST", f"/v1/catalog/contents/{key}/moves", {"to": to})
        assert (status, entry["status"]) == (200, to)
    return key


async def test_life_of_a_title(api: Any) -> None:
    """Draft, review, approved, published, archived; each step a version, audited, told of."""
    status, entry = await edit(api, "POST", "/v1/catalog/contents", film())
    assert (status, entry["status"], entry["version"]) == (201, "draft", 1)
    url = f"/v1/catalog/contents/{entry['id']}"
    assert (await api.send("GET", url))[0] == 404, "drafts are not shown"
    status, problem = await edit(api, "POST", f"{url}/moves", {"to": "published"})
    assert (status, problem["code"]) == (409, "bad_state")
    assert problem["allowed"] == ["archived", "review"]
    for to in ("review", "approved", "published"):
        assert (await edit(api, "POST", f"{url}/moves", {"to": to}))[0] == 200
    status, shown = await api.send("GET", url)
    assert (status, shown["title"], shown["min_age"]) == (200, "A", 13)
    assert shown["genres"] == ["crime", "drama"] and shown["credits"][0]["character"] == "Joan"
    assert (await edit(api, "POST", f"{url}/moves", {"to": "archived"}))[0] == 200
    assert (await api.send("GET", url))[0] == 404
    status, versions = await edit(api, "GET", f"/v1/admin/contents/{entry['id']}/versions?limit=3")
    assert [v["status"] for v in versions["items"]] == ["archived", "published", "approved"]
    more = f"limit=3&cursor={versions['next_cursor']}"
    status, rest = await edit(api, "GET", f"/v1/admin/contents/{entry['id']}/versions?{more}")
    assert [v["version"] for v in rest["items"]] == [2, 1] and rest["next_cursor"] is None
    headers = api.bearer("svc_admin", scopes=frozenset({"admin"}))
    status, lines = await api.send("GET", f"/v1/admin/audit?target={entry['id']}", headers=headers)
    actions = [line["action"] for line in lines["items"]]
    assert sorted(actions) == sorted(
        ["catalog.unpublished", "catalog.published", *["catalog.updated"] * 2, "catalog.created"]
    )
    assert {line["actor"] for line in lines["items"]} == {"svc_editor"}


async def test_editors_find_titles_by_their_words_in_any_state(api: Any) -> None:
    """`%` and `_` are letters like others; a page goes on only for the question it began with."""
    made = []
    for title in ("100% Ünïcödé", "夜のニュース", "1000 Years", "Years"):
        told = film(texts=[{"lang": "en", "title": title}], external_ids=[])
        made.append((await edit(api, "POST", "/v1/catalog/contents", told))[1]["id"])
    percent, news, thousand, years = made

    async def found(**asked: str) -> Any:
        return (await edit(api, "GET", f"/v1/admin/contents?{urlencode(asked)}"))[1]

    for words, ids in {
        "100%": {percent},
        "years": {years, thousand},
        "ニュース": {news},
        years: {years},
        "cnt": set(),
    }.items():
        assert {each["id"] for each in (await found(q=words))["items"]} == ids, words
    assert (await found(q="years", status="published"))["items"] == []
    first = await found(q="years", limit="1")
    rest = await found(q="years", limit="1", cursor=first["next_cursor"])
    assert {each["items"][0]["id"] for each in (first, rest)} == {years, thousand}
    assert rest["next_cursor"] is None
    assert (await found(q="other", cursor=first["next_cursor"]))["code"] == "bad_cursor"


async def test_a_move_may_name_what_was_looked_at(api: Any) -> None:
    """Nobody publishes what another editor changed under their eyes."""
    _, entry = await edit(api, "POST", "/v1/catalog/contents", film())
    url = f"/v1/catalog/contents/{entry['id']}"
    seen = {"If-Match": '"v1"'}
    assert (await edit(api, "PATCH", url, {"year": 2000}, headers=seen))[0] == 200
    status, problem = await edit(api, "POST", f"{url}/moves", {"to": "review"}, headers=seen)
    assert (status, problem["code"]) == (412, "precondition_failed")
    seen = {"If-Match": '"v2"'}
    assert (await edit(api, "POST", f"{url}/moves", {"to": "review"}, headers=seen))[0] == 200


async def test_of_two_editors_at_once_one_is_told(api: Any) -> None:
    """Both name the version that they saw; one comes first, the other's work is refused whole."""
    _, entry = await edit(api, "POST", "/v1/catalog/contents", film())
    url, version = f"/v1/catalog/contents/{entry['id']}", 1
    for round_ in range(8):
        seen = {"If-Match": f'"v{version}"'}
        patches = [{"year": 1900 + 2 * round_ + one} for one in (0, 1)]
        told = await asyncio.gather(*(edit(api, "PATCH", url, p, headers=seen) for p in patches))
        assert sorted(status for status, _ in told) == [200, 412], told
        version += 1


async def test_a_patch_needs_the_version_it_was_made_for(api: Any) -> None:
    """CTL-8: merge patch, 428 without If-Match, 412 on mismatch."""
    status, entry = await edit(api, "POST", "/v1/catalog/contents", film())
    url = f"/v1/catalog/contents/{entry['id']}"
    status, problem = await edit(api, "PATCH", url, {"year": 2000})
    assert (status, problem["code"]) == (428, "precondition_required")
    match = {"If-Match": '"v1"'}
    status, entry = await edit(api, "PATCH", url, {"year": 2000, "rating": None}, headers=match)
    assert (status, entry["version"]) == (200, 2)
    assert (entry["document"]["year"], entry["document"]["rating"]) == (2000, None)
    assert entry["document"]["genres"] == ["crime", "drama"], "what is not named stays"
    status, problem = await edit(api, "PATCH", url, {"year": 2001}, headers=match)
    assert (status, problem["code"], problem["version"]) == (412, "precondition_failed", 2)
    match = {"If-Match": '"v2"'}
    status, entry = await edit(api, "PATCH", url, {"year": 2000}, headers=match)
    assert (status, entry["version"]) == (200, 2), "nothing changed"
    for body in ({"kind": "cat"}, {"texts": []}, {"status": "published"}, [], {"year": "x"}):
        status, problem = await edit(api, "PATCH", url, body, headers=match)
        assert (status, problem["code"]) == (400, "invalid"), body
    status, problem = await edit(api, "PATCH", url, {"kind": "clip"}, headers=match)
    assert (status, problem["code"]) == (409, "in_use")


async def test_children_hang_on_their_parents(api: Any) -> None:
    """CTL-31: series > season > episode, numbers once, no parent deleted under its children."""
    series = await published(api, film(kind="series", external_ids=[]), asset=False)
    part = {"parent_id": series, "external_ids": []}
    season = await published(api, film(kind="season", season_no=1, **part), asset=False)
    under = {"parent_id": season, "external_ids": []}
    second = await published(api, film(kind="episode", season_no=1, episode_no=2, **under))
    first = await published(api, film(kind="episode", season_no=1, episode_no=1, **under))
    pilot = await published(api, film(kind="episode", episode_no=9, **part))
    url = "/v1/catalog/contents"
    status, page = await api.send("GET", f"{url}/{season}/children?limit=1")
    assert [item["id"] for item in page["items"]] == [first]
    status, page = await api.send(
        "GET", f"{url}/{season}/children?limit=1&cursor={page['next_cursor']}"
    )
    assert [item["id"] for item in page["items"]] == [second] and page["next_cursor"] is None
    status, page = await api.send("GET", f"{url}/{series}/children")
    assert [item["id"] for item in page["items"]] == [pilot, season]
    for wrong, code in (
        (film(kind="episode", season_no=1, episode_no=2, **under), "exists"),
        (film(kind="episode", episode_no=3, parent_id="cnt_film"), "unknown_reference"),
        (film(kind="episode", episode_no=3, parent_id="cnt_none"), "unknown_reference"),
        (film(kind="season", season_no=2, parent_id=season), "unknown_reference"),
    ):
        status, problem = await edit(api, "POST", url, wrong | {"external_ids": []})
        assert problem["code"] == code
    status, problem = await edit(api, "DELETE", f"{url}/{season}")
    assert (status, problem["code"]) == (409, "in_use")
    for key in (second, first, season):
        assert (await edit(api, "DELETE", f"{url}/{key}"))[0] == 204
        assert (await edit(api, "DELETE", f"{url}/{key}"))[0] == 404, "twice: 204, then 404"


async def test_identifiers_are_checked_and_unique(api: Any) -> None:
    """CTL-34: a bad one is 422 and never stored."""
    url = "/v1/catalog/contents"
    for system, value in (("eidr", EIDR[:-1] + "6"), ("crid", "crid:/x"), ("imdb", "nm1")):
        told = film(external_ids=[{"system": system, "value": value}])
        status, problem = await edit(api, "POST", url, told)
        assert (status, problem["code"]) == (422, "bad_identifier")
    assert (await edit(api, "POST", url, film()))[0] == 201
    status, problem = await edit(api, "POST", url, film())
    assert (status, problem["code"]) == (409, "exists")


async def test_editing_is_for_editors(api: Any) -> None:
    """CTL-162: each route of editors refuses a viewer, and anybody who is not signed in."""
    for method, path, body in (
        ("POST", "/v1/catalog/contents", film()),
        ("PATCH", "/v1/catalog/contents/cnt_film", {}),
        ("DELETE", "/v1/catalog/contents/cnt_film", None),
        ("POST", "/v1/catalog/contents/cnt_film/moves", {"to": "archived"}),
        ("GET", "/v1/admin/contents", None),
        ("GET", "/v1/admin/contents/cnt_film", None),
        ("PUT", "/v1/admin/contents/cnt_film/assets/a", {"origin_path": "/vod/a/"}),
        ("DELETE", "/v1/admin/contents/cnt_film/assets/ast_film", None),
        ("POST", "/v1/admin/contents/imports", {}),
        ("POST", "/v1/admin/channels", {"slug": "x", "number": 9}),
        ("POST", "/v1/admin/channels/ch_demo/moves", {"to": "archived"}),
        ("GET", "/v1/admin/audit", None),
    ):
        assert (await api.send(method, path, body))[1]["code"] == "forbidden_scope", path
        async with api.client.request(method, api.url + path, json=body) as response:
            assert response.status == 401, path
    status, problem = await edit(api, "GET", "/v1/admin/audit")
    assert (status, problem["code"]) == (403, "forbidden_scope"), "audit is for admins"


async def test_assets_have_a_state(api: Any) -> None:
    """A title whose asset is not ready is not listed; an asset keeps its title."""
    key = await published(api, film())
    path = f"/v1/admin/contents/{key}/assets/ast_{key[4:]}"

    async def listed() -> bool:
        _, page = await api.send("GET", "/v1/catalog/contents?fields=kind")
        return key in [item["id"] for item in page["items"]]

    assert await listed()
    pending = {"origin_path": "/vod/film/", "state": "pending"}
    assert (await edit(api, "PUT", path, pending))[1]["state"] == "pending"
    assert not await listed()
    other = f"/v1/admin/contents/cnt_film/assets/ast_{key[4:]}"
    assert (await edit(api, "PUT", other, pending))[1]["code"] == "exists"
    assert (await edit(api, "DELETE", other))[0] == 404
    _, found = await edit(api, "GET", f"/v1/admin/contents/{key}/assets")
    assert [asset["state"] for asset in found["items"]] == ["pending"]
    assert (await edit(api, "DELETE", path))[0] == 204
    assert (await edit(api, "DELETE", path))[0] == 404


async def test_channels(api: Any) -> None:
    url = "/v1/admin/channels"
    told = {"slug": "news", "number": 7, "name": "News", "catchup_h": 24, "windows": [ALWAYS]}
    status, entry = await edit(api, "POST", url, told)
    assert (status, entry["status"]) == (201, "draft")
    key = entry["id"]
    for wrong in (told, told | {"slug": "other"}):
        assert (await edit(api, "POST", url, wrong))[1]["code"] == "exists"
    match = {"If-Match": '"v1"'}
    status, entry = await edit(api, "PATCH", f"{url}/{key}", {"catchup_h": 48}, headers=match)
    assert (entry["version"], entry["document"]["catchup_h"]) == (2, 48)
    assert entry["document"]["windows"][0]["licence"] == "svod"
    assert (await edit(api, "PATCH", f"{url}/{key}", {"number": 8}, headers=match))[0] == 412
    match = {"If-Match": '"v2"'}
    status, problem = await edit(api, "PATCH", f"{url}/{key}", {"slug": "n"}, headers=match)
    assert problem["code"] == "in_use"
    for to in ("review", "approved", "published"):
        assert (await edit(api, "POST", f"{url}/{key}/moves", {"to": to}))[0] == 200
    status, page = await api.send("GET", "/v1/channels")
    assert {"slug": "news", "name": "News"}.items() <= page["items"][-1].items()
    status, page = await edit(api, "GET", f"{url}?limit=2")
    assert [item["id"] for item in page["items"]] == ["ch_demo", "ch_arena"]
    status, page = await edit(api, "GET", f"{url}?limit=2&cursor={page['next_cursor']}")
    assert [item["id"] for item in page["items"]] == [key]
    assert (await edit(api, "GET", f"{url}/{key}"))[1]["version"] == 5


@pytest.mark.parametrize("state", STATES)
def test_the_table_of_moves_is_all_there_is(state: Any) -> None:
    for to in STATES:
        if to in MOVES[state]:
            move(state, to)
        else:
            with pytest.raises(Problem):
                move(state, to)


def test_merge_patch_of_the_rfc() -> None:
    """RFC 7396 appendix A."""
    for target, patch, expected in (
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ):
        assert merge_patch.apply(target, patch) == expected


@given(st.text("0123456789ABCDEF", min_size=20, max_size=20), st.integers(0, 19), st.data())
def test_eidr_finds_any_one_wrong_digit(digits: str, at: int, data: Any) -> None:
    """ISO 7064 MOD 37,36 detects each single substitution; and CTL-34's own example."""
    groups = "-".join(digits[n : n + 4] for n in range(0, 20, 4))
    good = f"10.5240/{groups}-{identifiers.check_character(digits)}"
    assert identifiers.valid("eidr", good) and identifiers.valid("eidr", EIDR)
    other = data.draw(st.sampled_from([d for d in "0123456789ABCDEF" if d != digits[at]]))
    wrong = digits[:at] + other + digits[at + 1 :]
    assert identifiers.check_character(wrong) != good[-1]
