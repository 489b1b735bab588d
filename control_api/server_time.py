"""The time that all who share a database share: a node's own clock may be days wrong, and what it
would tell or forget by that is told or forgotten for all.
"""

from sqlalchemy import BigInteger, cast, extract, func, select

from control_api import times
from runtime.sql import Database

_NOW = select(cast(extract("epoch", func.clock_timestamp()) * 1_000, BigInteger))


async def now_ms(database: Database) -> int:
    """By the database's server, or by this machine where a file of it is the database."""
    if database.dialect == "sqlite":
        return times.now_ms()
    [(at_ms,)] = await database.ask(_NOW, {})
    return int(at_ms)
