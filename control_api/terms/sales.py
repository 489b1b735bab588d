"""Packages and offers: what is sold together, and for how much (CTL-32, CTL-79..81)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.cases import EVERYTHING
from control_api.catalogue.editor import Edit
from control_api.problems import Problem
from control_api.schema import channel, content, offer, package, package_content
from control_api.terms import types
from control_api.terms.books import BATCH_ROWS, Book, head, referred
from control_api.times import epoch_ms, utc

PLAIN = ("territory", "price_minor", "currency", "period", "rental_s", "viewing_s")
SUBJECTS = {"content": content, "channel": channel}
part = package_content.c


class Packages(Book[types.PackageDocument]):
    """What subscriptions and offers are of; a package keeps its kind."""

    noun, table = "package", package
    document, entry, listing = types.PackageDocument, types.PackageEntry, types.PackageList

    async def columns(self, edit: Edit, told: types.PackageDocument, old: Any) -> dict[str, Any]:
        if old is not None and old.document.kind != told.kind:
            raise Problem("in_use", "a package keeps its kind")
        for kind, table in SUBJECTS.items():
            wanted = [each.id for each in told.items if each.kind == kind]
            await referred(edit.connection, table, wanted)
        return {"kind": told.kind, "tier": told.tier, "name": told.name}

    async def hang(self, edit: Edit, key: str, told: types.PackageDocument) -> None:
        mine = delete(package_content).where(part.package_id == key, part.target_kind.in_(SUBJECTS))
        await edit.connection.execute(mine)
        rows = [
            {"package_id": key, "target_kind": each.kind, "target_id": each.id}
            for each in told.items
        ]
        for at in range(0, len(rows), BATCH_ROWS):
            await edit.connection.execute(insert(package_content), rows[at : at + BATCH_ROWS])

    async def read(self, connection: AsyncConnection, row: Any) -> types.PackageEntry:
        query = (
            select(package_content)
            .where(part.package_id == row.id, part.target_kind.in_(SUBJECTS))
            .order_by(part.target_kind, part.target_id)
        )
        found = await connection.execute(query)
        items = [types.PackageItem(each.target_kind, each.target_id) for each in found]
        told = types.PackageDocument(row.kind, row.tier, row.name, items)
        return types.PackageEntry(status=row.status, document=told, **head(row))

    def concerns(self, old: Any, made: Any) -> Sequence[str]:
        return [EVERYTHING]


class Offers(Book[types.OfferDocument]):
    """What can be bought; an offer keeps what it is of."""

    noun, table = "offer", offer
    document, entry, listing = types.OfferDocument, types.OfferEntry, types.OfferList

    async def columns(self, edit: Edit, told: types.OfferDocument, old: Any) -> dict[str, Any]:
        subject = (told.package_id, told.content_id)
        if old is not None and (old.document.package_id, old.document.content_id) != subject:
            raise Problem("in_use", "an offer keeps what it is of")
        for table, key in zip((package, content), subject, strict=True):
            await referred(edit.connection, table, [key] if key is not None else [])
        return {name: getattr(told, name) for name in PLAIN} | {
            "package_id": told.package_id,
            "content_id": told.content_id,
            "start_ms": epoch_ms(told.start_at),
            "end_ms": epoch_ms(told.end_at),
        }

    async def read(self, connection: AsyncConnection, row: Any) -> types.OfferEntry:
        told = types.OfferDocument(
            **{name: getattr(row, name) for name in (*PLAIN, "package_id", "content_id")},
            start_at=utc(row.start_ms),
            end_at=utc(row.end_ms),
        )
        return types.OfferEntry(status=row.status, document=told, **head(row))

    def concerns(self, old: Any, made: Any) -> Sequence[str]:
        return [EVERYTHING]
