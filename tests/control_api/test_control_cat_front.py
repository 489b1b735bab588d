"""Rails are kept for many, and show nothing that may not be seen this second (CTL-32, CTL-145)."""

import asyncio
import json
from typing import Any

import pytest
from control_rigs.titles import OPEN, imported, load, row
from sqlalchemy import update

from control_api import endpoint, kept
from control_api.catalogue import front as fronts
from control_api.catalogue import rails
from control_api.catalogue.visible import Viewer
from control_api.kept import FRESH_MS, STALE_MS
from control_api.schema import content, rights_window
from control_api.times import epoch_ms, now_ms, utc
from runtime.sql import Database, SqlError

CLOSES_MS = epoch_ms(utc(now_ms() // 1_000 * 1_000 + STALE_MS // 2))  # after any run's end
CLOSING = OPEN | {"end_at": f"{utc(CLOSES_MS):%Y-%m-%dT%H:%M:%SZ}"}


async def front(api: Any) -> dict[str, list[str]]:
    """The rails of the front page, and how the page came about."""
    async with api.client.get(f"{api.url}/v1/rails?fields=id") as response:
        assert response.status == 200, await response.text()
        rails = {each["id"]: each["items"] for each in (await response.json())["items"]}
        source = response.headers.get("X-Source", "")
    found = {key: sorted(item["id"] for item in items) for key, items in rails.items()}
    return found | {"source": [source]}


@pytest.fixture
async def page(api: Any) -> Any:
    await load(api, row("s_a", genres=["noir"]), row("s_b", genres=["noir"], windows=[CLOSING]))
    assert (await front(api))["genre.noir"] == ["s_a", "s_b"]
    return api


def away(*_: Any, **__: Any) -> Any:
    raise SqlError("unavailable", "away")


async def test_what_was_taken_back_goes_at_once(page: Any) -> None:
    async with page.database.write() as connection:
        known = content.c.id == "s_a"
        await connection.execute(update(content).where(known).values(status="archived"))
    assert (await front(page))["genre.noir"] == ["s_b"]
    async with page.database.write() as connection:
        known = rights_window.c.content_id == "s_b"
        await connection.execute(update(rights_window).where(known).values(territory="FR"))
    assert "genre.noir" not in await front(page)


@pytest.mark.parametrize(("late_ms", "seen"), [(-1, ["s_a", "s_b"]), (0, ["s_a"])])
async def test_a_window_closes_to_the_millisecond(
    page: Any, monkeypatch: pytest.MonkeyPatch, late_ms: int, seen: list[str]
) -> None:
    """CTL-33, whether the database tells or not."""
    monkeypatch.setattr(endpoint, "now_ms", lambda: CLOSES_MS - 1_000)
    await front(page)
    monkeypatch.setattr(endpoint, "now_ms", lambda: CLOSES_MS + late_ms)
    assert (await front(page))["genre.noir"] == seen
    monkeypatch.setattr(Database, "read", away)
    found = await front(page)
    assert (found["genre.noir"], found["source"]) == (seen, ["stale"])


async def test_the_page_stays_while_the_database_is_away(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a day; a rail that nobody asked for yet is 503."""
    before, began_ms = await front(page), now_ms()
    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", away)
        patch.setattr(endpoint, "now_ms", lambda: began_ms + FRESH_MS + 1_000)
        found = await front(page)
        assert found.pop("source") == ["stale"] and before.pop("source") == [""]
        assert found["genre.noir"] == ["s_a", "s_b"] and found == before
        assert (await page.send("GET", "/v1/rails/genre.none"))[0] == 503
        patch.setattr(endpoint, "now_ms", lambda: began_ms + STALE_MS + 60_000)
        async with page.client.get(f"{page.url}/v1/rails") as response:
            assert response.status == 503


async def test_nobody_empties_the_page_by_asking_for_rails(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made up or not: those asked for by name are kept apart, empty ones not at all."""
    monkeypatch.setattr(kept, "MOST", 3)
    before, database = await front(page), page.services.database
    viewer = Viewer("DE", "*", (), now_ms())
    made: list[str] = []
    filling = rails.filling

    async def counted(connection: Any, name: str, viewer: Viewer) -> rails.Filling:
        made.append(name)
        return await filling(connection, name, viewer)

    monkeypatch.setattr(rails, "filling", counted)
    for name in ("genre.noir", *(f"genre.x{number}" for number in range(8)), "genre.noir"):
        await fronts.named(database, name, None, viewer)
    assert made.count("genre.noir") == 1, "nor are other rails"
    for number in range(4):
        await fronts.named(database, "genre.noir", None, Viewer("DE", "*", (), now_ms(), number))
    monkeypatch.setattr(Database, "read", away)
    assert await front(page) == before | {"source": ["stale"]}


async def test_a_page_is_filled_on_one_connection(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asked for on one: titles that did not change are not loaded again."""
    opened: list[int | None] = []
    read, began_ms = Database.read, now_ms()

    def counted(self: Database, *, timeout_ms: int | None = None) -> Any:
        opened.append(timeout_ms)
        return read(self, timeout_ms=timeout_ms)

    loaded: list[str] = []
    load_entries = fronts.documents.load

    async def load(connection: Any, wanted: Any, **more: Any) -> Any:
        loaded.extend(wanted)
        return await load_entries(connection, wanted, **more)

    database, viewer = page.services.database, Viewer("DE", "*", (), began_ms)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", counted)
        patch.setattr(fronts.documents, "load", load)
        await fronts.page(database, None, viewer)
        assert opened == [kept.FILL_MS, fronts.SEEN_MS] and loaded == []
        await fronts.page(database, None, viewer)
        assert opened[2:] == [fronts.SEEN_MS]
        texts = [{"lang": "en", "title": "Anew"}]
        await imported(page, json.dumps(row("s_a", genres=["noir"], texts=texts)))
        loaded.clear()
        found, stale = await fronts.page(database, "id,title", viewer)
        assert loaded == ["s_a"] and not stale
    titles = {item.title for rail in found for item in rail.items if item.id == "s_a"}
    assert titles == {"Anew"}


async def test_a_page_that_comes_too_late_stays_as_it_was(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the request's time; genres too."""
    before, began_ms = await front(page), now_ms()
    genres = (await page.send("GET", "/v1/genres"))[1]

    async def late(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(kept, "FILL_MS", 50)
    monkeypatch.setattr(rails, "filling", late)
    monkeypatch.setattr(fronts.genres, "count", late)
    monkeypatch.setattr(endpoint, "now_ms", lambda: began_ms + FRESH_MS + 1_000)
    assert await front(page) == before | {"source": ["stale"]}
    async with page.client.get(f"{page.url}/v1/genres") as response:
        assert (response.status, await response.json()) == (200, genres)
        assert response.headers["X-Source"] == "stale"


async def test_children_see_no_older_title_while_the_database_is_away(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fills their page is older than what another page knows of a title."""
    database, now = page.services.database, now_ms()
    child, anybody = Viewer("DE", "*", (), now, 6), Viewer("DE", "*", (), now)
    await fronts.page(database, "id", child)
    await imported(page, json.dumps(row("s_a", genres=["noir"], min_age=18)))
    await fronts.page(database, "id", anybody)
    monkeypatch.setattr(Database, "read", away)
    found, stale = await fronts.page(database, "id", child)
    shown = {item.id for rail in found for item in rail.items}
    assert stale and "s_b" in shown and "s_a" not in shown
