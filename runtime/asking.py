"""Reads of one statement on PostgreSQL, past SQLAlchemy's execution: for what is asked often.

A statement alone is a snapshot of its own, so there is nothing to begin and nothing to end: one
round trip, with a statement that each connection has prepared.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from runtime import tracing

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
        self._spelled: dict[TextClause, tuple[str, Sequence[str]]] = {}

    async def ask(self, statement: TextClause, values: Mapping[str, Any]) -> Sequence[Any]:
        """The rows, each a sequence. The statement is one of a few that are made once."""
        sql, names = self._spelled.get(statement) or self._spell(statement)
        with tracing.span("SELECT postgresql", "client", {**TOLD, "db.query.text": sql}):
            async with (await self._opened()).acquire() as connection:
                rows: Sequence[Any] = await connection.fetch(sql, *[values[name] for name in names])
                return rows

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
                        **self._server, min_size=1, max_size=CONNECTIONS, reset=_left_as_it_is
                    )
        return self._pool

    def _spell(self, statement: TextClause) -> tuple[str, Sequence[str]]:
        compiled = statement.compile(dialect=DIALECT)
        spelled = str(compiled), tuple(compiled.positiontup or ())
        self._spelled[statement] = spelled
        return spelled


async def _left_as_it_is(_: Any) -> None:
    """Whoever only reads leaves nothing behind in a connection."""
