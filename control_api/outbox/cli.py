"""`headwater control events`: dead letters on the command line (CTL-172)."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.events import EventError
from control_api.migrations import LOCATION
from control_api.outbox import dead
from control_api.outbox.handlers import revive
from control_api.times import now_ms, utc
from runtime.sql import Database, SqlError

OK, NO, USAGE, FAILURE = 0, 1, 2, 3  # CONTRACT: exit codes
BATCH = 50  # letters a transaction
PATIENCE_MS = 60_000  # for each of them

Opener = Callable[[Path | None, Path | None], Database]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of defaults.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Letters, or `all`.")]


def events_app(open_database: Opener) -> typer.Typer:
    """The command group; `open_database` makes the database of a settings file and data folder."""
    app = typer.Typer(no_args_is_help=True, help="Events: what nobody could handle.")

    @app.command("dead")
    def show(config: Config = None, data: Data = None) -> None:
        """Print the dead letters, one JSON object a line, the oldest first.

        Example: headwater control events dead
        """

        async def work(database: Database) -> int:
            async for page in dead.pages(database):
                for row in page:
                    letter = {
                        "id": row.id,
                        "topic": row.topic,
                        "consumer": row.consumer,
                        "event_id": row.event_id,
                        "error": row.error,
                        "attempts": row.attempts,
                        "at": utc(row.at_ms).isoformat(),
                    }
                    typer.echo(json.dumps(letter))
            return OK

        _run("dead", open_database(config, data), work)

    @app.command()
    def replay(letters: Ids, config: Config = None, data: Data = None) -> None:
        """Put letters back on their way; only who failed on them handles them again.

        Example: headwater control events replay all
        """

        async def act(connection: AsyncConnection, row: Any) -> None:
            await revive(connection, row, now_ms())

        async def work(database: Database) -> int:
            return await _each(database, letters, act)

        _run("replay", open_database(config, data), work)

    @app.command()
    def drop(letters: Ids, config: Config = None, data: Data = None) -> None:
        """Forget letters.

        Example: headwater control events drop dlq_01a1
        """

        async def act(connection: AsyncConnection, row: Any) -> None:
            await dead.drop(connection, row.id)

        async def work(database: Database) -> int:
            return await _each(database, letters, act)

        _run("drop", open_database(config, data), work)

    return app


async def _each(
    database: Database,
    letters: list[str],
    act: Callable[[AsyncConnection, Any], Awaitable[None]],
) -> int:
    """Act on the letters that there are, a batch at a time so that a server's own writes come
    between; NO if one is missing or cannot be replayed. What is printed is done.
    """
    if letters == ["all"]:
        letters = [row.id async for page in dead.pages(database) for row in page]
    code = OK
    for at in range(0, len(letters), BATCH):
        told: list[tuple[str, EventError | None]] = []
        async with database.write(timeout_ms=PATIENCE_MS) as connection:
            for letter in letters[at : at + BATCH]:
                row = await dead.one(connection, letter)
                try:
                    if row is None:
                        raise EventError("unknown", "no such letter")
                    await act(connection, row)
                    told.append((letter, None))
                except EventError as error:
                    told.append((letter, error))
        for letter, refusal in told:
            if refusal is None:
                typer.echo(letter)
            else:
                typer.echo(f"{letter}: {refusal}", err=True)
                code = NO
    return code


def _run(name: str, database: Database, work: Callable[[Database], Awaitable[int]]) -> NoReturn:
    async def inside() -> int:
        async with database:
            await database.upgrade(LOCATION)
            return await work(database)

    try:
        raise typer.Exit(asyncio.run(inside()))
    except SqlError as error:
        typer.echo(
            f"headwater control events {name}: the database cannot be used ({error}); see sql.url",
            err=True,
        )
        raise typer.Exit(FAILURE) from None
