"""Collections: titles that editors put together, in their order (control-api section 2, 3).

Editors have them as a book of entries; viewers see those that hold something for their place, and
any of them can be asked for as a rail.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import sealed
from control_api.catalogue import curated_types, documents, shown, types
from control_api.catalogue.editor import Edit
from control_api.catalogue.tables import collection, collection_item
from control_api.catalogue.visible import Viewer, visible
from control_api.problems import Problem
from control_api.schema import content
from control_api.terms.books import Book, head, referred

item = collection_item.c


class Collections(Book[curated_types.CollectionDocument]):
    """A collection may name titles that are not published yet: viewers see them once they are."""

    noun, table = "collection", collection
    document, entry = curated_types.CollectionDocument, curated_types.CollectionEntry
    listing = curated_types.CollectionEntryList

    async def columns(
        self, edit: Edit, told: curated_types.CollectionDocument, old: Any
    ) -> dict[str, Any]:
        await referred(edit.connection, content, told.items)
        return {"texts": msgspec.to_builtins(told.texts)}

    async def hang(self, edit: Edit, key: str, told: curated_types.CollectionDocument) -> None:
        await self._clear(edit, key)
        rows = [
            {"collection_id": key, "pos": pos, "content_id": content_id}
            for pos, content_id in enumerate(told.items)
        ]
        if rows:
            await edit.connection.execute(insert(collection_item), rows)

    async def read(self, connection: AsyncConnection, row: Any) -> curated_types.CollectionEntry:
        return (await self.read_all(connection, [row]))[0]

    async def read_all(
        self, connection: AsyncConnection, rows: Sequence[Any]
    ) -> list[curated_types.CollectionEntry]:
        query = select(item.collection_id, item.content_id).order_by(item.pos)
        ours = query.where(item.collection_id.in_([row.id for row in rows]))
        items: defaultdict[str, list[str]] = defaultdict(list)
        for key, content_id in await connection.execute(ours):
            items[key].append(content_id)
        return [
            curated_types.CollectionEntry(
                document=curated_types.CollectionDocument(
                    msgspec.convert(row.texts, list[types.Text]), items[row.id]
                ),
                **head(row),
            )
            for row in rows
        ]

    async def remove(self, edit: Edit, old: Any) -> None:
        await self._clear(edit, old.id)
        await super().remove(edit, old)

    def concerns(self, old: Any, made: Any) -> Sequence[str]:
        return ()

    async def _clear(self, edit: Edit, key: str) -> None:
        await edit.connection.execute(delete(collection_item).where(item.collection_id == key))


async def page(
    connection: AsyncConnection, secret: bytes, query: types.ChildPage, viewer: Viewer
) -> curated_types.CollectionList:
    """Collections that hold something for the place, the newest first."""
    listing = f"collections:{viewer.territory}:{viewer.platform}:{viewer.max_age}"
    after = sealed.position(secret, listing, query.cursor)
    something = exists().where(
        item.collection_id == collection.c.id,
        item.content_id == content.c.id,
        visible(viewer),
    )
    wanted = select(collection).where(something)
    if after is not None:
        wanted = wanted.where(collection.c.id < after[0])
    wanted = wanted.order_by(collection.c.id.desc()).limit(query.limit + 1)
    rows = (await connection.execute(wanted)).all()
    here, cursor = sealed.page(rows, query.limit, secret, listing, "id")
    return curated_types.CollectionList(
        [curated_types.CollectionHead(row.id, *_words(row, viewer)) for row in here], cursor
    )


async def one(
    connection: AsyncConnection, key: str, fields: str | None, viewer: Viewer
) -> curated_types.Collection:
    """A collection with those of its titles that the place may see; 404 for none."""
    row = await existing(connection, key)
    query = (
        select(item.content_id)
        .join(content, content.c.id == item.content_id)
        .where(item.collection_id == key, visible(viewer))
        .order_by(item.pos)
    )
    found = list((await connection.execute(query)).scalars())
    items = await shown.titles(connection, found, shown.listed(fields), viewer)
    return curated_types.Collection(row.id, *_words(row, viewer), items)


async def existing(connection: AsyncConnection, key: str) -> Any:
    """The row of a collection, else 404."""
    query = select(collection).where(collection.c.id == key)
    row = (await connection.execute(query)).first()
    if row is None:
        raise Problem("not_found")
    return row


def _words(row: Any, viewer: Viewer) -> tuple[str, str | None]:
    text = documents.text(msgspec.convert(row.texts, list[types.Text]), viewer.langs)
    return text.title, text.synopsis
