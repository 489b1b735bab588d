"""The guide as viewers read it: /v1/epg and /v1/epg/now (control-api section 3, CTL-7)."""

import io
from datetime import timedelta
from typing import Any

import pytest

from control_api.epg import importer, store
from control_api.times import now_ms, utc

HOUR_MS = 3_600_000


def row(start_ms: int, title: str, hours: int = 1) -> str:
    start, stop = (f"{utc(at):%Y%m%d%H%M%S}" for at in (start_ms, start_ms + hours * HOUR_MS))
    texts = f'<title lang="en">{title}</title><title lang="fr">Le {title}</title>'
    head = f'<programme start="{start}" stop="{stop}" channel="one">'
    return f'{head}{texts}<desc lang="en">d</desc><new/></programme>'


@pytest.fixture
async def on_air(api: Any) -> int:
    """The demo channel shows P0 since half an hour, P1 and P3 later. Start of P0."""
    first_ms = now_ms() // 1_000 * 1_000 - HOUR_MS // 2
    async with api.database.write() as connection:
        await store.source(connection, "src_a", lang="en")
        await store.map_channels(connection, "src_a", {"one": "demo"}, 1)
    rows = [row(first_ms + n * HOUR_MS, f"P{n}") for n in (-30, 0, 1, 3)]
    file = io.BytesIO(f"<tv>{''.join(rows)}</tv>".encode())
    outcome = await importer.run(api.database, "src_a", file, now_ms)
    assert outcome.report.created == 4
    return first_ms


async def test_grid(api: Any, on_air: int) -> None:
    window = {"from": utc(on_air).isoformat(), "to": utc(on_air + 2 * HOUR_MS).isoformat()}
    status, grid = await api.send("GET", "/v1/epg", params=window)
    assert status == 200
    lines = {line["channel_id"]: line["events"] for line in grid["channels"]}
    assert [event["title"] for event in lines["ch_demo"]] == ["P0", "P1"]
    assert lines["ch_arena"] == [], "a published channel without programmes has an empty line"
    first = lines["ch_demo"][0]
    assert (first["flags"], first["descr"], first["lang"]) == (["new"], "d", "en")
    assert first["start_at"] == f"{utc(on_air):%Y-%m-%dT%H:%M:%SZ}"
    status, grid = await api.send("GET", "/v1/epg?channels=ch_demo,ch_none&lang=fr", params=window)
    assert [line["channel_id"] for line in grid["channels"]] == ["ch_demo"]
    assert grid["channels"][0]["events"][0]["title"] == "Le P0"
    status, grid = await api.send("GET", "/v1/epg?channels=ch_demo&lang=xx")
    assert [event["title"] for event in grid["channels"][0]["events"]] == ["P0", "P1", "P3"]


async def test_now_and_next(api: Any, on_air: int) -> None:
    status, answer = await api.send("GET", "/v1/epg/now?channels=ch_demo")
    assert status == 200
    (line,) = answer["channels"]
    assert (line["now"]["title"], line["next"]["title"]) == ("P0", "P1")
    status, answer = await api.send("GET", "/v1/epg/now?channels=ch_arena")
    assert answer["channels"] == [{"channel_id": "ch_arena", "now": None, "next": None}]


async def test_public_tags(api: Any, on_air: int) -> None:
    """CTL-7: 60 s, a strong tag, 304."""
    url = f"{api.url}/v1/epg"
    window = {"from": utc(on_air).isoformat()}
    async with api.client.get(url, params=window) as first:
        assert first.headers["Cache-Control"] == "public, max-age=60"
        tag = first.headers["ETag"]
    async with api.client.get(url, params=window, headers={"If-None-Match": tag}) as again:
        assert (again.status, await again.read()) == (304, b"")


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-01-01T00:00:00Z&to=2026-01-08T00:00:01Z",
        "from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=2026-01-01T00:00:00",
        "from=9999-12-31T23:59:59Z",
        "from=soon",
        "channels=",
        "channels=a,,b",
        "channels=" + ",".join(["x"] * 201),
        "lang=%00",
    ],
)
async def test_bad_questions_are_400(api: Any, query: str) -> None:
    status, problem = await api.send("GET", f"/v1/epg?{query}")
    assert (status, problem["code"]) == (400, "invalid")


async def test_a_week_is_allowed(api: Any) -> None:
    week = utc(0) + timedelta(days=7)
    status, _ = await api.send(
        "GET", f"/v1/epg?from={utc(0):%Y-%m-%dT00:00:00Z}&to={week:%Y-%m-%dT00:00:00Z}"
    )
    assert status == 200
