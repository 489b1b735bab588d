"""Rails are kept for many, and show nothing that may not be seen this second (CTL-32, CTL-145)."""

from typing import Any

import pytest
from control_rigs.titles import OPEN, load, row
from sqlalchemy import update

from control_api import endpoint
from control_api.kept import FRESH_MS, STALE_MS
from control_api.schema import content, rights_window
from control_api.times import epoch_ms, now_ms, utc
from runtime.sql import Database, SqlError

CLOSES_MS = epoch_ms(utc(now_ms() // 1_000 * 1_000 + 3_600_000))
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
