"""Which errors of the database are another editor's doing, and which are ours (CTL-5)."""

from collections.abc import Callable
from typing import Any

import pytest
from control_rigs.titles import CONTENTS, IMPORTS, WRITE
from sqlalchemy import insert
from structlog.testing import capture_logs

from control_api.catalogue import documents, editor
from control_api.schema import content, content_text

TEXTS = [{"lang": "und", "title": "A"}]
SERIES = {"kind": "series", "texts": TEXTS}
WRONG: dict[str, Callable[[], Any]] = {
    "check": lambda: insert(content).values(id="x", kind="opera", status="draft", updated_ms=1),
    "null": lambda: insert(content).values(id="x", kind="movie", status=None, updated_ms=1),
}


async def edit(api: Any, method: str, path: str, body: Any = None, **more: Any) -> Any:
    headers = api.bearer("svc_editor", **WRITE) | more.pop("headers", {})
    return await api.send(method, path, body, headers=headers, **more)


def breaking(monkeypatch: pytest.MonkeyPatch, statement: Callable[[], Any]) -> list[int]:
    """From now on a save breaks a rule of the tables; counts them."""
    saves: list[int] = []

    async def save(told: Any, *_: Any) -> Any:
        saves.append(1)
        await told.connection.execute(statement())

    for place in ("control_api.catalogue.editor.save", "control_api.catalogue.imports.save"):
        monkeypatch.setattr(place, save)
    return saves


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_row_that_breaks_a_rule_is_a_defect(
    api: Any, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Nobody is told to try again, a file is tried once, and a line of the log tells."""
    saves = breaking(monkeypatch, WRONG[wrong])
    with capture_logs() as lines:
        status, told = await edit(api, "POST", CONTENTS, SERIES)
    assert (status, told["code"]) == (500, "internal")
    assert "unexpected" in [line["event"] for line in lines]
    headers = {"Content-Type": "application/x-ndjson"}
    row = b'{"id":"cnt_a","kind":"movie","texts":[{"lang":"und","title":"A"}]}'
    status, told = await edit(api, "POST", IMPORTS, data=row, headers=headers)
    assert (status, told["code"], len(saves)) == (500, "internal", 2)


async def test_what_is_unique_was_another_editors(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, made = await edit(api, "POST", CONTENTS, SERIES)
    taken = {"content_id": made["id"], "lang": "und", "title": "A", "sort_title": "a"}
    breaking(monkeypatch, lambda: insert(content_text).values(taken))
    with capture_logs() as lines:
        status, told = await edit(api, "POST", CONTENTS, SERIES)
    assert (status, told["code"]) == (409, "exists")
    assert "edit_raced" in [line["event"] for line in lines]


async def test_a_parent_that_goes_meanwhile(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at it and the write, where two may write at once: also another editor's."""
    _, series = await edit(api, "POST", CONTENTS, SERIES)
    season = {"kind": "season", "season_no": 1, "parent_id": series["id"], "texts": TEXTS}
    path, write = f"{CONTENTS}/{series['id']}", documents.write

    async def late(*given: Any) -> None:
        assert (await edit(api, "DELETE", path))[0] == 204
        await write(*given)

    if api.database.dialect == "postgresql":
        monkeypatch.setattr(editor.documents, "write", late)
        expected = (409, "exists")
    else:
        assert (await edit(api, "DELETE", path))[0] == 204
        expected = (422, "unknown_reference")
    status, told = await edit(api, "POST", CONTENTS, season)
    assert (status, told["code"]) == expected
