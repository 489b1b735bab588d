"""Editors who make the same thing at the same moment: one of each comes out, nobody gets a 5xx."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert

from control_api.catalogue import editor, imports
from control_api.schema import content
from control_api.terms import sales

EDITOR = {"scopes": frozenset({"catalog:write", "rights:write"})}
IMPORTS = "/v1/admin/contents/imports"
TITLES = [f"cnt_rival_{number}" for number in range(5)]


class Together:
    """Holds the first two that come until both are there, where both can be; others pass."""

    def __init__(self, real: Any, both: bool) -> None:
        self.real, self.room, self.came = real, 2 if both else 0, asyncio.Event()

    async def __call__(self, *given: Any) -> Any:
        if self.room:
            self.room -= 1
            if not self.room:
                self.came.set()
            async with asyncio.timeout(60):
                await self.came.wait()
        return await self.real(*given)


def rows(keys: list[str]) -> str:
    texts = [{"lang": "und", "title": "A"}]
    return "\n".join(json.dumps({"id": key, "kind": "movie", "texts": texts}) for key in keys)


async def bring(api: Any, keys: list[str]) -> tuple[int, Any]:
    headers = api.bearer("svc_editor", **EDITOR) | {"Content-Type": imports.JSON_LINES}
    url = f"{api.url}{IMPORTS}"
    async with api.client.post(url, data=rows(keys), headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_two_files_with_the_same_new_titles(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = api.database.dialect == "postgresql"  # SQLite lets one write after the other
    monkeypatch.setattr("control_api.catalogue.imports.save", Together(editor.save, both))
    answers = await asyncio.gather(bring(api, TITLES), bring(api, TITLES[::-1]))
    assert [status for status, _ in answers] == [200, 200], answers
    first, second = sorted((report for _, report in answers), key=lambda each: each["unchanged"])
    assert (first["created"], second["unchanged"]) == (len(TITLES), len(TITLES))


async def test_two_titles_with_the_same_number_outside(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = api.database.dialect == "postgresql"
    monkeypatch.setattr(editor, "save", Together(editor.save, both))
    headers = api.bearer("svc_editor", **EDITOR)
    document = {
        "kind": "movie",
        "texts": [{"lang": "und", "title": "A"}],
        "external_ids": [{"system": "imdb", "value": "tt7654321"}],
    }
    answers = await asyncio.gather(
        *(api.send("POST", "/v1/catalog/contents", document, headers=headers) for _ in range(2))
    )
    assert sorted(status for status, _ in answers) == [201, 409], answers
    assert {told.get("code") for status, told in answers if status == 409} == {"exists"}


async def test_an_offer_of_a_title_that_goes_meanwhile(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when it was looked for."""
    both, referred = api.database.dialect == "postgresql", sales.referred

    async def then_gone(connection: Any, table: Table, wanted: Any) -> None:
        await referred(connection, table, wanted)
        if both and table is content:
            async with api.database.write() as other:
                await other.execute(delete(content).where(content.c.id == "cnt_gone"))

    monkeypatch.setattr(sales, "referred", then_gone)
    made = {"id": "cnt_gone", "kind": "movie", "status": "draft", "updated_ms": 0}
    async with api.database.write() as connection:
        await connection.execute(insert(content).values(made))
    offer = {"content_id": "cnt_gone", "territory": "**", "price_minor": 100, "currency": "EUR"}
    offer |= {"start_at": "2026-01-01T00:00:00Z", "end_at": "2036-01-01T00:00:00Z"}
    headers = api.bearer("svc_editor", **EDITOR)
    status, told = await api.send("POST", "/v1/admin/offers", offer, headers=headers)
    assert (status, told.get("code")) == ((409, "exists") if both else (201, None)), told
