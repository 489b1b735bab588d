"""`headwater control events` beside a server that goes on writing (CTL-172)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import typer
from click.testing import Result
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from typer.testing import CliRunner

from control_api import events
from control_api.outbox import cli, dead
from control_api.outbox.tables import dlq_message
from runtime.sql import Database

Run = Callable[..., Result]


class Watched(Database):
    """A database that knows the transactions that are open, and fails those from the nth on."""

    open = 0
    writes = 0
    fails = 2**31

    @asynccontextmanager
    async def read(self, *, timeout_ms: int | None = None) -> AsyncIterator[AsyncConnection]:
        async with super().read(timeout_ms=timeout_ms) as connection:
            Watched.open += 1
            yield connection
            Watched.open -= 1

    @asynccontextmanager
    async def write(self, *, timeout_ms: int | None = None) -> AsyncIterator[AsyncConnection]:
        async with super().write(timeout_ms=timeout_ms) as connection:
            Watched.open += 1
            Watched.writes += 1
            try:
                yield connection
                if Watched.writes >= Watched.fails:
                    raise ConnectionError
            finally:
                Watched.open -= 1


@pytest.fixture
async def letters(migrated: Database) -> list[str]:
    made = []
    async with migrated.write() as connection:
        for at_ms, name in enumerate("abcde"):
            data = {"account_id": "acc_1", "state": name}
            event = events.make("account.created", data, 1, event_id=f"msg_{name}")
            payload = events.encode(event).decode()
            made.append(
                await dead.bury(connection, "evt:account", "g", payload, "ValueError", 4, at_ms)
            )
    return made


@pytest.fixture
def run(migrated: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the same database; each line must be told with no transaction open."""
    told: Any = typer.echo

    def echo(*given: Any, **named: Any) -> None:
        assert Watched.open == 0, "printed inside a transaction"
        told(*given, **named)

    monkeypatch.setattr(typer, "echo", echo)
    monkeypatch.setattr(dead, "BATCH", 2)
    monkeypatch.setattr(cli, "BATCH", 2)
    for name, value in (("open", 0), ("writes", 0), ("fails", 2**31)):
        monkeypatch.setattr(Watched, name, value)
    url = migrated._url.render_as_string(hide_password=False)
    app = cli.events_app(lambda *_: Watched(url, timeout_ms=10_000))
    return lambda *words: CliRunner().invoke(app, words)


async def left(database: Database) -> list[str]:
    query = select(dlq_message.c.id).order_by(dlq_message.c.at_ms)
    async with database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def test_a_look_at_letters_writes_nothing(letters: list[str], run: Run) -> None:
    seen = await asyncio.to_thread(run, "dead")
    assert (seen.exit_code, len(seen.stdout.splitlines())) == (0, 5), seen.exception
    assert Watched.writes == 1, "what opens the database"


@pytest.mark.parametrize("what", ["replay", "drop"])
async def test_all_go_batch_by_batch(
    migrated: Database, letters: list[str], run: Run, what: str
) -> None:
    done = await asyncio.to_thread(run, what, "all")
    assert (done.exit_code, done.stdout.split()) == (0, letters), done.exception
    assert Watched.writes == 1 + 3
    assert await left(migrated) == []


@pytest.mark.parametrize("what", ["replay", "drop"])
async def test_what_was_printed_is_done(
    migrated: Database, letters: list[str], run: Run, what: str
) -> None:
    """And what was not printed is not: the third transaction is lost."""
    Watched.fails = 1 + 2
    done = await asyncio.to_thread(run, what, "all")
    assert done.exit_code != 0
    assert done.stdout.split() == letters[:2]
    assert await left(migrated) == letters[2:]
