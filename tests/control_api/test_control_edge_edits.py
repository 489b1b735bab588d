"""What an edit meets between a moment and its telling is told once, by one of the two (CTL-33)."""

import json
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from control_api import ids, seed
from control_api.catalogue.editor import Edit
from control_api.outbox.tables import outbox
from control_api.schema import channel, content, rights_window
from control_api.terms import types
from control_api.terms.blackouts import Blackouts
from control_api.terms.edges import Edges, rewritten
from control_api.times import utc
from runtime.sql import Database

AT = 1_800_000_000_000
HOUR = 3_600_000
FILM = {"content_id": "cnt_film", "territory": "**", "licence": "svod", "platform": "*"}


@pytest.fixture
async def house(kept: Database) -> Database:
    """A title and a channel, and a first look at time an hour ago."""
    async with kept.write() as connection:
        for table, row in seed.ROWS:
            if table in (content, channel):
                await connection.execute(insert(table).values(row))
    await Edges(kept).tell(AT - HOUR)
    return kept


async def told(house: Database) -> list[str]:
    async with house.write() as connection:
        about = select(outbox).where(outbox.c.topic != "audit.action").order_by(outbox.c.seq)
        rows = (await connection.execute(about)).all()
        await connection.execute(delete(outbox))
    data = [json.loads(row.payload)["data"] for row in rows]
    assert all("window_id" in each or "blackout_id" in each for each in data)
    return [row.topic.removeprefix("rights.") for row in rows]


def window(made_ms: int, start_ms: int, end_ms: int) -> dict[str, Any]:
    name = ids.PREFIXES["window"] + ids.uuid7(made_ms, 7 + start_ms)
    return FILM | {"id": name, "start_ms": start_ms, "end_ms": end_ms}


async def write(house: Database, at_ms: int, *rows: dict[str, Any]) -> list[str]:
    """The title's windows anew; their ids."""
    async with house.write() as connection:
        mine = rights_window.c.content_id
        async with rewritten(connection, mine, ["cnt_film"], at_ms):
            await connection.execute(delete(rights_window))
            if rows:
                await connection.execute(insert(rights_window), rows)
        query = select(rights_window.c.id).order_by(rights_window.c.start_ms, rights_window.c.id)
        return list((await connection.execute(query)).scalars())


async def test_a_window_keeps_its_id_and_its_news_over_an_edit(house: Database) -> None:
    """Written anew after it opened, before time told of it; and again after that, in the past of a
    process whose clock is behind.
    """
    made = AT - HOUR
    first = await write(house, made, *[window(made + n, AT, AT + HOUR) for n in range(2)])
    assert await told(house) == ["window.updated"] * 2
    again = [window(AT + 100 + n, AT, AT + HOUR) for n in range(2)]
    assert await write(house, AT + 100, *again) == first and await told(house) == []
    await Edges(house).tell(AT + 200)
    assert await told(house) == ["window.opened"] * 2, "as if nobody had edited"
    behind = [window(AT - 50 + n, AT, AT + HOUR) for n in range(2)]
    assert await write(house, AT - 50, *behind) == first
    await Edges(house).tell(AT + 300)
    assert await told(house) == []
    assert len(await write(house, AT + 400, again[0])) == 1
    assert await told(house) == ["window.closed"], "two of the same words, and one of them went"


async def test_a_changed_window_is_told_of_by_what_was_told(house: Database) -> None:
    """Time was late: what never opened does not close, what is open now is told by the edit."""
    await write(house, AT - HOUR, window(AT - HOUR, AT, AT + HOUR))
    await told(house)
    await write(house, AT + 100, window(AT + 110, AT, AT + 2 * HOUR))
    assert sorted(await told(house)) == ["window.opened", "window.updated"]
    slow = window(AT + 300, AT + 250, AT + 3 * HOUR)
    await write(house, AT + 200, slow)
    assert sorted(await told(house)) == ["window.closed", "window.opened"], "it took its time"
    await Edges(house).tell(AT + 400)
    assert await told(house) == []
    await write(house, AT + 500)
    assert await told(house) == ["window.closed"]


def document(start_ms: int, end_ms: int, *territories: str) -> types.BlackoutDocument:
    return types.BlackoutDocument(
        start_at=utc(start_ms),
        end_at=utc(end_ms),
        channel_id="ch_demo",
        territories=list(territories),
    )


async def test_a_blackout_is_told_once_around_an_edit(house: Database) -> None:
    """The edit tells what time has not told yet, be it a beginning or an end."""
    book = Blackouts()

    async def edit(at_ms: int, old: Any, wanted: types.BlackoutDocument | None) -> Any:
        async with house.write() as connection:
            by = Edit(connection, "op", at_ms)
            if old is None:
                assert wanted is not None
                return await book.create(by, wanted)
            if wanted is None:
                return await book.remove(by, old)
            return await book.change(by, old, wanted)

    one = await edit(AT - HOUR, None, document(AT, AT + HOUR, "SE"))
    assert await told(house) == []
    one = await edit(AT + 100, one, document(AT, AT + HOUR, "NO"))
    assert await told(house) == ["blackout.started"], "time had not told, and will not"
    await Edges(house).tell(AT + 200)
    assert await told(house) == []
    one = await edit(AT + HOUR + 100, one, document(AT, AT + HOUR, "SE"))
    assert await told(house) == ["blackout.ended"]
    await Edges(house).tell(AT + 2 * HOUR)
    assert await told(house) == []
    two = await edit(AT, None, document(AT + 3 * HOUR, AT + 4 * HOUR, "SE"))
    await Edges(house).tell(AT + 3 * HOUR + 50)
    assert await told(house) == ["blackout.started"]
    other = await edit(AT + 3 * HOUR - 9, None, document(AT + 3 * HOUR - 5, AT + 4 * HOUR, "SE"))
    assert await told(house) == ["blackout.started"], "time has gone by it already"
    await Edges(house).tell(AT + 3 * HOUR + 60)
    assert await told(house) == []
    for each in (one, two, other):
        await edit(AT + 3 * HOUR + 70, each, None)
    assert await told(house) == ["blackout.ended"] * 2
