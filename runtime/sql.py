"""The database: SQLAlchemy Core over SQLite (embedded) or PostgreSQL; two kinds of transaction.

    async with database.read() as connection: ...    # consistent snapshot; writing is an error
    async with database.write() as connection: ...   # committed at the end, rolled back on error
    await database.ask(statement, values)            # one statement's rows, the quickest way
    async with database.change() as ask: ...         # a transaction of such statements

SQLite (CMP-11): WAL; a pool of one writer connection, so that writers queue, and BEGIN IMMEDIATE,
so that another process's writer is waited for instead of failing with "database is locked"; readers
are separate and query-only. Errors of the statement itself (IntegrityError and the like) pass
through as SQLAlchemy's; a database that is away or late is `SqlError`, and so is one that undid the
transaction for another's sake: the same once more may well succeed.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from pathlib import Path
from threading import Thread
from typing import Any, Literal, TypeVar
from weakref import WeakSet

import aiosqlite
from asyncpg import InternalClientError, PostgresError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from runtime import migrate, statements
from runtime.abreast import abreast
from runtime.asking import AWAY, OPEN_S, Ask, Asker, FileAsker, ServerAsker, Statement, within
from runtime.lending import LEAVE_S

Dialect = Literal["sqlite", "postgresql"]
T = TypeVar("T")

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
PRAGMAS = (  # CMP-11
    "PRAGMA journal_mode=WAL",
    "PRAGMA busy_timeout=5000",
    "PRAGMA synchronous=NORMAL",
)
SESSION = {
    "timezone": "UTC",
    "jit": "off",  # of short statements, which to compile takes longer
    "idle_in_transaction_session_timeout": "90s",  # whose process froze holds no locks for good
}
BUSY_S = 6.0  # longer than a statement waits for another's lock
WARM_MS = 10_000  # to fill the pools
UNDONE = ("40001", "40P01")  # serialization failure, deadlock: PostgreSQL 15, appendix A
UNDONE_BY = "another transaction was in the way"
NOT_STARTED = "Database.start() comes first"
MIGRATION_LOCK = 0x4845_4144  # advisory lock: two processes that start together migrate one by one


class SqlError(Exception):
    """`code`: timeout, unavailable or undone. A caller may serve stale answers or 503 (CTL-188)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


def parse(url: str) -> URL:
    """The URL with our driver. Raises ValueError, never quoting it, for what is no URL, another
    database or an unnamed SQLite file.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("sql.url must be sqlite:////absolute/path or postgresql://...") from None
    dialect = parsed.drivername.partition("+")[0]
    if dialect == "postgres":
        dialect = "postgresql"
    if dialect not in DRIVERS:
        raise ValueError("sql.url must begin with sqlite: or postgresql:")
    if dialect == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("sql.url must name a file: sqlite:////absolute/path")
    return parsed.set(drivername=DRIVERS[dialect])


class Database:
    """A part. Give it the URL of `sql.url`, or `Database.embedded(folder)`; with `full` it is not
    ready before its pools are (CTL-186).
    """

    def __init__(
        self, url: str, *, timeout_ms: int = 1_000, pool_size: int = 8, full: bool = False
    ) -> None:
        self.name = "sql"
        self._url = parse(url)
        self._timeout_s = timeout_ms / 1000
        self._pool_size = pool_size
        self._full = full
        self._reader: AsyncEngine | None = None
        self._writer: AsyncEngine | None = None
        self._asker: Asker | None = None
        self._wires: WeakSet[Any] = WeakSet()  # of the server's driver, open ones among them
        self._threads: WeakSet[Thread] = WeakSet()  # of SQLite's, one a connection

    @classmethod
    def embedded(cls, folder: Path, **options: Any) -> "Database":
        """The default: one SQLite file in the folder."""
        return cls(f"sqlite:///{(folder / 'headwater.sqlite').absolute()}", **options)

    @property
    def dialect(self) -> Dialect:
        return "sqlite" if self._url.get_backend_name() == "sqlite" else "postgresql"

    async def start(self) -> None:
        """Open the pools and prove them by a query; a database that is not there is an error."""
        if self.dialect == "sqlite":
            Path(self._url.database or "").parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._sqlite("PRAGMA foreign_keys=ON", pool_size=1)
            self._reader = self._sqlite("PRAGMA query_only=ON", pool_size=self._pool_size)
            asked = self._file(self._url.database or "", isolation_level=None)
            self._asker = FileAsker(asked, PRAGMAS)
        else:
            self._writer = self._reader = engine = self._postgresql()
            self._asker = ServerAsker(SESSION, **engine.dialect.create_connect_args(self._url)[1])
        async with self.write() as connection:
            await connection.execute(text("SELECT 1"))
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))
        try:
            await self._asker.open()
        except AWAY as error:
            raise SqlError("unavailable", type(error).__name__) from None
        if self._full:
            await self.warm()

    def ready(self) -> str | None:
        return None if self._reader is not None else "not started"

    async def drain(self) -> None:
        """Stays usable: requests in flight above may still need it."""

    async def stop(self) -> None:
        """The writer leaves last: of two that close SQLite's file at once neither is the last one,
        who puts the log into it, and a copy of the file alone would be empty.
        """
        reader, writer, asker = self._reader, self._writer, self._asker
        self._reader = self._writer = self._asker = None
        await asyncio.gather(
            *([_left(reader)] if reader is not None and reader is not writer else ()),
            *([asker.close()] if asker is not None else ()),
        )
        if writer is not None:
            await _left(writer)
        for connection in self._wires:
            connection.terminate()
        if going := [each for each in self._threads if each.is_alive()]:
            await asyncio.to_thread(_ended, going)

    async def __aenter__(self) -> "Database":
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @asynccontextmanager
    async def read(self, *, timeout_ms: int | None = None) -> AsyncIterator[AsyncConnection]:
        """One snapshot for the whole block; nothing in it can write."""
        async with self._bounded(timeout_ms) as stack:
            connection = await _opened(stack, _started(self._reader).connect())
            if self.dialect == "postgresql":
                await connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    async def ask(
        self, statement: Statement, values: Mapping[str, Any], *, timeout_ms: int | None = None
    ) -> Sequence[Any]:
        """The rows of one statement that reads; it is one of a few that are made once."""
        if self._asker is None:
            raise RuntimeError(NOT_STARTED)
        async with self._bounded(timeout_ms):
            try:
                return await self._asker.ask(statement, values)
            except AWAY as error:
                raise SqlError("unavailable", type(error).__name__) from None

    @asynccontextmanager
    async def write(self, *, timeout_ms: int | None = None) -> AsyncIterator[AsyncConnection]:
        """One transaction; on SQLite the only one that writes while it lasts."""
        async with self._bounded(timeout_ms) as stack:
            yield await _opened(stack, _started(self._writer).begin())

    @asynccontextmanager
    async def change(self, *, timeout_ms: int | None = None) -> AsyncIterator[Ask]:
        """One transaction of statements that are made once: as `write`, the quickest way. Errors
        of a statement are the driver's.
        """
        if not isinstance(self._asker, ServerAsker):
            async with self.write(timeout_ms=timeout_ms) as connection:
                yield within(connection)
            return
        async with self._bounded(timeout_ms):
            try:
                async with self._asker.change() as ask:
                    yield ask
            except AWAY as error:
                raise SqlError("unavailable", type(error).__name__) from None

    async def warm(self) -> None:
        """Fill the server's pools, so that nobody who asks next waits for a connection to be made:
        a request that is cut off while it waits would leave the pools as cold as it found them.
        """
        if not isinstance(self._asker, ServerAsker):
            return
        engine = _started(self._writer)
        pool: Any = engine.pool
        free = self._pool_size - pool.checkedout()
        async with self._bounded(WARM_MS) as stack:
            tasks = [asyncio.create_task(_opened(stack, engine.connect())) for _ in range(free)]
            await abreast(*tasks)
            for task in tasks:
                await task.result().execute(text("SELECT 1"))
            try:
                await self._asker.warm()
            except AWAY as error:
                raise SqlError("unavailable", type(error).__name__) from None

    async def upgrade(self, location: Path, revision: str = "head") -> None:
        """Run a room's Alembic chain up to the revision, inside one transaction."""
        await self._migrate(lambda connection: migrate.upgrade(connection, location, revision))

    async def downgrade(self, location: Path, revision: str = "base") -> None:
        """Run a room's Alembic chain down to the revision, inside one transaction."""
        await self._migrate(lambda connection: migrate.downgrade(connection, location, revision))

    async def revision(self) -> str | None:
        """The revision this database is at; None before the first."""
        async with _started(self._writer).connect() as connection:
            return await connection.run_sync(migrate.current)

    async def _migrate(self, step: Callable[[Connection], None]) -> None:
        """Batch mode rebuilds tables, so SQLite's foreign keys rest until checked at the end."""
        _started(self._writer)
        sqlite = self.dialect == "sqlite"
        engine = self._sqlite("PRAGMA foreign_keys=OFF") if sqlite else self._postgresql()
        try:
            async with engine.begin() as connection:
                if not sqlite:
                    await connection.execute(
                        text("SELECT pg_advisory_xact_lock(:id)"), {"id": MIGRATION_LOCK}
                    )
                await connection.run_sync(step)
                if sqlite:
                    broken = (await connection.execute(text("PRAGMA foreign_key_check"))).first()
                    if broken is not None:
                        raise ValueError(f"migration breaks a foreign key of table {broken[0]}")
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def _bounded(self, timeout_ms: int | None) -> AsyncIterator[AsyncExitStack]:
        limit_s = self._timeout_s if timeout_ms is None else timeout_ms / 1000
        try:
            async with asyncio.timeout(limit_s) as limit, AsyncExitStack() as stack:
                yield stack
        except TimeoutError:
            if not limit.expired():
                raise
            raise SqlError("timeout", f"no answer within {limit_s:g} s") from None
        except DBAPIError as error:
            if _undone(error.orig):
                raise SqlError("undone", UNDONE_BY) from None
            if not error.connection_invalidated:
                raise
            raise SqlError("unavailable", type(error.orig).__name__) from None
        except PostgresError as error:
            if not _undone(error):
                raise
            raise SqlError("undone", UNDONE_BY) from None
        except InternalClientError as error:  # of a connection whose end is a moment away
            raise SqlError("unavailable", type(error).__name__) from None

    def _engine(self, **options: Any) -> AsyncEngine:
        engine = create_async_engine(self._url, **options)
        statements.watch(engine.sync_engine)

        @event.listens_for(engine.sync_engine, "checkin")
        def _checkin(_: Any, record: Any) -> None:
            """What comes back after the stop would stay open in a pool that is nobody's."""
            if engine not in (self._reader, self._writer):
                record.close()

        return engine

    def _sqlite(self, pragma: str, pool_size: int = 0) -> AsyncEngine:
        options: dict[str, Any] = (
            {"pool_size": pool_size, "max_overflow": 0} if pool_size else {"poolclass": NullPool}
        )
        given = {"factory": _File, "async_creator_fn": self._file}
        engine = self._engine(connect_args=given, **options)
        begin = "BEGIN" if "query_only" in pragma else "BEGIN IMMEDIATE"

        @event.listens_for(engine.sync_engine, "connect")
        def _connect(connection: Any, _: Any) -> None:
            connection.isolation_level = None
            cursor = connection.cursor()
            for statement in (*PRAGMAS, pragma):
                cursor.execute(statement)
            cursor.close()

        @event.listens_for(engine.sync_engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def _file(self, *where: Any, **options: Any) -> aiosqlite.Connection:
        """To be awaited; its thread is known though nobody waits for it to the end."""
        connection = aiosqlite.connect(*where, **options)
        connection._thread.daemon = True
        self._threads.add(connection._thread)
        return connection

    def _postgresql(self) -> AsyncEngine:
        engine = self._engine(
            pool_size=self._pool_size,
            max_overflow=0,
            pool_timeout=self._timeout_s,
            connect_args={"timeout": OPEN_S, "server_settings": SESSION},
        )

        @event.listens_for(engine.sync_engine, "connect")
        def _connect(connection: Any, _: Any) -> None:
            self._wires.add(connection.driver_connection)

        @event.listens_for(engine.sync_engine, "checkout")
        def _checkout(connection: Any, *_: Any) -> None:
            """The loop has seen it close: the pool's own ping takes three round trips to ask."""
            if connection.driver_connection.is_closed():
                raise InvalidatePoolError

        return engine


class _File(sqlite3.Connection):
    """Rolls back before it closes: with a cursor of it still in memory, as a caller's that was cut
    off may be, SQLite would keep the file locked until that is gone (sqlite3_close_v2).
    """

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # closed already
            self.rollback()
        super().close()


def _undone(error: BaseException | None) -> bool:
    return getattr(error, "sqlstate", None) in UNDONE


async def _left(engine: AsyncEngine) -> None:
    """Say good-bye to the server, if it listens; a file's connections are all closed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(None if engine.dialect.name == "sqlite" else LEAVE_S):
            await engine.dispose()


def _ended(threads: Sequence[Thread]) -> None:
    """A statement that nobody waits for any more still tells the loop when it is over."""
    end_s = time.monotonic() + BUSY_S
    for each in threads:
        each.join(max(0.0, end_s - time.monotonic()))


def _started(engine: AsyncEngine | None) -> AsyncEngine:
    if engine is None:
        raise RuntimeError(NOT_STARTED)
    return engine


async def _opened(
    stack: AsyncExitStack, connection: AbstractAsyncContextManager[AsyncConnection]
) -> AsyncConnection:
    """Enter a connection; whatever keeps it from opening is the database's absence."""
    try:
        return await stack.enter_async_context(connection)
    except (PoolTimeout, DBAPIError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise SqlError("unavailable", type(cause).__name__) from None
