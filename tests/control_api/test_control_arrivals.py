"""Starts that are written together: all, or each by itself (CTL-72, CTL-105, CTL-170)."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import insert, select

from control_api import ids, seed, sessions, types
from control_api.arrivals import COLUMNS, Arrival, Arrivals
from control_api.guarded import Shelf
from control_api.ledger import EARLY_S, End, Ledger
from control_api.outbox.tables import outbox
from control_api.problems import Problem
from control_api.schema import account, device, metadata, playback_session
from control_api.sessions import Clockwork, Newcomer
from control_api.streams import SINCE, Streams
from runtime.asking import REFUSED
from runtime.clock import ManualClock
from runtime.sql import SqlError
from runtime.store import MemoryStore

NOW_MS = 1_800_000_000_000


def arrival(number: int, of: int, *, name: str = "TV", **more: Any) -> Arrival:
    """A first start of a device of account `of`; `known` is one that CheckAccess has seen."""
    known = more.pop("known", False)
    newcomer = Newcomer(
        id=ids.new("session"),
        account_id=f"acc_{of}",
        device_id=f"dev_{number}",
        kind="vod",
        target_id="cnt_film",
        cti=f"{number:032x}",
        limit=99,
        profile_id="prf_ü'\"",
        pin_passed=True,
        **more,
    )
    return Arrival(newcomer, types.DeviceInfo(id=f"d{number}", name=name), "tv", known, "Film")


@pytest.fixture
async def ten(kept: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A database of ten households for three devices each, that counts its transactions."""
    home = dict(seed.ROWS[0][1]) | {"max_devices": 3}
    async with kept.write() as connection:
        await connection.execute(insert(account), [home | {"id": f"acc_{n}"} for n in range(10)])
    change, kept.changes = kept.change, 0

    @asynccontextmanager
    async def counted(**more: Any) -> Any:
        kept.changes += 1
        async with change(**more) as ask:
            yield ask

    monkeypatch.setattr(kept, "change", counted)
    return kept


async def rows(database: Any, table: Any) -> list[Any]:
    async with database.read() as connection:
        return list((await connection.execute(select(table))).all())


async def test_many_starts_take_few_transactions(ten: Any) -> None:
    """Every column is as one alone writes it; a device comes before its session."""
    arrivals = Arrivals(ten)
    first = arrival(0, 0)
    many = [arrival(n, n % 10, known=n % 2 == 0) for n in range(1, 20)]
    await asyncio.gather(*(arrivals.enter(each, NOW_MS) for each in (first, *many)))
    assert ten.changes == 1
    spends = arrival(0, 0, known=True)
    async with ten.change() as ask:
        await ask(insert(playback_session), spends.newcomer.row(NOW_MS))
    found = {row.id: row for row in await rows(ten, playback_session)}
    alone = found.pop(spends.newcomer.id)
    assert set(found) == {each.newcomer.id for each in (first, *many)}
    together = found[first.newcomer.id]._asdict()
    assert together == alone._asdict() | {"id": first.newcomer.id}
    assert {row.id for row in await rows(ten, device)} == {"dev_0"} | {
        f"dev_{n}" for n in range(1, 20, 2)
    }
    told = [(row.topic, row.key) for row in await rows(ten, outbox)]
    assert told.count(("device.registered", "acc_0")) == 1
    assert told.index(("device.registered", "acc_0")) < told.index(
        ("playback.session.started", "acc_0")
    )
    assert len(told) == 11 + 20


async def test_first_starts_together_never_pass_the_limit(ten: Any) -> None:
    """CTL-72: of one account, in several processes; a device is counted once."""
    ways = [Arrivals(ten), Arrivals(ten)]
    starts = [arrival(n // 2, 0) for n in range(16)]
    found = await asyncio.gather(
        *(ways[n % 2].enter(each, NOW_MS) for n, each in enumerate(starts)), return_exceptions=True
    )
    refused = [each for each in found if each is not None]
    assert all(isinstance(each, Problem) and each.code == "device_limit" for each in refused)
    assert len(await rows(ten, device)) == 3
    entered = {n // 2 for n, each in enumerate(found) if each is None}
    assert len(entered) == 3 and len(refused) == 10
    assert len(await rows(ten, playback_session)) == 6


async def test_one_that_the_database_refuses_is_nobody_elses_trouble(ten: Any) -> None:
    arrivals = Arrivals(ten)
    lost = arrival(7, 77, known=True)
    starts = [arrival(1, 1), lost, arrival(2, 2, known=True)]
    found = await asyncio.gather(
        *(arrivals.enter(each, NOW_MS) for each in starts), return_exceptions=True
    )
    assert isinstance(found[1], REFUSED) and found[0] is found[2] is None
    entered = {row.id for row in await rows(ten, playback_session)}
    assert entered == {starts[0].newcomer.id, starts[2].newcomer.id}
    assert len(await rows(ten, outbox)) == 3


async def test_of_a_transaction_that_another_was_in_the_way_of_each_goes_alone(
    ten: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, codes = ten.change, ["undone"]

    @asynccontextmanager
    async def undone(**more: Any) -> Any:
        async with change(**more) as ask:
            yield ask
            if codes:
                raise SqlError(codes.pop(), "by another")

    monkeypatch.setattr(ten, "change", undone)
    arrivals = Arrivals(ten)
    await asyncio.gather(*(arrivals.enter(arrival(n, n), NOW_MS) for n in range(3)))
    assert len(await rows(ten, playback_session)) == 3
    codes.append("unavailable")
    with pytest.raises(SqlError):
        await arrivals.enter(arrival(4, 4), NOW_MS)


@pytest.mark.parametrize("known", [False, True])
async def test_who_is_held_keeps_nobody_else_waiting(ten: Any, known: bool) -> None:
    """PostgreSQL; with SQLite there is one writer. A known device's start is not even held."""
    if ten.dialect == "sqlite":
        pytest.skip("one writer")
    arrivals = Arrivals(ten)
    async with ten.write() as connection:
        await sessions.lock(connection, "acc_0")
        held = asyncio.create_task(arrivals.enter(arrival(1, 0, known=known), NOW_MS))
        async with asyncio.timeout(60):
            await asyncio.gather(
                *(arrivals.enter(arrival(n, n), NOW_MS) for n in range(2, 5)),
            )
            await arrivals.enter(arrival(5, 5), NOW_MS)
            if known:
                await held
        assert held.done() == known
    await held
    assert len(await rows(ten, device)) == 5 - known


async def test_who_leaves_while_his_row_is_written_is_ended(
    ten: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a start that came to nothing comes after its begin."""
    store = MemoryStore()
    await store.put(SINCE, b"1")
    ledger = Ledger(ten, flush_s=60)
    streams = Streams(ten, Shelf(store, 30), ledger, b"s" * 32, Clockwork(90, 86_400, 300))
    writing, go_on = asyncio.Event(), asyncio.Event()
    change = ten.change

    @asynccontextmanager
    async def slow(**more: Any) -> Any:
        async with change(**more) as ask:
            yield ask
            writing.set()
            await go_on.wait()

    monkeypatch.setattr(ten, "change", slow)
    one = arrival(1, 1)
    starting = asyncio.create_task(streams.record(one, [], 1, NOW_MS))
    await writing.wait()
    starting.cancel()
    withdrawn = streams.withdraw(one.newcomer, NOW_MS)
    await asyncio.wait([starting])
    go_on.set()
    await withdrawn
    (row,) = await rows(ten, playback_session)
    assert (row.end_reason, row.ended_ms) == ("failed", NOW_MS)


async def test_who_is_withdrawn_while_others_are_is_waited_for_too(
    ten: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process owes is paid behind the last of them."""
    ledger = Ledger(ten, flush_s=60)
    streams = Streams(ten, Shelf(MemoryStore(), 30), ledger, b"s" * 32, Clockwork(90, 86_400, 300))
    flush, paid = ledger.flush, 0

    async def pays() -> None:
        nonlocal paid
        if not paid:
            streams.withdraw(arrival(2, 1).newcomer, NOW_MS)
        paid += 1
        await flush()

    monkeypatch.setattr(ledger, "flush", pays)
    streams.withdraw(arrival(1, 1).newcomer, NOW_MS)
    await streams.settled()
    assert paid == 2 and not streams._leaving


async def test_an_end_that_came_before_its_start_is_paid_again(ten: Any) -> None:
    """CTL-105: a commit that nobody waited for comes when it comes."""
    clock = ManualClock(0)
    ledger = Ledger(ten, flush_s=60, clock=clock)
    one = arrival(1, 1, known=True).newcomer
    for name in (one.id, "ses_never"):
        ledger.end(End(one.account_id, name, "failed", NOW_MS))
    await ledger.flush()
    async with ten.change() as ask:
        await sessions.enter(ask, one, NOW_MS)
    clock.advance(EARLY_S)
    await ledger.flush()
    (row,) = await rows(ten, playback_session)
    assert (row.end_reason, row.ended_ms) == ("failed", NOW_MS)
    assert not ledger._early, "but once"


def test_what_is_written_together_is_all_that_there_is() -> None:
    """A column that a start fills alone, and not with others, would be lost."""
    made = arrival(1, 1).newcomer.row(NOW_MS)
    assert tuple(made) == COLUMNS["playback_session"]
    for table, columns in COLUMNS.items():
        own = metadata.tables[table].c
        needed = {c.name for c in own if not (c.nullable or c.server_default or c.name == "seq")}
        assert needed <= set(columns) <= set(own.keys())
