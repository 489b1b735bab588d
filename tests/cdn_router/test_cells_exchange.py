"""Nodes over a real Redis: they agree, live without it, and find back (RT-15, RT-16)."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twins.process import needs

from cdn_router.cells.circuits import Second
from cdn_router.cells.exchange import TOLD_ROWS, Exchange
from cdn_router.cells.keeper import Keeper
from cdn_router.cells.state import SILENT_S, State
from cdn_router.cells.sums import Sample
from cdn_router.policies.face import Cdn, Cell, Circuit
from runtime.clock import SYSTEM
from runtime.store import RedisStore

CDNS = (Cdn("A", capacity_mbps={"DE": 100.0}), Cdn("B"))
CELL = Cell("DE", "AS1")
NOW_S = 1_700_000_000.0
SEEN = Sample(n=1, qoe=80, failures=1, seconds=10, megabits=50)


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within_s
        await asyncio.sleep(0.01)


def node(name: str) -> tuple[State, Exchange]:
    state = State(CDNS, NOW_S)
    return state, Exchange(state, name)


def n_of(state: State, cell: Cell, cdn: int, now_s: float) -> float:
    found = state.snapshot(int(now_s * 1000)).cells.get(cell)
    return 0.0 if found is None else found[cdn].n


def test_the_snapshot_backs_off_and_holds_every_region() -> None:
    state, _ = node("a")
    state.sample(CELL, 1, SEEN, NOW_S)
    state.sample(Cell("DE", "AS2"), 1, SEEN, NOW_S)
    snapshot = state.snapshot(int(NOW_S * 1000))
    assert snapshot.cells[CELL][1].n == 1 and snapshot.cells[CELL][0].n == 0
    assert snapshot.cells[Cell("DE")][1][:5] == pytest.approx((2, 160, 2, 2, 160))
    assert snapshot.cells[Cell()][1].n == 2
    assert snapshot.sites["DE"][0].capacity_mbps == 100
    assert snapshot.sites["DE"][1].load_mbps == pytest.approx(100 / 43.28, abs=0.01)
    assert set(snapshot.sites) == {"", "DE"}
    assert state.snapshot(int(NOW_S * 1000)).version == snapshot.version + 1


def test_a_message_lost_doubled_or_late_does_no_harm() -> None:
    (here, tells), (there, hears) = node("a"), node("b")
    here.sample(CELL, 0, SEEN, NOW_S)
    here.outcome("DE", 0, Second(failed=5, sessions=7, networks=7), NOW_S)
    [first] = tells.messages(NOW_S)
    here.sample(CELL, 0, SEEN, NOW_S)
    [second] = tells.messages(NOW_S)
    for body in (first, first, second, second):
        hears.take(body, NOW_S)
    assert n_of(there, CELL, 0, NOW_S) == 2
    there.look(NOW_S)
    assert there.snapshot(int(NOW_S * 1000)).sites["DE"][0].circuit is Circuit.OPEN
    there.look(NOW_S + SILENT_S + 1)
    assert not there.peers and n_of(there, CELL, 0, NOW_S + SILENT_S + 1) == 0


def test_only_what_changed_is_told_until_somebody_asks() -> None:
    state, exchange = node("a")
    state.sample(CELL, 0, SEEN, NOW_S)
    [whole], [still] = exchange.messages(NOW_S), exchange.messages(NOW_S + 60)
    assert len(still) < 64 < len(whole)
    exchange.take(node("b")[1].hello(), NOW_S)
    assert [len(each) for each in exchange.messages(NOW_S + 61)] == [len(whole)]


def test_many_rows_go_in_several_messages() -> None:
    """None is longer than the loop may stand still; together they are the whole."""
    (here, tells), (there, hears) = node("a"), node("b")
    cells = [Cell("DE", f"AS{number}") for number in range(2 * TOLD_ROWS + 1)]
    for cell in cells:
        here.sample(cell, 0, SEEN, NOW_S)
    told = list(tells.messages(NOW_S))
    assert len(told) == 3 and max(map(len, told)) < 100 * TOLD_ROWS
    for body in [*told, *told]:
        hears.take(body, NOW_S)
    assert all(n_of(there, cell, 0, NOW_S) == 1 for cell in (cells[0], cells[-1]))
    assert n_of(there, Cell("DE"), 0, NOW_S) == len(cells)
    tells.take(told[0], NOW_S + 5)
    assert tells.heard_s == NOW_S + 5 and not here.peers, "its own"


def many(state: State, numbers: range) -> None:
    for number in numbers:
        state.sample(Cell("DE", f"AS{number}"), 0, SEEN, NOW_S)


def n_of_many(state: State) -> float:
    return n_of(state, Cell("DE"), 0, NOW_S)


def test_a_whole_counts_once_it_is_told() -> None:
    """Nobody decides on a part of it, and what is no longer in it goes."""
    (here, tells), (there, hears) = node("a"), node("b")
    many(here, range(2 * TOLD_ROWS))
    *begin, end = tells.messages(NOW_S)
    for body in begin:
        hears.take(body, NOW_S)
        assert n_of_many(there) == 0
    hears.take(end, NOW_S)
    assert n_of_many(there) == 2 * TOLD_ROWS
    del here.own.sums.rows[Cell("DE", "AS0"), 0]
    tells.take(hears.hello(), NOW_S)
    *begin, end = tells.messages(NOW_S)
    for body in begin:
        hears.take(body, NOW_S)
        assert n_of_many(there) == 2 * TOLD_ROWS
    hears.take(end, NOW_S)
    assert n_of_many(there) == 2 * TOLD_ROWS - 1


@pytest.mark.parametrize("lost", range(3))
def test_a_lost_message_loses_no_rows(lost: int) -> None:
    """What was known stays, and the whole is asked for."""
    (here, tells), (there, hears) = node("a"), node("b")
    many(here, range(3 * TOLD_ROWS))
    whole = list(tells.messages(NOW_S))
    for body in whole:
        hears.take(body, NOW_S)
    [*_] = hears.messages(NOW_S)
    tells.take(hears.hello(), NOW_S)
    again = list(tells.messages(NOW_S))
    for at, body in enumerate(again):
        if at != lost:
            hears.take(body, NOW_S)
        assert n_of_many(there) == 3 * TOLD_ROWS
    many(here, range(1))
    [changed] = tells.messages(NOW_S)
    hears.take(changed, NOW_S)
    question, _ = hears.messages(NOW_S)
    tells.take(question, NOW_S)
    assert len(list(tells.messages(NOW_S))) == 3
    assert len(list(hears.messages(NOW_S))) == 1, "asked once"


def test_of_what_changed_nothing_is_missed_unnoticed() -> None:
    """A round that is lost whole shows in the next."""
    (here, tells), (there, hears) = node("a"), node("b")

    def both() -> None:
        for one, other in ((tells, hears), (hears, tells)):
            for body in one.messages(NOW_S):
                other.take(body, NOW_S)

    many(here, range(2))
    for _ in range(2):
        both()
    many(here, range(1))
    [_] = tells.messages(NOW_S)
    for _ in range(2):
        both()
    assert n_of_many(there) == 3


def test_outcomes_of_a_large_service_are_told() -> None:
    """A whole has 45 s of every region and CDN: more than fit one message."""
    cdns = tuple(Cdn(f"C{number}") for number in range(4))
    here, there = State(cdns, NOW_S), State(cdns, NOW_S)
    tells, hears = Exchange(here, "a"), Exchange(there, "b")
    places = [(f"R{region}", cdn) for region in range(30) for cdn in range(len(cdns))]
    for second in range(45):
        for region, cdn in places:
            here.outcome(region, cdn, Second(good=1), NOW_S - second)
    for body in tells.messages(NOW_S):
        hears.take(body, NOW_S)
    assert hears.refused == 0
    there.look(NOW_S)
    assert sum(map(len, there.peers["a"].seconds.values())) == 45 * len(places)
    assert there.circuits.states.keys() == set(places)
    assert [len(msgspec.msgpack.decode(body)[7]) for body in tells.messages(NOW_S)] == [256, 224]


def test_cdns_are_known_by_name() -> None:
    here, tells = node("a")
    there = State((Cdn("B"), Cdn("C")), NOW_S)
    here.sample(CELL, 0, SEEN, NOW_S)
    here.sample(CELL, 1, SEEN, NOW_S)
    Exchange(there, "b").take(next(tells.messages(NOW_S)), NOW_S)
    assert n_of(there, CELL, 0, NOW_S) == 1 and n_of(there, CELL, 1, NOW_S) == 0


SMALL = st.integers(-2, 2)
ROWS = st.lists(st.tuples(SMALL, SMALL, st.lists(st.floats(), max_size=8)), max_size=2)
SECONDS = st.lists(st.lists(SMALL | st.just(1 << 63) | st.just("DE"), max_size=9), max_size=2)


@given(st.binary(max_size=32) | st.tuples(st.sampled_from([0.0, NOW_S, 1e300]), ROWS, SECONDS))
@example(given=b"\x91\xa3\x00\x00\x80")  # no UTF-8
@settings(max_examples=60)
def test_hostile_messages_are_refused_or_harmless(given: object) -> None:
    state, exchange = node("a")
    body = given
    if isinstance(given, tuple):
        landmark_s, rows, seconds = given
        cells = [["DE", "", "", "", ""]]
        body = msgspec.msgpack.encode(["x", False, True, landmark_s, ["A"], cells, rows, seconds])
    assert isinstance(body, bytes)
    exchange.take(body, NOW_S)
    state.look(NOW_S)
    state.snapshot(int(NOW_S * 1000))
    assert exchange.refused or state.peers


@pytest.mark.twin
@pytest.mark.serial
async def test_two_nodes_agree_and_survive_a_killed_redis(tmp_path: Path) -> None:
    socket = tmp_path / "r.sock"
    command = [needs("redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", ""]

    def server() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)

    states = [State(CDNS, SYSTEM.now_ms() / 1000) for _ in range(2)]
    keepers = [
        Keeper(state, name, SYSTEM, RedisStore(f"unix://{socket}"))
        for state, name in zip(states, "ab", strict=True)
    ]
    for keeper in keepers:
        await keeper.start()

    def both_know(cell: Cell) -> bool:
        return all(n_of(state, cell, 0, SYSTEM.now_ms() / 1000) > 0.5 for state in states)

    redis = server()
    try:
        states[0].sample(CELL, 0, SEEN, SYSTEM.now_ms() / 1000)
        assert not both_know(CELL)
        await until(lambda: both_know(CELL))
        states[1].sample(Cell("FR"), 0, SEEN, SYSTEM.now_ms() / 1000)
        await until(lambda: both_know(Cell("FR")))

        redis.kill()
        redis.wait()
        states[0].sample(Cell("IT"), 0, SEEN, SYSTEM.now_ms() / 1000)
        assert n_of(states[0], Cell("IT"), 0, SYSTEM.now_ms() / 1000) > 0.9
        await until(lambda: not any(keeper.linked for keeper in keepers))
        assert all(keeper.ready() is None for keeper in keepers)

        redis = server()
        await until(lambda: both_know(Cell("IT")))
    finally:
        for keeper in keepers:
            await keeper.stop()
        redis.kill()
        redis.wait()
