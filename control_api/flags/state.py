"""The flags as one process knows them: the last that it read, or the defaults."""

import asyncio
from collections.abc import Mapping
from hashlib import blake2s

from sqlalchemy import select

from control_api.flags.table import TABLE, WHOLE
from control_api.flags.tables import feature_flag
from control_api.problems import Problem
from runtime.sql import Database

RETRY_S = "30"


class Flags:
    """Reading never waits; `refresh` is called where a change was told, and now and then."""

    def __init__(self) -> None:
        self._values: Mapping[str, bool | int] = {}
        self._reading = asyncio.Lock()  # or one that began earlier might end later

    def __getitem__(self, name: str) -> bool | int:
        return self._values.get(name, TABLE[name].default)

    def on(self, name: str) -> bool:
        """Is it switched on, at least for some?"""
        return bool(self[name])

    def admit(self, name: str, subject: str) -> None:
        """Raises 503 `switched_off` for whom it is off; of a share the same ones every time, and
        all of a smaller share are of a larger one.
        """
        value = self[name]
        if value is True or (value is not False and _place(name, subject) < value):
            return
        raise Problem("switched_off", flag=name, headers={"Retry-After": RETRY_S})

    def unusual(self) -> Mapping[str, bool | int]:
        """What viewers feel: those flags that are not at their defaults."""
        return {
            name: self[name]
            for name, flag in TABLE.items()
            if flag.viewers and self[name] != flag.default
        }

    async def refresh(self, database: Database) -> None:
        """Read them anew. Names and values that this release does not know count for nothing."""
        async with self._reading:
            async with database.read() as connection:
                rows = (await connection.execute(select(feature_flag))).all()
            known = (row for row in rows if row.name in TABLE and TABLE[row.name].takes(row.value))
            self._values = {row.name: row.value for row in known}


def _place(name: str, subject: str) -> int:
    """Where among a hundred a subject stands, for each flag elsewhere."""
    digest = blake2s(f"{name}\0{subject}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % WHOLE
