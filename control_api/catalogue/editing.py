"""The transaction of an editor's request; of two who race the second is told so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.exc import IntegrityError

from control_api.calls import Call
from control_api.catalogue.editor import Edit
from control_api.problems import Problem
from runtime import logs

log = logs.get("control")
# What two who write at once can break though each looked first: PostgreSQL 15, appendix A
# (foreign_key_violation, unique_violation); SQLite lets one write after the other.
RACES = ("23503", "23505", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")


@asynccontextmanager
async def editing(call: Call[Any], timeout_ms: int | None = None) -> AsyncIterator[Edit]:
    """Raises 409 `exists` for what another editor made or removed meanwhile; any other breach of a
    rule of the tables is a defect of ours.
    """
    try:
        async with call.services.database.write(timeout_ms=timeout_ms) as connection:
            yield Edit(connection, call.caller.account_id, call.now_ms)
    except IntegrityError as error:
        state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", "")
        if state not in RACES:
            raise
        log.info("edit_raced", state=state)
        raise Problem("exists", "another editor came first") from None
