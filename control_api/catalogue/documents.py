"""An entry as one document: read from its rows, written as rows (control-api section 2)."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids
from control_api.catalogue import types
from control_api.catalogue.tables import (
    artwork,
    content_genre,
    content_language,
    credit,
    external_id,
)
from control_api.ratings import title_age
from control_api.schema import SORT_CHARS, content, content_text, rights_window
from control_api.times import epoch_ms, utc

BATCH_ROWS = 500  # bound parameters of one statement have a limit
HEAD = (
    "kind",
    "parent_id",
    "season_no",
    "episode_no",
    "duration_ms",
    "year",
    "rating",
    "min_age",
    "orig_lang",
)
# Rows that hang on a title and are replaced with it, in their order.
CHILDREN = (content_text, content_genre, content_language, credit, artwork, rights_window)
ORDERS: dict[Table, tuple[Any, ...]] = {credit: (credit.c.pos,), artwork: (artwork.c.pos,)}
UNSPOKEN = "und"  # ISO 639-2: language not given
WINDOW = ("licence", "territory", "platform", "tier", "max_height", "hdcp", "offline")


async def load(
    connection: AsyncConnection, wanted: Sequence[str], *, lock: bool = False
) -> dict[str, types.Entry]:
    """Entries by id, in whatever state; those that do not exist are left out. `lock` is for who is
    to change them: what hangs on them is read once nobody else can.
    """
    heads = await _rows(connection, content, content.c.id, wanted, lock=lock)
    children = {
        table: _by(await _rows(connection, table, table.c.content_id, wanted), "content_id")
        for table in CHILDREN
    }
    owned = external_id.c.target_kind == "content"
    ours = await _rows(connection, external_id, external_id.c.target_id, wanted, owned)
    named = _by(ours, "target_id")
    return {
        head.id: types.Entry(
            id=head.id,
            status=head.status,
            version=head.version,
            updated_at=utc(head.updated_ms),
            document=canonical(
                _document(
                    head,
                    {table: rows[head.id] for table, rows in children.items()},
                    named[head.id],
                )
            ),
        )
        for head in heads
    }


async def write(
    connection: AsyncConnection, entries: Sequence[types.Entry], known: Collection[str]
) -> None:
    """Store entries whole; `known` are the ids that exist. Parents come before their children.

    Rows that exist are written in the order of their ids, in which others write them too: else one
    of two transactions would be a deadlock's victim.
    """
    old = [entry.id for entry in entries if entry.id in known]
    await clear(connection, old)
    fresh = [_head(entry) for entry in entries if entry.id not in known]
    await _insert(connection, content, fresh)
    for entry in sorted(entries, key=lambda entry: entry.id):
        if entry.id in known:
            change = update(content).where(content.c.id == entry.id).values(**_head(entry))
            await connection.execute(change)
    for table in CHILDREN:
        rows = [row for entry in entries for row in _children(entry, table)]
        await _insert(connection, table, rows)
    named = [
        {
            "system": each.system,
            "value": each.value,
            "target_kind": "content",
            "target_id": entry.id,
        }
        for entry in entries
        for each in entry.document.external_ids
    ]
    await _insert(connection, external_id, named)


async def clear(connection: AsyncConnection, content_ids: Sequence[str]) -> None:
    """Take away the rows that hang on titles."""
    for batch in _batches(content_ids):
        for table in CHILDREN:
            await connection.execute(delete(table).where(table.c.content_id.in_(batch)))
        await connection.execute(
            delete(external_id).where(
                external_id.c.target_kind == "content", external_id.c.target_id.in_(batch)
            )
        )


def canonical(document: types.Document) -> types.Document:
    """The document as it comes back from the database: what has no order is sorted."""
    texts = [msgspec.structs.replace(text, sort_title=_sorted_by(text)) for text in document.texts]
    return msgspec.structs.replace(
        document,
        texts=sorted(texts, key=lambda text: text.lang),
        genres=sorted(document.genres),
        audio_langs=sorted(document.audio_langs),
        subtitle_langs=sorted(document.subtitle_langs),
        external_ids=sorted(document.external_ids, key=lambda each: each.system),
        windows=sorted(document.windows, key=_window_order),
    )


def _window_order(window: types.Availability) -> tuple[Any, ...]:
    place = (window.territory, window.platform, window.licence, window.tier or 0)
    return (window.start_at, window.end_at, *place)


def title(document: types.Document, langs: Sequence[str] = ()) -> types.Text:
    """The text in one of some languages, the first goes first, else in the original one, else the
    first. `de-AT` also means `de` (RFC 4647 section 3.4).
    """
    return text(document.texts, (*langs, document.orig_lang or ""))


def text(texts: Sequence[types.Text], langs: Sequence[str]) -> types.Text:
    """The one in the first language there is, else the first."""
    by_lang = {each.lang.lower(): each for each in texts}
    for wanted in langs:
        tag = wanted.lower()
        while tag:
            if tag in by_lang:
                return by_lang[tag]
            tag = tag.rpartition("-")[0]
    return texts[0]


def named() -> ColumnElement[str]:
    """The same in SQL for the `content` of a query, whoever looks."""
    lang = content_text.c.lang
    meant = (func.lower(content.c.orig_lang) + "-").like(func.lower(lang) + "-%")
    texts = select(content_text.c.title).where(content_text.c.content_id == content.c.id)
    texts = texts.correlate(content).limit(1)
    original = texts.where(meant).order_by(func.length(lang).desc()).scalar_subquery()
    return func.coalesce(original, texts.order_by(lang).scalar_subquery())


def derived(entry: types.Entry) -> dict[str, Any]:
    """What lists read of a title instead of its document."""
    told = entry.document
    return {
        "age": title_age(told.min_age, told.rating),
        "sort_title": _sorted_by(title(told))[:SORT_CHARS],
        "derived_version": entry.version,
    }


def window(row: Any) -> types.Availability:
    """A row of rights_window as it travels."""
    return types.Availability(
        start_at=utc(row.start_ms),
        end_at=utc(row.end_ms),
        **{name: row._mapping[name] for name in WINDOW},
    )


def window_row(told: types.Availability) -> dict[str, Any]:
    """The other way, but for the subject."""
    return {
        "id": ids.new("window"),
        "start_ms": epoch_ms(told.start_at),
        "end_ms": epoch_ms(told.end_at),
        **{name: getattr(told, name) for name in WINDOW},
    }


def _document(head: Any, rows: dict[Table, list[Any]], named: list[Any]) -> types.Document:
    langs = rows[content_language]
    return types.Document(
        **{name: head._mapping[name] for name in HEAD},
        texts=[
            types.Text(row.lang, row.title, row.sort_title, row.synopsis)
            for row in rows[content_text]
        ]
        or [types.Text(head.orig_lang or UNSPOKEN, head.id)],
        genres=[row.genre for row in rows[content_genre]],
        audio_langs=[row.lang for row in langs if row.kind == "audio"],
        subtitle_langs=[row.lang for row in langs if row.kind == "subtitle"],
        credits=[types.Credit(row.name, row.role, row.character) for row in rows[credit]],
        artwork=[
            types.Artwork(row.kind, row.url, row.lang, row.width, row.height)
            for row in rows[artwork]
        ],
        external_ids=[types.ExternalId(row.system, row.value) for row in named],
        windows=[window(row) for row in rows[rights_window]],
    )


def _head(entry: types.Entry) -> dict[str, Any]:
    return {name: getattr(entry.document, name) for name in HEAD} | {
        "id": entry.id,
        "status": entry.status,
        "version": entry.version,
        "updated_ms": epoch_ms(entry.updated_at),
        **derived(entry),
    }


def _sorted_by(text: types.Text) -> str:
    return text.sort_title or text.title.casefold()


def _children(entry: types.Entry, table: Table) -> list[dict[str, Any]]:
    """The document's rows in one of `CHILDREN`."""
    told, rows = entry.document, []
    if table is content_text:
        rows = [msgspec.structs.asdict(text) for text in told.texts]
    elif table is content_genre:
        rows = [{"genre": genre} for genre in told.genres]
    elif table is content_language:
        spoken = (("audio", told.audio_langs), ("subtitle", told.subtitle_langs))
        rows = [{"kind": kind, "lang": lang} for kind, langs in spoken for lang in langs]
    elif table is credit:
        rows = [msgspec.structs.asdict(each) | {"pos": n} for n, each in enumerate(told.credits)]
    elif table is artwork:
        rows = [msgspec.structs.asdict(each) | {"pos": n} for n, each in enumerate(told.artwork)]
    elif table is rights_window:
        rows = [window_row(each) for each in told.windows]
    return [{"content_id": entry.id, **row} for row in rows]


async def _rows(
    connection: AsyncConnection,
    table: Table,
    key: Any,
    wanted: Sequence[str],
    *which: ColumnElement[bool],
    lock: bool = False,
) -> list[Any]:
    found: list[Any] = []
    for batch in _batches(wanted):
        query = select(table).where(key.in_(batch), *which).order_by(*ORDERS.get(table, ()))
        if lock:
            query = query.order_by(key).with_for_update()
        found += (await connection.execute(query)).all()
    return found


def _by(rows: Sequence[Any], name: str) -> defaultdict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row._mapping[name]].append(row)
    return found


async def _insert(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    for at in range(0, len(rows), BATCH_ROWS):
        await connection.execute(insert(table), rows[at : at + BATCH_ROWS])


def _batches(wanted: Sequence[str]) -> list[list[str]]:
    return [list(wanted[at : at + BATCH_ROWS]) for at in range(0, len(wanted), BATCH_ROWS)]
