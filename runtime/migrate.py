"""Alembic without env.py: a room ships `migrations/versions/*.py`, this runs them on a connection.

Batch mode is on, so that one chain serves SQLite and PostgreSQL (CTL-20).
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

Steps = Callable[[Any, MigrationContext], Iterable[Any]]


def upgrade(connection: Connection, location: Path, revision: str) -> None:
    """Up to `revision`; nothing to do is fine."""
    script = ScriptDirectory(str(location))
    _run(connection, script, revision, lambda at, _: script._upgrade_revs(revision, at))


def downgrade(connection: Connection, location: Path, revision: str) -> None:
    """Down to `revision`; "base" removes everything."""
    script = ScriptDirectory(str(location))
    _run(connection, script, revision, lambda at, _: script._downgrade_revs(revision, at))


def current(connection: Connection) -> str | None:
    """The revision the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def _run(connection: Connection, script: ScriptDirectory, revision: str, steps: Steps) -> None:
    with EnvironmentContext(Config(), script, fn=steps, destination_rev=revision) as environment:
        environment.configure(
            connection=connection, render_as_batch=True, transactional_ddl=True, compare_type=True
        )
        with environment.begin_transaction():
            environment.run_migrations()
