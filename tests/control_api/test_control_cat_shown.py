"""The catalogue as viewers see it, and bulk imports (CTL-6, CTL-7, CTL-32, CTL-33, CTL-145)."""

import json
from typing import Any

import pytest
from control_rigs.titles import CONTENTS, IMPORTS, OPEN, WRITE, imported, load, row
from sqlalchemy import update

from control_api.catalogue import assets
from control_api.schema import asset, content


async def keys(api: Any, query: str = "") -> list[str]:
    status, page = await api.send("GET", f"{CONTENTS}?{query}")
    assert status == 200, page
    return [item["id"] for item in page["items"] if item["id"].startswith("s_")]


async def test_places_times_and_filters(api: Any) -> None:
    """CTL-32: announced windows count, ended ones do not; territory, platform, genre, age."""
    ended = OPEN | {"end_at": "2026-01-02T00:00:00Z"}
    coming = OPEN | {"start_at": "2098-01-01T00:00:00Z"}
    await load(
        api,
        row("s_all", genres=["crime"], audio_langs=["en"], min_age=16),
        row("s_se", windows=[OPEN | {"territory": "SE"}], genres=["crime", "drama"]),
        row("s_tv", windows=[OPEN | {"platform": "tv"}]),
        row("s_ended", windows=[ended]),
        row("s_coming", windows=[coming]),
        row("s_none", windows=[]),
        row("s_film", kind="movie"),
    )
    assert sorted(await keys(api)) == ["s_all", "s_coming", "s_tv"], "a film needs an asset"
    assert sorted(await keys(api, "territory=SE")) == ["s_all", "s_coming", "s_se", "s_tv"]
    assert sorted(await keys(api, "platform=web")) == ["s_all", "s_coming"]
    assert await keys(api, "genre=crime") == ["s_all"]
    assert await keys(api, "audio=en") == ["s_all"]
    assert sorted(await keys(api, "max_age=12")) == ["s_coming", "s_tv"]
    _, found = await api.send("GET", f"{CONTENTS}/s_coming?fields=available_from")
    assert found == {"id": "s_coming", "available_from": "2098-01-01T00:00:00Z"}
    assert (await api.send("GET", f"{CONTENTS}/s_se"))[0] == 404
    assert (await api.send("GET", f"{CONTENTS}/s_se?territory=SE"))[0] == 200
    _status, genres = await api.send("GET", "/v1/genres?territory=SE")
    assert genres["items"] == [{"id": "crime", "titles": 2}, {"id": "drama", "titles": 1}]


async def test_languages_fields_and_tags(api: Any) -> None:
    """CTL-7: strong ETags; a language asked for, else the original one."""
    await load(api, row("s_one"))
    url = f"{CONTENTS}/s_one"
    for query, headers, expected in (
        ("?lang=fr", {}, "Titre s_one"),
        ("", {"Accept-Language": "fr;q=0.9, en"}, "Title s_one"),
        ("", {"Accept-Language": "en;q=0.1, sv, fr-CA;q=0.8"}, "Titre s_one"),
        ("", {"Accept-Language": "fr;q=0, en;q=?, " + "x" * 5_000}, "Title s_one"),
        ("?lang=FR", {}, "Titre s_one"),
        ("?lang=fr-CH-1996", {}, "Titre s_one"),
        ("", {"Accept-Language": "*"}, "Title s_one"),
        ("?lang=sv", {}, "Title s_one"),
    ):
        status, found = await api.send("GET", url + query, headers=headers)
        assert (status, found["title"]) == (200, expected)
    status, problem = await api.send("GET", f"{url}?fields=title,secret")
    assert (status, problem["code"]) == (400, "invalid")
    async with api.client.get(api.url + url) as first:
        tag = first.headers["ETag"]
        assert first.headers["Cache-Control"] == "public, max-age=30"
    async with api.client.get(api.url + url, headers={"If-None-Match": tag}) as again:
        assert again.status == 304


async def test_pages_by_every_order(api: Any) -> None:
    """CTL-6: a cursor belongs to its filters."""
    await load(api, *(row(f"s_{n}") for n in range(5)))
    for sort in ("newest", "popular", "title"):
        seen: list[str] = []
        query = f"sort={sort}&limit=2&kind=series"
        cursor = ""
        while True:
            status, page = await api.send("GET", f"{CONTENTS}?{query}{cursor}")
            assert status == 200
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert sorted(seen) == [f"s_{n}" for n in range(5)]
        wrong = f"{CONTENTS}?sort={sort}&limit=2&kind=movie{cursor}"
        assert (await api.send("GET", wrong))[1]["code"] == "bad_cursor"


async def test_rails_and_related(api: Any) -> None:
    """CTL-145: popularity, then what is newest; likeness by genre and people; never empty."""
    ann = {"name": "Ann", "role": "actor"}
    await load(
        api,
        row("s_a", genres=["crime", "noir"], credits=[ann], year=1999),
        row("s_b", genres=["crime"], credits=[ann]),
        row("s_c", genres=["crime"], year=2001),
        row("s_d", genres=["crime"], year=1950),
        row("s_e", genres=["comedy"]),
    )
    async with api.database.write() as connection:
        await connection.execute(update(content).where(content.c.id == "s_e").values(popularity=9))
    status, rail = await api.send("GET", f"{CONTENTS}/s_a/related?fields=title")
    assert rail["source"] == "related"
    assert [item["id"] for item in rail["items"]] == ["s_b", "s_c", "s_d"]
    status, rail = await api.send("GET", f"{CONTENTS}/s_e/related")
    assert (status, rail["source"]) == (200, "popularity"), "nothing is like it"
    status, page = await api.send("GET", "/v1/rails?fields=kind")
    rails = {rail["id"]: [item["id"] for item in rail["items"]] for rail in page["items"]}
    assert rails["popular"][0] == "s_e" and rails["genre.noir"] == ["s_a"]
    assert (await api.send("GET", "/v1/rails/genre.none"))[1]["items"] == []
    assert (await api.send("GET", "/v1/rails/odd"))[0] == 404
    assert (await api.send("GET", f"{CONTENTS}/s_none/related"))[1]["code"] == "content_not_found"


async def test_import_reports_each_row(api: Any) -> None:
    """One row that is refused harms no other; the same file again changes nothing."""
    rows = [
        json.dumps(row("s_1", kind="season", parent_id="s_0", season_no=1)),
        json.dumps(row("s_0")),
        json.dumps(row("s_0")),
        json.dumps(row("s_2") | {"kind": "opera"}),
        json.dumps(row("s_3", external_ids=[{"system": "imdb", "value": "x"}])),
        json.dumps(row("s_4", kind="season", parent_id="s_3", season_no=1)),
        "{",
        "[]",
        json.dumps(row("a/b")),
    ]
    expected = ["created"] * 2 + ["rejected"] * 7
    report = await imported(api, "\n".join(rows))
    assert [each["outcome"] for each in report["rows"]] == expected
    assert [each["row"] for each in report["rows"]] == list(range(1, 10))
    assert (report["created"], report["rejected"]) == (2, 7)
    assert report["rows"][4]["error"].startswith("bad_identifier")
    assert report["rows"][5]["error"].startswith("unknown_reference")
    again = await imported(api, "\n".join([*rows[:1], json.dumps(row("s_0", year=1980))]))
    assert [each["outcome"] for each in again["rows"]] == ["unchanged", "updated"]


async def test_import_of_csv(api: Any) -> None:
    text = (
        "\ufeffid,kind,title,orig_lang,year,genres,eidr,synopsis\r\n"
        's_1,series,"One, two",en,1999,crime|drama,10.5240/7791-8534-2C23-9030-8610-5,"a\nb"\r\n'
        "s_2,series,Two,en,MCM,,,\r\n"
        "s_3,series,,en,,,,\r\n"
        "s_4,series,Four\r\n"
    )
    report = await imported(api, text, "text/csv; charset=utf-8")
    outcomes = [each["outcome"] for each in report["rows"]]
    assert outcomes == ["created", *["rejected"] * 3]
    headers = api.bearer("svc_editor", **WRITE)
    _status, entry = await api.send("GET", "/v1/admin/contents/s_1", headers=headers)
    told = entry["document"]
    assert (told["texts"][0]["title"], told["year"]) == ("One, two", 1999)
    assert told["genres"] == ["crime", "drama"] and told["texts"][0]["synopsis"] == "a\nb"


@pytest.mark.parametrize(
    ("media", "body", "expected"),
    [
        ("text/csv", b"id,colour\r\n", (400, "invalid")),
        ("text/csv", b"\xff\xfe", (400, "invalid")),
        ("application/json", b"[]", (415, "unsupported_media_type")),
        ("application/x-ndjson", b"{}\n" * 1_001, (413, "too_large")),
    ],
)
async def test_files_that_are_refused_whole(
    api: Any, media: str, body: bytes, expected: tuple[int, str]
) -> None:
    headers = api.bearer("svc_editor", **WRITE) | {"Content-Type": media}
    status, problem = await api.send("POST", IMPORTS, headers=headers, data=body)
    assert (status, problem["code"]) == expected


async def test_the_origin_says_that_a_title_is_ready(api: Any) -> None:
    async with api.database.write() as connection:
        await connection.execute(update(asset).values(state="pending"))
        assert await assets.ready(connection, "/vod/film/", 119_000) == ["cnt_film"]
        assert await assets.ready(connection, "/vod/nothing/", None) == []
    _status, page = await api.send("GET", CONTENTS)
    assert [item["id"] for item in page["items"]] == ["cnt_film"]
