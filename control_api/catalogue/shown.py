"""Titles as anybody may see them: published, with a window of the caller's place (CTL-32)."""

import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import sealed
from control_api.catalogue import documents, types
from control_api.catalogue.orders import ORDERS
from control_api.catalogue.tables import content_genre, content_language
from control_api.catalogue.visible import Viewer, offered, visible
from control_api.problems import Problem
from control_api.schema import content
from control_api.times import epoch_ms, utc

ALWAYS = "id"
# What a list leaves out unless `fields` asks for it.
DETAIL = frozenset({"credits", "artwork", "subtitle_langs", "audio_langs", "lang", "sort_title"})
NAMES = frozenset(types.Title.__struct_fields__)
RANGE = re.compile(r"(?:^|,)\s*([A-Za-z0-9-]{1,35})\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*(?=,|$)")
MAX_RANGES_CHARS = 512


async def page(
    connection: AsyncConnection, secret: bytes, query: types.TitlePage, viewer: Viewer
) -> types.TitleList:
    """Titles that can be played, and series."""
    wanted = [offered(viewer)]
    if query.kind is not None:
        wanted.append(content.c.kind == query.kind)
    if query.genre is not None:
        tagged = content_genre.c.content_id == content.c.id
        wanted.append(exists().where(tagged, content_genre.c.genre == query.genre))
    if query.audio is not None:
        spoken = exists().where(
            content_language.c.content_id == content.c.id,
            content_language.c.kind == "audio",
            content_language.c.lang == query.audio,
        )
        wanted.append(spoken)
    purpose = _purpose("contents", query, viewer)
    return await _walk(connection, secret, purpose, wanted, query.sort, query, viewer)


async def children(
    connection: AsyncConnection,
    secret: bytes,
    parent_id: str,
    query: types.ChildPage,
    viewer: Viewer,
) -> types.TitleList:
    """Seasons of a series, episodes of a season, by their numbers (CTL-31)."""
    parent = select(content.c.id).where(content.c.id == parent_id, visible(viewer))
    if (await connection.execute(parent)).first() is None:
        raise Problem("content_not_found")
    wanted = (content.c.parent_id == parent_id, visible(viewer))
    purpose = _purpose(parent_id, query, viewer)
    return await _walk(connection, secret, purpose, wanted, "number", query, viewer)


async def one(
    connection: AsyncConnection, content_id: str, fields: str | None, viewer: Viewer
) -> types.Title:
    """A title with everything there is to see; else 404 `content_not_found`."""
    query = select(content.c.id).where(content.c.id == content_id, visible(viewer))
    if (await connection.execute(query)).first() is None:
        raise Problem("content_not_found")
    names = _names(fields) if fields is not None else NAMES
    return (await titles(connection, [content_id], names, viewer))[0]


async def titles(
    connection: AsyncConnection, wanted: Sequence[str], names: frozenset[str], viewer: Viewer
) -> list[types.Title]:
    """Titles in the order of their ids, with the named fields; who may see them is checked."""
    entries = await documents.load(connection, wanted)
    popularity = await popularities(connection, wanted)
    found = [key for key in wanted if key in entries]
    return [dressed(entries[key], popularity.get(key, 0), names, viewer) for key in found]


def dressed(
    entry: types.Entry, popularity: int, names: frozenset[str], viewer: Viewer
) -> types.Title:
    """A title with the named fields, as the place sees it."""
    dropped = dict.fromkeys(NAMES - names - {ALWAYS}, UNSET)
    return msgspec.structs.replace(_title(entry, popularity, viewer), **dropped)


async def popularities(connection: AsyncConnection, wanted: Sequence[str]) -> Mapping[str, int]:
    query = select(content.c.id, content.c.popularity).where(content.c.id.in_(wanted))
    return {row.id: row.popularity for row in await connection.execute(query)}


def listed(fields: str | None) -> frozenset[str]:
    """The fields of titles in a list."""
    return NAMES - DETAIL if fields is None else _names(fields)


def _names(fields: str) -> frozenset[str]:
    names = frozenset(fields.split(","))
    if not names <= NAMES:
        raise Problem("invalid", "fields names what a title does not have")
    return names


def _purpose(listing: str, query: types.ChildPage, viewer: Viewer) -> str:
    """What a cursor is bound to: the list and all that filters it (CTL-6)."""
    filters = msgspec.structs.replace(query, limit=1, cursor=None, fields=None)
    told = msgspec.json.encode([msgspec.to_builtins(filters), viewer.territory])
    return f"{listing}:{hashlib.blake2s(told, digest_size=8).hexdigest()}"


async def _walk(
    connection: AsyncConnection,
    secret: bytes,
    purpose: str,
    wanted: Sequence[ColumnElement[bool]],
    order: str,
    query: types.ChildPage,
    viewer: Viewer,
) -> types.TitleList:
    """One page of what is wanted, in an order of `ORDERS`."""
    after = sealed.position(secret, purpose, query.cursor)
    walk, place = ORDERS[order]
    rows = (await connection.execute(walk(wanted, viewer, after, query.limit + 1))).all()
    here, cursor = sealed.page(rows, query.limit, secret, purpose, *place, "id")
    items = await titles(connection, [row.id for row in here], listed(query.shown("list")), viewer)
    return types.TitleList(items, cursor)


def _title(entry: types.Entry, popularity: int, viewer: Viewer) -> types.Title:
    told = entry.document
    text = documents.title(told, viewer.langs)
    open_from, open_until = availability(told, viewer)
    return types.Title(
        id=entry.id,
        kind=told.kind,
        title=text.title,
        synopsis=text.synopsis,
        lang=text.lang,
        parent_id=told.parent_id,
        season_no=told.season_no,
        episode_no=told.episode_no,
        duration_ms=told.duration_ms,
        year=told.year,
        rating=told.rating,
        min_age=told.min_age,
        orig_lang=told.orig_lang,
        genres=told.genres,
        audio_langs=told.audio_langs,
        subtitle_langs=told.subtitle_langs,
        artwork=[art for art in told.artwork if art.lang in (None, text.lang)],
        credits=told.credits,
        available_from=utc(open_from) if open_from is not None else None,
        available_until=utc(open_until) if open_until is not None else None,
        popularity=popularity,
        version=entry.version,
        updated_at=entry.updated_at,
    )


def availability(told: types.Document, viewer: Viewer) -> tuple[int | None, int | None]:
    """From when until when some window of the place has it, in epoch milliseconds."""
    here = [
        window
        for window in told.windows
        if window.territory in ("**", viewer.territory)
        and (viewer.platform == "*" or window.platform in ("*", viewer.platform))
        and epoch_ms(window.end_at) > viewer.now_ms
    ]
    starts = [epoch_ms(window.start_at) for window in here]
    ends = [epoch_ms(window.end_at) for window in here]
    return min(starts, default=None), max(ends, default=None)


def spoken(lang: str | None, headers: Mapping[str, str]) -> Sequence[str]:
    """The languages asked for, the best first: the parameter, else those of Accept-Language by
    their weight (RFC 9110 section 12.5.4).
    """
    if lang is not None:
        return (lang,)
    ranges = RANGE.findall(headers.get("Accept-Language", "")[:MAX_RANGES_CHARS])
    weighed = [(float(weight or 1), tag) for tag, weight in ranges]
    weighed.sort(key=lambda each: -each[0])
    return [tag for weight, tag in weighed if weight > 0]
