"""`headwater package` tells the control API that a title is ready (CTL-155, CTL-171)."""

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.protection_rig import VECTORS
from sqlalchemy import select, update
from typer.testing import CliRunner

from control_api import events
from control_api.outbox.tables import outbox
from control_api.schema import asset
from control_api.webhooks.signature import secret_text
from headwater.cli import app
from headwater.ready import Packaging, tell
from origin.vod import catalog
from origin.vod.package import Report

FILM = VECTORS / "src" / "avc_bf2.mp4"
SECRET, OTHER = secret_text(b"p" * 32), secret_text(b"q" * 32)


async def told(api: Any) -> list[dict[str, Any]]:
    query = select(outbox.c.payload).where(outbox.c.topic == "title.ready")
    async with api.database.read() as connection:
        rows = (await connection.execute(query)).scalars()
        return [events.decode(payload.encode()).data for payload in rows]


async def test_a_title_that_is_ready(database: Any, make_api: Any) -> None:
    api = await make_api(database, webhooks={"sources": {"packaging": {"secrets": [SECRET]}}})
    report = Report("film", [], 12, Fraction(120, 1))
    url = f"{api.url}/v1/hooks/packaging"
    wrong = Packaging(notify_url=url, notify_secret=OTHER)
    assert await tell(report, wrong) == "the control API answered 401" and await told(api) == []
    assert await tell(report, Packaging(notify_url=url)) == "package.notify_secret is not set"
    assert await tell(report, Packaging()) is None and await told(api) == []
    assert await tell(report, Packaging(notify_url=url, notify_secret=SECRET)) is None
    (data,) = await told(api)
    assert (data["origin_path"], data["duration_ms"]) == ("/vod/film/", 120_000)
    assert SECRET not in repr(wrong) and OTHER not in repr(wrong)
    away = Packaging(notify_url="http://127.0.0.1:1/v1/hooks/packaging", notify_secret=SECRET)
    assert "refused" in str(await tell(report, away))


@pytest.fixture
async def packed(kept: Any, make_api: Any) -> Any:
    """An API whose film is on its way."""
    api = await make_api(kept, webhooks={"sources": {"packaging": {"secrets": [SECRET]}}})
    async with kept.write() as connection:
        await connection.execute(
            update(asset).where(asset.c.id == "ast_film").values(state="pending")
        )
    return api


async def test_the_command_tells_it(
    packed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: a film, the command, its message, the catalogue's asset, the event."""
    monkeypatch.setenv("HEADWATER_PACKAGE__NOTIFY_URL", f"{packed.url}/v1/hooks/packaging")
    monkeypatch.setenv("HEADWATER_PACKAGE__NOTIFY_SECRET", SECRET)
    argv = ["package", str(FILM), "--title", "film", "--no-thumbnails", "--data", str(tmp_path)]
    done = await asyncio.to_thread(CliRunner().invoke, app, argv)
    assert (done.exit_code, SECRET in done.output) == (0, False), done.output
    assert catalog.load_record(catalog.folder(tmp_path, "film")) is not None
    [data] = await told(packed)
    assert (data["asset_id"], data["content_id"]) == ("ast_film", "cnt_film")
    assert (data["title_id"], data["origin_path"]) == ("film", "/vod/film/")
    assert f"film: {data['duration_ms'] / 1_000:.3f} s" in done.output
    assert all(f"{name} (" in done.output for name in data["renditions"])
    asked = select(asset.c.state, asset.c.duration_ms).where(asset.c.id == "ast_film")
    async with packed.database.read() as connection:
        assert tuple((await connection.execute(asked)).one()) == ("ready", data["duration_ms"])
