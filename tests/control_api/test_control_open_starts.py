"""Starts of what operators opened, while the database is away (section 12, CTL-188)."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from control_api import seed
from control_api.schema import account, asset, content, device, playback_session, rights_window
from runtime.sql import Database, SqlError
from runtime.store import MemoryStore, StoreError

COPIES: dict[Any, Any] = {
    content: {"id": "cnt_free"},
    asset: {"id": "ast_free", "content_id": "cnt_free"},
    rights_window: {"id": "rwn_free", "content_id": "cnt_free", "licence": "free"},
}


class Flaky(MemoryStore):
    """Admits nobody once it is gone."""

    gone = False

    async def admit(self, *named: Any, **more: Any) -> Any:
        if self.gone:
            raise StoreError("unavailable", "gone")
        return await super().admit(*named, **more)


async def away(*_: Any, **__: Any) -> Any:
    raise SqlError("unavailable", "gone")


@asynccontextmanager
async def shut(**_: Any) -> Any:
    raise SqlError("unavailable", "gone")
    yield


@pytest.fixture
async def database(tmp_path: Path, sqlite_model: Path) -> AsyncIterator[Database]:
    """One of either kind will do."""
    path = tmp_path / "control.sqlite"
    shutil.copy(sqlite_model, path)
    async with Database(f"sqlite:///{path}", timeout_ms=10_000) as opened:
        yield opened


async def test_free_titles_start_while_accounts_cannot_be_looked_up(
    database: Any, make_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose database comes back has the session, and the device where there is room for it."""
    store = Flaky()
    api = await make_api(database, store=store, access_cache_s=60)
    async with database.write() as connection:
        for table, row in seed.ROWS:
            if table in COPIES and "cnt_film" in (row.get("id"), row.get("content_id")):
                await connection.execute(insert(table).values(row | COPIES[table]))
        home = dict(seed.ROWS[0][1])
        for name, most in (("acc_else", 1), ("acc_full", 0)):
            more = {"id": name, "max_devices": most}
            await connection.execute(insert(account).values(home | more))

    async def start(account_id: str, title: str = "cnt_free") -> Any:
        status, told = await api.start("new", content_id=title, account_id=account_id)
        return told["session_id"] if status == 201 else status

    assert await start(seed.ACCOUNT) != await start(seed.ACCOUNT, "cnt_film")
    with monkeypatch.context() as patch:
        for name in ("read", "write", "change"):
            patch.setattr(database, name, shut)
        patch.setattr(database, "ask", away)
        assert await start("acc_else") == 503
        api.services.playback.cases.opens = lambda: True
        names = [await start(each) for each in ("acc_else", "acc_else", "acc_full")]
        api.services.playback.cases.forget(seed.ACCOUNT)
        names.append(await start(seed.ACCOUNT))  # of which a copy was known
        assert not {403, 503} & set(names)
        assert await start("acc_full", "cnt_film") in (403, 503)
        store.gone = True
        assert await start("acc_else") == 503, "and nobody counts"
    await api.services.playback.ledger.flush()
    async with database.read() as connection:
        found = (await connection.execute(select(playback_session.c.id))).scalars().all()
        owners = (await connection.execute(select(device.c.account_id))).scalars().all()
    assert set(names) <= set(found)
    assert "acc_else" in owners and "acc_full" not in owners
