"""Lists up to an age: by a parameter, and by the limit of a profile that is named (CTL-77)."""

from typing import Any

import pytest
from control_rigs.titles import CONTENTS, imported, load, row
from sqlalchemy import insert

from control_api import seed
from control_api.catalogue import documents, found
from control_api.epg import store
from control_api.schema import account, channel, epg_event, epg_event_text
from control_api.search import index
from control_api.times import now_ms
from control_api.viewers.schema import profile

HOUR_MS = 3_600_000
AGES = {
    "s_all": {},
    "s_six": {"rating": "FSK-6"},
    "s_adult": {"min_age": 18},
    "s_r": {"rating": "R"},
}
KIDS, ALL = ["s_all", "s_six"], ["s_adult", "s_all", "s_r", "s_six"]
# Everything that lists titles, and where its answer has them.
LISTS = {
    CONTENTS: "items",
    f"{CONTENTS}/s_old/children": "items",
    f"{CONTENTS}/s_mild/related": "items",
    "/v1/rails/popular": "items",
    "/v1/rails/new": "items",
    "/v1/rails/genre.crime": "items",
    "/v1/search?q=unlike": "items",
    "/v1/search/suggest?q=unlike": "items",
}


def with_query(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


async def listed(api: Any, path: str, query: str = "", **more: Any) -> list[str]:
    status, answer = await api.send("GET", with_query(path, query), **more)
    assert status == 200, answer
    rows = answer["items"]
    ids = {each["id"].removeprefix("e_") for each in rows}
    return sorted(ids & AGES.keys())


@pytest.fixture
async def shelf(api: Any) -> Any:
    """Titles for several ages, everywhere that titles are listed."""
    named = [{"lang": "en", "title": "Unlike any"}]
    rows = [row(key, texts=named, genres=["crime"], **told) for key, told in AGES.items()]
    rows += [row("s_old", texts=named), row("s_mild", genres=["crime"])]
    parts = [
        row(f"e_{key}", kind="episode", parent_id="s_old", episode_no=n + 1, **told)
        for n, (key, told) in enumerate(AGES.items())
    ]
    await load(api, *rows, *parts)
    async with api.database.write() as connection:
        entries = await documents.load(connection, list(AGES))
        await index.put(connection, [found.by(entry) for entry in entries.values()])
    return api


@pytest.mark.parametrize("path", LISTS)
async def test_lists_leave_out_what_is_for_older_ones(shelf: Any, path: str) -> None:
    """A rating counts as an age, as it does at playback; what nobody rated is for all."""
    assert await listed(shelf, path) == ALL
    assert await listed(shelf, path, "max_age=6") == KIDS
    assert await listed(shelf, path, "max_age=17") == [*KIDS[:1], "s_r", *KIDS[1:]]
    assert await listed(shelf, path) == ALL, "an answer for children is not kept for others"


@pytest.mark.parametrize("path", LISTS)
async def test_a_profile_brings_its_own_limit(shelf: Any, path: str) -> None:
    """Nobody keeps its answer; nobody else may name it."""
    await profiles(shelf)
    assert await listed(shelf, path, "profile_id=prf_kid") == KIDS
    assert await listed(shelf, path, "profile_id=prf_kid&max_age=18") == KIDS
    assert await listed(shelf, path, "profile_id=prf_kid&max_age=5") == ["s_all"]
    assert await listed(shelf, path, "profile_id=prf_free") == ALL
    for key in ("prf_foreign", "prf_none"):
        status, problem = await shelf.send("GET", with_query(path, f"profile_id={key}"))
        assert (status, problem["code"]) == (404, "profile_not_found")
    url = shelf.url + with_query(path, "profile_id=prf_kid")
    async with shelf.client.get(url) as response:
        assert response.status == 401
    async with shelf.client.get(url, headers=shelf.bearer(seed.ACCOUNT)) as response:
        assert response.headers["Cache-Control"] == "private, no-store"
        assert "ETag" not in response.headers
    headers = shelf.bearer(seed.ACCOUNT, scopes=frozenset({"catalog:write"}))
    status, problem = await shelf.send(
        "GET", with_query(path, "profile_id=prf_kid"), headers=headers
    )
    assert (status, problem["code"]) == (403, "forbidden_scope")


async def test_one_title_front_page_and_genres(shelf: Any) -> None:
    assert (await shelf.send("GET", f"{CONTENTS}/s_adult?max_age=6"))[0] == 404
    assert (await shelf.send("GET", f"{CONTENTS}/s_six?max_age=6"))[0] == 200
    assert (await shelf.send("GET", f"{CONTENTS}/s_adult/related?max_age=6"))[0] == 404
    _, page = await shelf.send("GET", "/v1/rails?max_age=6")
    shown = {item["id"] for rail in page["items"] for item in rail["items"]}
    assert shown & AGES.keys() == set(KIDS)
    _, counted = await shelf.send("GET", "/v1/genres?max_age=6")
    assert counted["items"] == [{"id": "crime", "titles": 3}]
    _, counted = await shelf.send("GET", "/v1/genres")
    assert counted["items"] == [{"id": "crime", "titles": 5}]


async def test_collections(shelf: Any) -> None:
    editor = shelf.bearer("svc_editor", scopes=frozenset({"catalog:write"}))
    made = []
    for items in (list(AGES), ["s_adult"]):
        body = {"texts": [{"lang": "en", "title": "Best"}], "items": items}
        _, entry = await shelf.send("POST", "/v1/admin/collections", body, headers=editor)
        made.append(entry["id"])
    mixed = made[0]
    assert await listed(shelf, f"/v1/collections/{mixed}", "max_age=6") == KIDS
    assert await listed(shelf, f"/v1/rails/collection.{mixed}", "max_age=6") == KIDS
    _, page = await shelf.send("GET", "/v1/collections?max_age=6")
    assert [each["id"] for each in page["items"]] == [mixed]


async def test_a_correction_counts_at_once(shelf: Any) -> None:
    """Also in what is kept."""
    assert "s_six" in await listed(shelf, "/v1/rails/new", "max_age=6")
    lines = (
        '{"id":"s_six","kind":"series","texts":[{"lang":"en","title":"Unlike any"}],"min_age":16}'
    )
    await imported(shelf, lines)
    assert "s_six" not in await listed(shelf, "/v1/rails/new", "max_age=6")
    assert "s_six" not in await listed(shelf, CONTENTS, "max_age=6")


async def test_guide(shelf: Any) -> None:
    """Channels and programmes; a programme is as old as its title and its channel."""
    await profiles(shelf)
    now = now_ms()
    rows = [("adult", -0.5, "s_adult"), ("child", 1, "s_six"), ("news", 2, None)]
    async with shelf.database.write() as connection:
        told = {"id": "ch_late", "slug": "late", "number": 900, "status": "published"}
        await connection.execute(insert(channel).values(**told, min_age=16))
        await store.source(connection, "src_a", lang="en")
        for channel_id, end in (("ch_demo", ""), ("ch_late", "2")):
            for key, hours, title in rows:
                await programme(
                    connection, key + end, channel_id, now + int(hours * HOUR_MS), title
                )
    for query in ("max_age=6", "profile_id=prf_kid"):
        for path in ("/v1/epg", "/v1/epg/now", "/v1/channels"):
            status, answer = await shelf.send("GET", f"{path}?{query}")
            assert status == 200, answer
            lines = answer.get("channels") or answer["items"]
            assert "ch_late" not in str(lines) and "ch_demo" in str(lines)
            assert "Show adult" not in str(lines)
        _, answer = await shelf.send("GET", f"/v1/epg/now?{query}&channels=ch_demo,ch_late")
        (line,) = answer["channels"]
        assert (line["now"], line["next"]["id"]) == (None, "child")
        async with shelf.client.get(
            f"{shelf.url}/v1/epg/xmltv?{query}", headers=shelf.bearer(seed.ACCOUNT)
        ) as response:
            file = await response.text()
        assert "ch_late" not in file and "Show child" in file and "Show adult" not in file
        _, answer = await shelf.send("GET", f"/v1/search?q=show&{query}")
        assert {each["id"] for each in answer["items"]} == {"child", "news"}
    _, answer = await shelf.send("GET", "/v1/epg/now?channels=ch_demo,ch_late")
    assert [line["now"]["title"] for line in answer["channels"]] == ["Show adult", "Show adult2"]
    status, problem = await shelf.send("GET", "/v1/epg?profile_id=prf_foreign")
    assert (status, problem["code"]) == (404, "profile_not_found")


async def programme(
    connection: Any, key: str, channel_id: str, start_ms: int, title: str | None
) -> None:
    told = {"id": key, "channel_id": channel_id, "start_ms": start_ms, "end_ms": start_ms + HOUR_MS}
    values = told | {"content_id": title, "lang": "en", "hash": key, "source_id": "src_a"}
    await connection.execute(insert(epg_event).values(**values))
    text = {"event_id": key, "lang": "en", "title": f"Show {key}"}
    await connection.execute(insert(epg_event_text).values(**text))
    await index.put(connection, [index.Entry(key, "programme", f"Show {key}", (f"Show {key}",))])


async def profiles(api: Any) -> None:
    async with api.database.write() as connection:
        home = next(row for known, row in seed.ROWS if known is account)
        await connection.execute(insert(account).values(home | {"id": "acc_other"}))
        for key, account_id, kind, limit in (
            ("prf_kid", seed.ACCOUNT, "kids", "6"),
            ("prf_free", seed.ACCOUNT, "adult", None),
            ("prf_foreign", "acc_other", "adult", None),
        ):
            told = {"id": key, "account_id": account_id, "name": key, "kind": kind}
            made = told | {"max_rating": limit, "created_ms": 5}
            await connection.execute(insert(profile).values(**made))
