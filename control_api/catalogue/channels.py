"""Channels: as viewers see them, and as editors change them, along the same workflow as titles."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audience, audit, ids, sealed
from control_api.catalogue import documents, found, types
from control_api.catalogue.editor import Edit
from control_api.catalogue.workflow import State, move
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.schema import channel, rights_window
from control_api.search import index
from control_api.terms.edges import rewritten
from control_api.times import epoch_ms, utc
from control_api.types import Page

COLUMNS = tuple(name for name in types.ChannelRequest.__struct_fields__ if name != "windows")
SHOWN = types.Channel.__struct_fields__


async def shown(
    connection: AsyncConnection, secret: bytes, page: types.ChannelPage, age: int | None
) -> types.ChannelList:
    """Published channels that are for an age, by number."""
    public = (channel.c.status == "published", audience.fits_channel(age))
    rows, cursor = await _page(connection, secret, f"channels:{age}", page, *public)
    items = [types.Channel(**{name: row._mapping[name] for name in SHOWN}) for row in rows]
    return types.ChannelList(items, cursor)


async def entries(connection: AsyncConnection, secret: bytes, page: Page) -> types.ChannelEntryList:
    """All channels by number, with their windows."""
    rows, cursor = await _page(connection, secret, "channel-entries", page)
    return types.ChannelEntryList(await _entries(connection, rows), cursor)


async def existing(
    connection: AsyncConnection, channel_id: str, *, lock: bool = False
) -> types.ChannelEntry:
    """The channel, in whatever state; else 404. `lock` for who is to change it."""
    query = select(channel).where(channel.c.id == channel_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise Problem("content_not_found")
    return (await _entries(connection, [row]))[0]


async def create(edit: Edit, told: types.ChannelRequest) -> types.ChannelEntry:
    """A new channel, as a draft; 409 `exists` for a slug or number that is taken."""
    key = ids.new("channel")
    await _free(edit.connection, told, key)
    made = types.ChannelEntry(key, "draft", 1, utc(edit.now_ms), told)
    await edit.connection.execute(insert(channel).values(**_row(made)))
    async with rewritten(edit.connection, rights_window.c.channel_id, [key], edit.now_ms):
        await _finish(edit, "created", None, made)
    return made


async def change(
    edit: Edit, old: types.ChannelEntry, told: types.ChannelRequest
) -> types.ChannelEntry:
    """The channel with what is told of it now; its slug stays, it is part of URLs."""
    if told == old.document:
        return old
    if told.slug != old.document.slug:
        raise Problem("in_use", "a channel keeps its slug")
    await _free(edit.connection, told, old.id)
    made = msgspec.structs.replace(
        old, version=old.version + 1, updated_at=utc(edit.now_ms), document=told
    )
    await edit.connection.execute(
        update(channel).where(channel.c.id == old.id).values(**_row(made))
    )
    async with rewritten(edit.connection, rights_window.c.channel_id, [old.id], edit.now_ms):
        await edit.connection.execute(
            delete(rights_window).where(rights_window.c.channel_id == old.id)
        )
        await _finish(edit, "updated", old, made)
    return made


async def transit(edit: Edit, old: types.ChannelEntry, to: State) -> types.ChannelEntry:
    """Move a channel along its workflow."""
    move(old.status, to)
    made = msgspec.structs.replace(
        old, status=to, version=old.version + 1, updated_at=utc(edit.now_ms)
    )
    await edit.connection.execute(
        update(channel).where(channel.c.id == old.id).values(**_row(made))
    )
    await _told(edit, "updated", old, made)
    return made


async def _finish(
    edit: Edit, verb: str, old: types.ChannelEntry | None, made: types.ChannelEntry
) -> None:
    rows = [
        {"channel_id": made.id, **documents.window_row(window)} for window in made.document.windows
    ]
    if rows:
        await edit.connection.execute(insert(rights_window), rows)
    await _told(edit, verb, old, made)


async def _told(
    edit: Edit, verb: str, old: types.ChannelEntry | None, made: types.ChannelEntry
) -> None:
    await index.drop(edit.connection, [made.id])
    if made.status == "published":
        told = made.document
        shown_as = found.channel_by(made.id, told.slug, told.name)
        await index.put(edit.connection, [shown_as])
    before = msgspec.to_builtins(old) if old else None
    line = (f"channel.{verb}", made.id, before, msgspec.to_builtins(made))
    await audit.record(edit.connection, edit.actor, edit.now_ms, line)
    event = {
        "channel_id": made.id,
        "slug": made.document.slug,
        "state": made.status,
        "version": made.version,
    }
    await emit(edit.connection, f"catalog.channel.{verb}", event, edit.now_ms)


async def _free(connection: AsyncConnection, told: types.ChannelRequest, key: str) -> None:
    for column, value in ((channel.c.slug, told.slug), (channel.c.number, told.number)):
        query = select(channel.c.id).where(column == value, channel.c.id != key)
        if (await connection.execute(query)).first() is not None:
            raise Problem("exists", f"another channel has this {column.name}")


def _row(made: types.ChannelEntry) -> dict[str, Any]:
    return {name: getattr(made.document, name) for name in COLUMNS} | {
        "id": made.id,
        "status": made.status,
        "version": made.version,
        "updated_ms": epoch_ms(made.updated_at),
    }


async def _entries(connection: AsyncConnection, rows: Sequence[Any]) -> list[types.ChannelEntry]:
    """The channels of some rows, with their windows by one query."""
    query = (
        select(rights_window)
        .where(rights_window.c.channel_id.in_([row.id for row in rows]))
        .order_by(rights_window.c.start_ms, rights_window.c.id)
    )
    windows = defaultdict(list)
    for each in await connection.execute(query):
        windows[each.channel_id].append(documents.window(each))
    return [_entry(row, windows[row.id]) for row in rows]


def _entry(row: Any, windows: list[types.Availability]) -> types.ChannelEntry:
    told = types.ChannelRequest(**{name: row._mapping[name] for name in COLUMNS}, windows=windows)
    return types.ChannelEntry(row.id, row.status, row.version, utc(row.updated_ms), told)


async def _page(
    connection: AsyncConnection,
    secret: bytes,
    listing: str,
    page: Page | types.ChannelPage,
    *wanted: ColumnElement[bool],
) -> tuple[Sequence[Any], str | None]:
    query = select(channel).where(*wanted)
    after = sealed.position(secret, listing, page.cursor)
    if after is not None:
        query = query.where(tuple_(channel.c.number, channel.c.id) > tuple_(*after))
    query = query.order_by(channel.c.number, channel.c.id).limit(page.limit + 1)
    rows = (await connection.execute(query)).all()
    return sealed.page(rows, page.limit, secret, listing, "number", "id")
