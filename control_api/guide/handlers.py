"""Operations of the guide (control-api section 3, CTL-7, CTL-185)."""

import contextlib
import gzip
import hashlib
from collections.abc import AsyncGenerator, Hashable
from typing import Any

import msgspec

from control_api import audience, events, kept, types
from control_api.calls import Call, Rendered, Reply, Stream
from control_api.epg import grid
from control_api.guide import programme
from control_api.guide.types import ProgrammeDetail
from control_api.ids import VALID
from control_api.outbox import feed
from runtime import metrics
from runtime.sql import Database

STALE = metrics.counter("control_guide_stale", "guide answers from a copy while SQL was away", ())
GZIP_LEVEL = 5
DOMAIN = "epg.event."
MOST_MISSED = 5_000

Pages = kept.Kept[tuple[Any, ...], Rendered]


def pages(database: Database) -> Pages:
    """The answers that this process keeps of a database's guide."""
    return kept.of(database, "guide", kept.Kept)


async def epg_grid(call: Call[None]) -> Reply:
    """The guide: programmes by channel and time."""
    query: types.GridQuery = call.query
    begin, end = grid.window(query, call.now_ms)
    age = await audience.max_age(call)

    async def made() -> Rendered:
        async with call.services.database.read() as connection:
            return _rendered(await grid.grid(connection, query, age, begin, end))

    asked = ("grid", query.from_, query.to, query.channels, query.lang, age)
    return await _kept(call, asked, (begin, end), made)


async def epg_now(call: Call[None]) -> Reply:
    """What is on now, and next."""
    query: types.NowQuery = call.query
    now_ms = call.now_ms - call.now_ms % grid.NOW_MS
    age = await audience.max_age(call)

    async def made() -> Rendered:
        async with call.services.database.read() as connection:
            return _rendered(await grid.now_and_next(connection, query, age, call.now_ms))

    return await _kept(call, ("now", query.channels, query.lang, age), now_ms, made)


async def epg_programme(call: Call[None]) -> ProgrammeDetail:
    """One programme, with its rights."""
    async with call.services.database.read() as connection:
        return await programme.one(connection, call.path["id"], call.query.lang)


async def epg_live(call: Call[None]) -> Stream:
    """Changes of the guide as they happen (server-sent events); `Last-Event-ID` brings those that
    were missed, or, where they are too many, the event `reload`: ask for the guide anew.
    """
    wanted = frozenset(call.query.channels.split(",")) if call.query.channels else None
    after = call.headers.get("Last-Event-ID", "")
    told = feed.follow(
        call.services.database,
        call.services.store,
        after if VALID.fullmatch(after) else None,
        family=DOMAIN,
        most=MOST_MISSED,
    )
    return Stream(_changes(told, wanted))


async def _changes(
    told: AsyncGenerator[events.Event | feed.Reload | None], wanted: frozenset[str] | None
) -> AsyncGenerator[bytes]:
    """Messages as the HTML standard, section 9.2.6, writes them; a comment when nothing happens."""
    async with contextlib.aclosing(told):
        async for event in told:
            if not isinstance(event, events.Event):
                yield feed.written(event)
            elif wanted is None or event.subject in wanted:
                yield b"id: %s\nevent: %s\ndata: %s\n\n" % (
                    event.id.encode(),
                    event.type.encode(),
                    msgspec.json.encode({"channel_id": event.subject, **event.data}),
                )


async def _kept(call: Call[None], key: tuple[Any, ...], slot: Hashable, made: Any) -> Reply:
    """The answer for a slot of time; that of the one before while the database is away."""
    value, stale = await pages(call.services.database).get(
        key, call.now_ms, made, slot=slot, budget_ms=call.budget_ms
    )
    if not stale:
        return Reply(value)
    STALE.inc()
    return Reply(value, {"X-Source": "stale"})


def _rendered(answer: msgspec.Struct) -> Rendered:
    raw = msgspec.json.encode(answer)
    tag = hashlib.blake2b(raw, digest_size=12).hexdigest()
    return Rendered(raw, gzip.compress(raw, GZIP_LEVEL, mtime=0), tag)
