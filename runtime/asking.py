"""Statements past SQLAlchemy's execution: for what is asked often.

A statement alone that reads is a snapshot of its own, so there is nothing to begin and nothing to
end: one round trip to PostgreSQL with a statement that each connection has prepared, one visit to
SQLite's thread. A change takes a round trip for each of its statements and two around them.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy import Insert, Select, TextClause, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from runtime import tracing
from runtime.lending import Lending, undone

Statement = Select[*tuple[Any, ...]] | TextClause | Insert | Update
Ask = Callable[[Statement, Mapping[str, Any]], Awaitable[Sequence[Any]]]  # for a statement's rows
Fetch = Callable[[str, Sequence[Any]], Awaitable[Sequence[Any]]]  # rows with `keys()`
CONNECTIONS = 8
OPEN_S = 5.0  # to sign in, and then to make a new connection ready
READ_ONLY = {"default_transaction_read_only": "on"}
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
)
REFUSED = (DBAPIError, asyncpg.PostgresError)  # a statement of a change, by either database


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
        return await self._spoken(self._fetch, statement, values)

    async def _spoken(
        self, fetch: Fetch, statement: Statement, values: Mapping[str, Any]
    ) -> Sequence[Any]:
        spelled = self._spelled.get(statement)
        if spelled is None:
            spelled = self._spelled[statement] = _Spelled(statement, self._dialect, values)
        system = self._dialect.name
        told = {"db.system.name": system, "db.query.text": spelled.sql}
        with tracing.span(f"{spelled.verb} {system}", "client", told):
            return spelled.rows(await fetch(spelled.sql, spelled.arguments(values)))

    @abstractmethod
    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Rows with `keys()`."""

    @abstractmethod
    async def close(self) -> None:
        """At once."""


class FileAsker(Asker):
    """SQLite; raises sqlite3's errors."""

    _dialect = sqlite.dialect(paramstyle="qmark")

    def __init__(self, connection: aiosqlite.Connection, pragmas: Sequence[str]) -> None:
        super().__init__()
        self._pragmas = (*pragmas, "PRAGMA query_only=ON")
        self._connection = connection

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
        self._lending = Lending(self._connected, CONNECTIONS)

    async def open(self) -> None:
        async with self._lending.lent():
            pass

    async def _connected(self) -> Any:
        connection = await asyncpg.connect(**self._server)
        await _typed(connection)
        return connection

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        for _ in range(CONNECTIONS):
            with suppress(asyncpg.InternalClientError):  # nothing was asked
                async with self._lending.lent() as connection:
                    return await _fetched(connection, sql, arguments)
        raise asyncpg.InterfaceError("no connection is whole")

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Ask]:
        """One transaction: committed at the end, undone on error."""
        async with self._lending.lent() as connection:
            await connection.execute("BEGIN READ WRITE")
            try:
                yield partial(self._spoken, partial(_fetched, connection))
            except Exception:
                await undone(connection)
                raise
            await connection.execute("COMMIT")

    async def warm(self) -> None:
        """Each connection that nobody has is made, or proved by a query."""
        await self._lending.warm()

    async def close(self) -> None:
        await self._lending.close()


def within(connection: AsyncConnection) -> Ask:
    """Statements asked in a transaction of SQLAlchemy's."""

    async def ask(statement: Statement, values: Mapping[str, Any]) -> Sequence[Any]:
        found = await connection.execute(statement, values)
        return found.all() if found.returns_rows else ()

    return ask


class _Spelled:
    """A statement in the database's own words, and how its rows are read; its values have the same
    names each time.
    """

    def __init__(self, statement: Statement, dialect: Any, values: Mapping[str, Any]) -> None:
        compiled: Any = statement.compile(
            dialect=dialect, column_keys=list(values), compile_kwargs={"render_postcompile": True}
        )
        self.sql = str(compiled)
        self.verb = self.sql.split(None, 1)[0]
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
    """JSON as what it says, which SQLAlchemy leaves to connections of this driver. Where that fails
    the connection is closed at once: of a silent server the driver would wait for a word.
    """
    try:
        async with asyncio.timeout(OPEN_S):
            for name in ("json", "jsonb"):
                await connection.set_type_codec(
                    name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads
                )
    except BaseException:
        connection.terminate()
        raise


async def _fetched(connection: Any, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
    records: Sequence[Any] = await connection.fetch(sql, *arguments)
    return records
