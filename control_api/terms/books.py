"""Books of terms: entries that operators create, change, archive or remove, each by its version.

Rules of the file
1. Every write is a line of audit with before and after, in its transaction (CTL-163).
2. Changes name the version that they are of, in If-Match (CTL-8).
3. What a change concerns is told to the caches once it is committed (CTL-83).
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit, ids, sealed
from control_api.catalogue.editor import Edit
from control_api.problems import Problem
from control_api.times import utc
from control_api.types import Page

Doc = TypeVar("Doc", bound=msgspec.Struct)


class Book(Generic[Doc]):
    """One kind of entry; what is particular to a kind is in its own file."""

    noun: ClassVar[str]
    table: ClassVar[Table]
    document: ClassVar[type[msgspec.Struct]]
    entry: ClassVar[type[Any]]
    listing: ClassVar[type[Any]]

    async def columns(self, edit: Edit, told: Doc, old: Any) -> dict[str, Any]:
        """The row of a document; raises what it is refused with."""
        raise NotImplementedError

    async def hang(self, edit: Edit, key: str, told: Doc) -> None:
        """The rows that hang on the entry's, written anew."""

    async def read(self, connection: AsyncConnection, row: Any) -> Any:
        """The entry of a row."""
        raise NotImplementedError

    async def read_all(self, connection: AsyncConnection, rows: Sequence[Any]) -> list[Any]:
        """The entries of many rows."""
        return [await self.read(connection, row) for row in rows]

    async def follow(self, edit: Edit, old: Any, made: Any) -> None:
        """What else a change writes; `old` None is a new entry, `made` None one that is gone."""

    def concerns(self, old: Any, made: Any) -> Sequence[str]:
        """Subjects whose terms are other ones now."""
        raise NotImplementedError

    async def existing(self, connection: AsyncConnection, key: str, *, lock: bool) -> Any:
        """The entry, 404 for none; locked for who is to change it, which takes a transaction that
        may write.
        """
        query = select(self.table).where(self.table.c.id == key)
        if lock:
            query = query.with_for_update()
        row = (await connection.execute(query)).first()
        if row is None:
            raise Problem("not_found")
        return await self.read(connection, row)

    async def page(self, connection: AsyncConnection, secret: bytes, page: Page) -> Any:
        """Entries by id, the newest first."""
        name, key = f"terms:{self.noun}", self.table.c.id
        query = select(self.table)
        after = sealed.position(secret, name, page.cursor)
        if after is not None:
            query = query.where(key < after[0])
        rows = (await connection.execute(query.order_by(key.desc()).limit(page.limit + 1))).all()
        shown, cursor = sealed.page(rows, page.limit, secret, name, "id")
        return self.listing(await self.read_all(connection, shown), cursor)

    async def create(self, edit: Edit, told: Doc) -> Any:
        """A new entry."""
        row = await self.columns(edit, told, None)
        row |= {"id": ids.new(self.noun), "version": 1, "updated_ms": edit.now_ms}
        await edit.connection.execute(insert(self.table).values(**row))
        await self.hang(edit, row["id"], told)
        return await self._written(edit, None, row["id"])

    async def change(self, edit: Edit, old: Any, told: Doc) -> Any:
        """The entry with another document; an equal one changes nothing."""
        if told == old.document:
            return old
        values = await self.columns(edit, told, old)
        await self.hang(edit, old.id, told)
        return await self.set(edit, old, values)

    async def set(self, edit: Edit, old: Any, values: dict[str, Any]) -> Any:
        """The entry with other values in its row."""
        values |= {"version": old.version + 1, "updated_ms": edit.now_ms}
        await edit.connection.execute(
            update(self.table).where(self.table.c.id == old.id).values(**values)
        )
        return await self._written(edit, old, old.id)

    async def remove(self, edit: Edit, old: Any) -> None:
        """Without a trace but in audit."""
        await edit.connection.execute(delete(self.table).where(self.table.c.id == old.id))
        await self.follow(edit, old, None)
        await self._audited(edit, "removed", old, None)

    async def _written(self, edit: Edit, old: Any, key: str) -> Any:
        query = select(self.table).where(self.table.c.id == key)
        row = (await edit.connection.execute(query)).one()
        made = await self.read(edit.connection, row)
        await self.follow(edit, old, made)
        await self._audited(edit, "updated" if old else "created", old, made)
        return made

    async def _audited(self, edit: Edit, verb: str, old: Any, made: Any) -> None:
        told = [msgspec.to_builtins(each) if each else None for each in (old, made)]
        line = (f"{self.noun}.{verb}", (made or old).id, *told)
        await audit.record(edit.connection, edit.actor, edit.now_ms, line)


def head(row: Any) -> dict[str, Any]:
    """What every entry begins with."""
    return {"id": row.id, "version": row.version, "updated_at": utc(row.updated_ms)}


async def referred(connection: AsyncConnection, table: Table, wanted: Sequence[str]) -> None:
    """422 `unknown_reference` for the first of these that the table does not have."""
    left = set(wanted)
    for at in range(0, len(wanted), BATCH_ROWS):
        query = select(table.c.id).where(table.c.id.in_(wanted[at : at + BATCH_ROWS]))
        left -= set((await connection.execute(query)).scalars())
    if left:
        raise Problem("unknown_reference", f"no {table.name} {min(left)}")


BATCH_ROWS = 500  # bound parameters of one statement have a limit
