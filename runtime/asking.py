"""Reads of one statement on PostgreSQL, past SQLAlchemy's execution: for what is asked often.

A statement alone is a snapshot of its own, so there is nothing to begin and nothing to end: one
round trip, with a statement that each connection has prepared.
"""

import asyncio
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import Select, TextClause
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from runtime import tracing

Statement = Select[Any] | TextClause
CONNECTIONS = 4
READ_ONLY = {"default_transaction_read_only": "on"}
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
)
DIALECT: Any = dialect()  # type: ignore[no-untyped-call]
TOLD = {"db.system.name": "postgresql"}


class Asker:
    """Connections of its own; raises asyncpg's errors, of which `AWAY` say that nobody is there."""

    def __init__(self, session: Mapping[str, str], **server: Any) -> None:
        self._server = {**server, "server_settings": {**session, **READ_ONLY}}
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._spelled: dict[Statement, _Spelled] = {}

    async def ask(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Any]:
        """The rows, named tuples. The statement is one of a few that are made once."""
        spelled = self._spelled.get(statement)
        if spelled is None:
            spelled = self._spelled[statement] = _Spelled(statement)
        with tracing.span("SELECT postgresql", "client", {**TOLD, "db.query.text": spelled.sql}):
            async with (await self._opened()).acquire() as connection:
                records = await connection.fetch(spelled.sql, *spelled.arguments(values))
        return spelled.rows(records)

    async def close(self) -> None:
        """At once."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def _opened(self) -> Any:
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        **self._server,
                        min_size=1,
                        max_size=CONNECTIONS,
                        init=_typed,
                        reset=_left_as_it_is,
                    )
        return self._pool


class _Spelled:
    """A statement in the database's own words."""

    def __init__(self, statement: Statement) -> None:
        compiled = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
        self.sql = str(compiled)
        self._own = [(name, compiled.params[name]) for name in compiled.positiontup or ()]
        self._row: Any = None

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        return [values.get(name, own) for name, own in self._own]

    def rows(self, records: Sequence[Any]) -> list[Any]:
        if records and self._row is None:
            named: Any = namedtuple
            self._row = named("Row", records[0].keys(), rename=True)._make
        return [self._row(record) for record in records]


async def _typed(connection: Any) -> None:
    """JSON as what it says, as SQLAlchemy has it."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_written, decoder=msgspec.json.decode
        )


def _written(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def _left_as_it_is(_: Any) -> None:
    """Whoever only reads leaves nothing behind in a connection."""
