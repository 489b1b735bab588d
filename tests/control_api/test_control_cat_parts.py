"""Parts of titles that editors look for: by an index, whatever is asked (CTL-34)."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from control_rigs.titles import WRITE, imported
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from control_api.catalogue import lists

NAMES = {
    "cnt_a": "Ärger im Zoo",
    "cnt_b": "Zoo",
    "cnt_c": "100% Zoo",
    "x": "Omega",
    "cnt_e": "動物園",
}


async def found(api: Any, asked: str) -> list[str]:
    headers = api.bearer("svc_editor", **WRITE)
    path = f"/v1/admin/contents?{urlencode({'q': asked})}"
    status, page = await api.send("GET", path, headers=headers)
    assert status == 200, page
    return sorted(each["id"] for each in page["items"])


@pytest.fixture
async def shelf(api: Any) -> Any:
    rows = (
        {"id": key, "kind": "movie", "texts": [{"lang": "und", "title": title}]}
        for key, title in NAMES.items()
    )
    await imported(api, "\n".join(map(json.dumps, rows)))
    return api


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ("zoo", ["cnt_a", "cnt_b", "cnt_c"]),
        ("zo", ["cnt_b"]),
        ("Z", ["cnt_b"]),
        ("10", ["cnt_c"]),
        ("0%", []),
        ("%", []),
        ("_", []),
        ("% Zoo", ["cnt_c"]),
        ("x", ["x"]),
        ("動物", ["cnt_e"]),
        ("物園", []),
        ("動物園", ["cnt_e"]),
    ],
)
async def test_less_than_three_letters_are_the_beginning(
    shelf: Any, asked: str, keys: list[str]
) -> None:
    assert await found(shelf, asked) == keys


@pytest.mark.parametrize("asked", ["z", "zo", "zoo"])
async def test_every_length_has_an_index(shelf: Any, asked: str) -> None:
    """Few rows are compared with the text, however many there are."""
    if shelf.database.dialect != "postgresql":
        pytest.skip("SQLite reads few titles fast")
    query = lists.called(asked).compile(
        dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
    )
    async with shelf.database.write() as connection:
        for each in (
            "INSERT INTO content (id, kind, status, updated_ms) SELECT 'f'||n, 'clip', 'draft', n",
            "INSERT INTO content_text SELECT 'f'||n, 'und', 'Made '||md5(n::text), ''",
        ):
            await connection.execute(text(f"{each} FROM generate_series(1, 20000) n"))
        await connection.execute(text("SET LOCAL enable_seqscan = off"))  # they are few here
        explained = await connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}"))
    scan = explained.scalar_one()[0]["Plan"]
    assert scan["Node Type"] == "Bitmap Heap Scan", scan
    assert scan["Plans"][0]["Index Name"] == "ix_search_content_text_title"
    assert scan["Rows Removed by Index Recheck"] + scan["Actual Rows"] < 10
