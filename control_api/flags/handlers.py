"""One function an operation on flags."""

from contextlib import suppress
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit
from control_api.calls import Call, Reply
from control_api.entries import tag, unchanged
from control_api.flags import types
from control_api.flags.table import TABLE
from control_api.flags.tables import feature_flag
from control_api.problems import Problem
from control_api.times import utc
from control_api.wakes import wake
from runtime.sql import SqlError

CHANNEL = "flags"
own = feature_flag.c


async def page(call: Call[None]) -> types.FlagList:
    """Every flag with its value and its meaning."""
    async with call.services.database.read() as connection:
        rows = {row.name: row for row in (await connection.execute(select(feature_flag))).all()}
    return types.FlagList([_shown(name, rows.get(name)) for name in TABLE])


async def get(call: Call[None]) -> Reply:
    """One flag."""
    name = _known(call)
    async with call.services.database.read() as connection:
        return _tagged(_shown(name, await _row(connection, name)))


async def put(call: Call[types.FlagRequest]) -> Reply:
    """Set a flag; every node obeys within seconds."""
    name, value, services = _known(call), call.body.value, call.services
    if not TABLE[name].takes(value):
        raise Problem("invalid", f"a value like {TABLE[name].default!r} is wanted".lower())
    async with services.database.write() as connection:
        row = await _row(connection, name, lock=True)
        old = _shown(name, row)
        unchanged(call, old.version)
        values = {"value": value, "version": old.version + 1, "changed_ms": call.now_ms}
        change = update(feature_flag).where(own.name == name)
        if row is None:
            change = insert(feature_flag).values(name=name)  # type: ignore[assignment]
        try:
            await connection.execute(change.values(values))
        except IntegrityError:  # somebody set it first
            raise Problem("precondition_failed", version=1) from None
        line = ("flag.set", name, {"value": old.value}, {"value": value})
        await audit.record(connection, call.caller.account_id, call.now_ms, line)
        made = _shown(name, await _row(connection, name))
    await wake(services.store, CHANNEL)
    with suppress(SqlError):  # it is set, and read again in seconds
        await services.flags.refresh(services.database)
    return _tagged(made)


def _known(call: Call[Any]) -> str:
    name = call.path["name"]
    if name not in TABLE:
        raise Problem("not_found", "there is no such flag")
    return name


async def _row(connection: AsyncConnection, name: str, *, lock: bool = False) -> Any:
    query = select(feature_flag).where(own.name == name)
    return (await connection.execute(query.with_for_update() if lock else query)).first()


def _shown(name: str, row: Any) -> types.Flag:
    flag = TABLE[name]
    good = row is not None and flag.takes(row.value)
    return types.Flag(
        name=name,
        value=row.value if good else flag.default,
        default=flag.default,
        means=flag.means,
        viewers=flag.viewers,
        version=row.version if row is not None else 0,
        changed_at=utc(row.changed_ms) if row is not None else None,
    )


def _tagged(flag: types.Flag) -> Reply:
    return Reply(flag, {"ETag": tag(flag.version)})
