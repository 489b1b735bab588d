"""A start that comes to nothing costs no use of what was rented (CTL-81, CTL-82)."""

import asyncio
from typing import Any

import pytest
from control_rigs.rental import rent
from sqlalchemy import func, select, update

from control_api.routerclient import Decision, Question
from control_api.schema import entitlement, playback_session


class Gate:
    """A router that answers nobody until it is told to."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.open = asyncio.Event()

    async def decide(self, question: Question, timeout_s: float) -> Decision:
        await self.open.wait()
        answer: Decision = await self.inner.decide(question, timeout_s)
        return answer


@pytest.fixture
async def rented(api: Any) -> Any:
    """A rental that may be used twice, within a window once it has begun."""
    await rent(api.database, 2)
    return api


async def uses(api: Any) -> tuple[int, bool]:
    """How many, and whether the window is open."""
    async with api.database.read() as connection:
        query = select(entitlement).where(entitlement.c.id == "ent_rent")
        row = (await connection.execute(query)).one()
    return row.uses, row.first_played_ms is not None


async def rows(api: Any, *where: Any) -> int:
    query = select(func.count()).select_from(playback_session).where(*where)
    async with api.database.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def left(api: Any, device: str) -> None:
    """A client that goes away when its session has been written, and that session's end."""
    playback = api.services.playback
    gate = playback._router = Gate(api.router)
    before = await rows(api)
    start = asyncio.create_task(api.start(device, content_id="cnt_vault"))
    async with asyncio.timeout(60):
        while await rows(api) == before:
            await asyncio.sleep(0.01)
        start.cancel()
        while not await rows(api, playback_session.c.end_reason == "failed"):
            await asyncio.sleep(0.01)
    playback._router = gate.inner


async def test_who_goes_away_meanwhile_keeps_the_use(rented: Any) -> None:
    await left(rented, "one")
    assert await uses(rented) == (0, False)
    assert (await rented.start("one", content_id="cnt_vault"))[0] == 201
    assert await uses(rented) == (1, True)


async def test_a_window_that_was_open_costs_nothing_and_gives_nothing(rented: Any) -> None:
    assert (await rented.start("one", content_id="cnt_vault"))[0] == 201
    await left(rented, "two")
    assert await uses(rented) == (1, True)


async def test_each_start_without_a_window_is_given_back(rented: Any) -> None:
    async with rented.database.write() as connection:
        rental = update(entitlement).where(entitlement.c.id == "ent_rent")
        await connection.execute(rental.values(viewing_s=None))
    assert (await rented.start("one", content_id="cnt_vault"))[0] == 201
    await left(rented, "two")
    assert await uses(rented) == (1, True)
