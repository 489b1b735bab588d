"""Facts of CheckAccess that are kept: told changes are seen, a database away is lived with."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select, update

from control_api import ledger, seed
from control_api.outbox.tables import outbox
from control_api.schema import account, playback_session
from runtime.sql import SqlError
from runtime.store import StoreError

FILM = {"device": {"id": "one"}, "content_id": "cnt_film"}


async def ask(api: Any) -> tuple[int, str]:
    status, answer = await api.send("POST", "/v1/entitlements/check", FILM)
    return status, answer.get("source") or answer["code"]


async def suspend(api: Any, status: str = "suspended") -> None:
    async with api.database.write() as connection:
        await connection.execute(update(account).values(status=status))


async def test_a_told_change_is_seen_at_once_another_after_a_minute(
    database: Any, make_api: Any, wheel: Any
) -> None:
    """CTL-83, CTL-85."""
    api = await make_api(database, access_cache_s=60)
    assert await ask(api) == (200, "sql") and await ask(api) == (200, "cache")
    await suspend(api)
    wheel.advance(59)
    assert await ask(api) == (200, "cache"), "nobody told"
    await api.services.playback.cases.changed(seed.ACCOUNT)
    assert await ask(api) == (403, "account_suspended")
    await suspend(api, "active")
    wheel.advance(61)
    assert await ask(api) == (200, "sql")


async def test_another_processes_change_is_seen_by_its_version(
    database: Any, make_api: Any, wheel: Any
) -> None:
    """CTL-83: where the word was missed, the version in the store tells, after two seconds."""
    api = await make_api(database, access_cache_s=60)
    assert await ask(api) == (200, "sql")
    await suspend(api)
    await api.services.store.incr_and_publish(f"{{a:{seed.ACCOUNT}}}:v", "elsewhere", b"")
    wheel.advance(3)
    assert await ask(api) == (403, "account_suspended")


async def test_stale_facts_stand_in_for_a_quarter_of_an_hour(
    database: Any, make_api: Any, wheel: Any, monkeypatch: Any
) -> None:
    """CTL-84: then 503, and never an allow that was not there."""
    api = await make_api(database, access_cache_s=60)
    assert await ask(api) == (200, "sql")

    async def away(*_: Any) -> None:
        raise SqlError("unavailable", "test")

    monkeypatch.setattr("control_api.household.ask", away)
    wheel.advance(500)
    assert await ask(api) == (200, "stale")
    wheel.advance(401)
    assert await ask(api) == (503, "entitlement_unavailable")


async def test_a_start_goes_on_without_the_database(
    database: Any, make_api: Any, wheel: Any, monkeypatch: Any
) -> None:
    """CTL-188: the row is owed, and paid; heartbeats and stop do not wait for it."""
    api = await make_api(database, access_cache_s=60)
    cases, told = api.services.playback.cases, []
    forget = cases.forget
    monkeypatch.setattr(cases, "forget", lambda subject: (told.append(subject), forget(subject)))
    await api.services.store.put("live:since", b"1")
    _, first = await api.start("one")
    async with asyncio.timeout(60):  # the start itself, `device.registered`, and its own echo
        while told.count(seed.ACCOUNT) < 3:
            await asyncio.sleep(0.01)
    wheel.advance(3)
    _, warm = await api.start("one")
    assert warm["limits"]["in_use"] == 1, "the same device's own session makes room"

    async def away(*_: Any) -> None:
        raise SqlError("unavailable", "test")

    monkeypatch.setattr("control_api.arrivals.Arrivals.enter", away)
    monkeypatch.setattr("control_api.household.ask", away)
    status, answer = await api.start("one")
    assert status == 201
    monkeypatch.undo()
    found = await api.services.playback.streams.live(seed.ACCOUNT, wheel.now_ms())
    assert [each.session_id for each in found] == [answer["session_id"]]
    status, problem = await api.send("POST", f"/v1/sessions/{first['session_id']}/heartbeat", {})
    assert (status, problem["reason"]) == (410, "replaced")


async def test_heartbeats_and_limits_go_on_without_the_store(
    database: Any, make_api: Any, monkeypatch: Any
) -> None:
    """CTL-188: the database admits and keeps alive; players are asked to come half as often."""
    api = await make_api(database)

    async def away(*_: Any, **__: Any) -> None:
        raise StoreError("unavailable", "test")

    for operation in ("admit", "heartbeats", "end", "get"):
        monkeypatch.setattr(api.services.store, operation, away)
    async with api.database.write() as connection:
        await connection.execute(update(account).values(max_streams=2))
    started = [await api.start(device) for device in "abc"]
    assert [status for status, _ in started] == [201, 201, 409]
    victim = started[0][1]["session_id"]
    [code] = [
        each["termination_code"]
        for each in started[2][1]["active_devices"]
        if each["session_id"] == victim
    ]
    status, _ = await api.start("c", channel_id="ch_demo", terminate=[code])
    assert status == 201
    status, told = await api.send("POST", f"/v1/sessions/{victim}/heartbeat", {})
    assert (status, told["reason"]) == (410, "terminated")
    alive = started[1][1]["session_id"]
    status, told = await api.send("POST", f"/v1/sessions/{alive}/heartbeat", {})
    assert status == 200 and 54 <= told["next_in_s"] <= 66 and told["ttl_s"] == 180
    monkeypatch.undo()
    status, told = await api.send("POST", f"/v1/sessions/{victim}/heartbeat", {})
    assert (status, told["reason"]) == (410, "terminated"), "the store learns of it"


async def test_a_start_whose_commit_nobody_heard_of_is_told_once(
    database: Any, make_api: Any
) -> None:
    api = await make_api(database)
    await api.start("one")
    starts = select(outbox).where(outbox.c.topic == "playback.session.started")
    async with database.read() as connection:
        row = (await connection.execute(select(playback_session))).one()._asdict()
    owed = api.services.playback.ledger
    owed.start(row)
    owed.start(row | {"id": "ses_other"})
    await owed.flush()
    async with database.read() as connection:
        told = (await connection.execute(starts)).all()
        found = (await connection.execute(select(playback_session.c.id))).scalars().all()
    assert sorted(found) == sorted([row["id"], "ses_other"])
    assert len(told) == 2


async def test_what_is_owed_survives_a_failed_payment(database: Any, make_api: Any) -> None:
    api = await make_api(database)
    _, answer = await api.start("one")
    owed = api.services.playback.ledger
    owed.beat(answer["session_id"], ledger.Sign(2**40, 77, None))
    broken = owed._database
    owed._database = _Away()
    for _ in range(2):
        try:
            await owed.flush()
        except SqlError:
            continue
        raise AssertionError("the database was away")
    owed._database = broken
    await owed.flush()
    found = await api.services.playback.streams.live("acc_demo", 2**40)
    assert [each.session_id for each in found] == [answer["session_id"]]


async def test_much_is_paid_in_pieces_and_each_once(database: Any, make_api: Any) -> None:
    """CTL-188: a payment that breaks off leaves what is paid, and in the order of its life."""
    api = await make_api(database)
    await api.start("one")
    async with database.read() as connection:
        row = (await connection.execute(select(playback_session))).one()._asdict()
    owed = api.services.playback.ledger
    names = [f"ses_n{n}" for n in range(2 * ledger.PIECE + 1)]
    for name in names:
        owed.start(row | {"id": name})
        owed.beat(name, ledger.Sign(row["last_seen_ms"] + 1, 77, None))
        owed.end(ledger.End("acc_demo", name, "expired", row["last_seen_ms"] + 2))
    owed._database = _Breaks(database, after=2)
    with pytest.raises(SqlError):
        await owed.flush()
    count = select(func.count()).where(playback_session.c.id.like("ses_n%"))
    async with database.read() as connection:
        assert (await connection.execute(count)).scalar_one() == 2 * ledger.PIECE
    owed._database = database
    await owed.flush()
    seen = (playback_session.c.position_ms == 77, playback_session.c.end_reason == "expired")
    async with database.read() as connection:
        assert (await connection.execute(count.where(*seen))).scalar_one() == len(names)


NUL = "\0"  # which PostgreSQL's text cannot hold; SQLite's integers end at 64 bits
NEVER = {
    "start of an account that is gone": {"account_id": "acc_gone"},
    "start without a kind": {"kind": None},
    "start in a far future": {"started_ms": 2**80},
}


@pytest.mark.parametrize("broken", NEVER)
async def test_a_debt_that_cannot_be_paid_is_dropped_and_the_others_are_paid(
    database: Any, make_api: Any, broken: str
) -> None:
    """CTL-188, CTL-189: nothing that was acknowledged waits for what can never be written."""
    api = await make_api(database)
    await api.start("one")
    async with database.read() as connection:
        row = (await connection.execute(select(playback_session))).one()._asdict()
    owed = api.services.playback.ledger
    names = [f"ses_n{n}" for n in range(9)]
    for name in names:
        owed.start(row | {"id": name})
        owed.beat(name, ledger.Sign(row["last_seen_ms"] + 1, 77, None))
        owed.end(ledger.End("acc_demo", name, "stopped", row["last_seen_ms"] + 2))
        if name == "ses_n4":
            owed.start(row | {"id": "ses_broken"} | NEVER[broken])
            owed.beat("ses_broken", ledger.Sign(2**80, 1, NUL))
            owed.end(ledger.End("acc_demo", "ses_broken", "stopped", 2**80))
    before = {kind: ledger.REFUSED.labels(kind)._value.get() for kind in ("start", "beat", "end")}
    await owed.flush()
    assert set(owed._owed().values()) == {0}
    counted = {kind: ledger.REFUSED.labels(kind)._value.get() for kind in before}
    assert counted == {kind: count + 1 for kind, count in before.items()}
    query = select(playback_session.c.id).where(
        playback_session.c.id != row["id"],
        playback_session.c.position_ms == 77,
        playback_session.c.end_reason == "stopped",
    )
    async with database.read() as connection:
        assert sorted((await connection.execute(query)).scalars()) == names


class _Breaks:
    """A database that is away after so many transactions."""

    def __init__(self, database: Any, after: int) -> None:
        self._database = database
        self._left = after

    def write(self, **options: Any) -> Any:
        if not self._left:
            raise SqlError("unavailable", "test")
        self._left -= 1
        return self._database.write(**options)


class _Away:
    def write(self, **_: Any) -> Any:
        raise SqlError("unavailable", "test")
