"""Walks through lists to their end: every row once, whatever it is called (CTL-6)."""

from typing import Any

import pytest
from control_rigs.titles import CONTENTS, load, row, walked

LONG = "\u0390" * 512  # each folds to three letters of two bytes


@pytest.mark.parametrize("sort", ["title", "newest", "popular"])
async def test_titles_of_any_length_are_walked(api: Any, sort: str) -> None:
    """The cursor behind the longest title there may be is taken back."""
    texts = [{"lang": "en", "title": LONG}]
    rows = [row(f"s_{n}", texts=texts) for n in range(4)]
    await load(api, *rows)
    path = f"{CONTENTS}?kind=series&limit=1&sort={sort}"
    assert sorted(await walked(api, path)) == [row["id"] for row in rows]
