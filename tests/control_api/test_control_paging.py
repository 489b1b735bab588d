"""Walks through lists to their end: every row once, whatever it is called (CTL-6)."""

from typing import Any

import pytest
from control_rigs.titles import CONTENTS, WRITE, load, row, walked

LONG = "\u0390" * 512  # each folds to three letters of two bytes


@pytest.mark.parametrize("sort", ["title", "newest", "popular"])
async def test_titles_of_any_length_are_walked(api: Any, sort: str) -> None:
    """The cursor behind the longest title there may be is taken back."""
    texts = [{"lang": "en", "title": LONG}]
    rows = [row(f"s_{n}", texts=texts) for n in range(4)]
    await load(api, *rows)
    path = f"{CONTENTS}?kind=series&limit=1&sort={sort}"
    assert sorted(await walked(api, path)) == [row["id"] for row in rows]


async def test_editors_find_titles_by_id_and_in_any_language(api: Any) -> None:
    texts = [{"lang": "en", "title": "Harbour"}, {"lang": "fr", "title": "100% Le_Port"}]
    await load(api, row("s_1", texts=texts), row("s_2"))
    editor = api.bearer("svc_editor", **WRITE)
    for q, expected in (("le_port", "s_1"), ("100%", "s_1"), ("HARB", "s_1"), ("s_2", "s_2")):
        asked = {"params": {"q": q}, "headers": editor}
        status, page = await api.send("GET", "/v1/admin/contents", **asked)
        assert (status, [each["id"] for each in page["items"]]) == (200, [expected]), q
