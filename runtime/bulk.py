"""Many rows of one table at once: COPY where the database has it, else batches of INSERT."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import JSON, Table, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

BATCH_ROWS = 500
_WRITE = msgspec.json.Encoder().encode
BEGIN = text("SELECT 1")  # the driver begins a transaction with the first statement, COPY is none


async def put(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """New rows, all with the same columns; others keep the table's own defaults."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        await _copied(connection, table, rows)
        return
    for at in range(0, len(rows), BATCH_ROWS):
        await connection.execute(insert(table), [dict(row) for row in rows[at : at + BATCH_ROWS]])


async def _copied(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    names = list(rows[0])
    columns: list[Sequence[Any]] = [list(map(itemgetter(name), rows)) for name in names]
    for at, name in enumerate(names):
        if isinstance(table.c[name].type, JSON):
            columns[at] = [_WRITE(value).decode() for value in columns[at]]
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():
        await connection.execute(BEGIN)
    records = zip(*columns, strict=True)
    await driver.copy_records_to_table(table.name, records=records, columns=names)
