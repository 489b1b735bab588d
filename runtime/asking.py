"""Reads of one statement, past SQLAlchemy's execution: for what is asked often.

A statement alone is a snapshot of its own, so there is nothing to begin and nothing to end: one
round trip to PostgreSQL with a statement that each connection has prepared, one visit to SQLite's
thread.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy import Select, TextClause
from sqlalchemy.dialects import postgresql, sqlite

from runtime import tracing

Statement = Select[Any] | TextClause
CONNECTIONS = 4
OPEN_S = 5.0  # to sign in, and then to make a new connection ready
LEAVE_S = 1.0  # for the server to say that it stopped a query
READ_ONLY = {"default_transaction_read_only": "on"}
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
)


class Asker(ABC):
    """Connections of its own."""

    _dialect: Any

    def __init__(self) -> None:
        self._spelled: dict[Statement, _Spelled] = {}

    @abstractmethod
    async def open(self) -> None:
        """Comes first."""

    async def ask(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Any]:
        """The rows, named tuples. The statement is one of a few that are made once."""
        spelled = self._spelled.get(statement)
        if spelled is None:
            spelled = self._spelled[statement] = _Spelled(statement, self._dialect)
        system = self._dialect.name
        told = {"db.system.name": system, "db.query.text": spelled.sql}
        with tracing.span(f"SELECT {system}", "client", told):
            return spelled.rows(await self._fetch(spelled.sql, spelled.arguments(values)))

    @abstractmethod
    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Rows with `keys()`."""

    @abstractmethod
    async def close(self) -> None:
        """At once."""


class FileAsker(Asker):
    """SQLite; raises sqlite3's errors."""

    _dialect = sqlite.dialect(paramstyle="qmark")

    def __init__(self, path: str, pragmas: Sequence[str]) -> None:
        super().__init__()
        self._path = path
        self._pragmas = (*pragmas, "PRAGMA query_only=ON")
        self._connection = aiosqlite.connect(self._path, isolation_level=None)

    async def open(self) -> None:
        await self._connection
        self._connection.row_factory = aiosqlite.Row
        for pragma in self._pragmas:
            await self._connection.execute(pragma)

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        return list(await self._connection.execute_fetchall(sql, arguments))

    async def close(self) -> None:
        await self._connection.close()


class ServerAsker(Asker):
    """PostgreSQL; raises asyncpg's errors, of which `AWAY` say that nobody is there."""

    _dialect: Any = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]

    def __init__(self, session: Mapping[str, str], **server: Any) -> None:
        super().__init__()
        self._server = {"timeout": OPEN_S, **server, "server_settings": {**session, **READ_ONLY}}
        self._pool: Any = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(
            **self._server, min_size=1, max_size=CONNECTIONS, init=_typed, reset=_left_as_it_is
        )

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        connection = await self._pool.acquire()
        give_back = self._pool.release
        try:
            records: Sequence[Any] = await connection.fetch(sql, *arguments)
            return records
        except asyncio.CancelledError:
            give_back = self._leave
            raise
        finally:
            await give_back(connection)

    async def _leave(self, connection: Any) -> None:
        """Nobody waits until the server has said that it stopped."""
        task = asyncio.create_task(self._left(connection))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _left(self, connection: Any) -> None:
        """Queries that were given up must not pile up in a server that answers; the connection to
        one that does not is closed."""
        with suppress(*AWAY):
            await self._pool.release(connection, timeout=LEAVE_S)

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            await asyncio.gather(*self._leaving)


class _Spelled:
    """A statement in the database's own words, and how its rows are read."""

    def __init__(self, statement: Statement, dialect: Any) -> None:
        compiled: Any = statement.compile(
            dialect=dialect, compile_kwargs={"render_postcompile": True}
        )
        self.sql = str(compiled)
        self._own = [(name, compiled.params[name]) for name in compiled.positiontup or ()]
        self._row: Any = None
        typed = statement.selected_columns if isinstance(statement, Select) else ()
        kinds = [column.type.dialect_impl(dialect) for column in typed]
        reads = [kind.result_processor(dialect, None) for kind in kinds]
        self._reads = [(at, read) for at, read in enumerate(reads) if read is not None]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        return [values.get(name, own) for name, own in self._own]

    def rows(self, records: Sequence[Any]) -> list[Any]:
        if records and self._row is None:
            named: Any = namedtuple
            self._row = named("Row", records[0].keys(), rename=True)._make
        if not self._reads:
            return [self._row(record) for record in records]
        return [self._row(self._read(list(record))) for record in records]

    def _read(self, values: list[Any]) -> list[Any]:
        for at, read in self._reads:
            values[at] = read(values[at])
        return values


async def _typed(connection: Any) -> None:
    """JSON as what it says, which SQLAlchemy leaves to connections of this driver. Where the server
    is silent the connection is closed: the driver would wait for its word."""
    try:
        async with asyncio.timeout(OPEN_S):
            for name in ("json", "jsonb"):
                await connection.set_type_codec(
                    name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads
                )
    except (TimeoutError, asyncio.CancelledError):
        connection.terminate()
        raise


async def _left_as_it_is(_: Any) -> None:
    """Whoever only reads leaves nothing behind in a connection."""
