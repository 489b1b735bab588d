"""Circuits from what viewers see: breaker, brown-out, quorum, liars (RT-8, RT-20, RT-22)."""

import pytest

from cdn_router.cells.circuits import OPEN_S, PATIENCE_S, TRIAL_S, Circuits, Second, Seconds
from cdn_router.policies.face import Circuit

HERE = ("DE", 0)
THERE = {("DE", 0): 20.0, ("DE", 1): 20.0}
THREE = 0b111


def seen(at_s: int, **counts: int) -> Seconds:
    return {at_s: {HERE: Second(**counts)}}


def look(circuits: Circuits, nodes: list[Seconds], now_s: float) -> Circuit:
    circuits.look(nodes, THERE, now_s)
    return circuits.circuit(*HERE)


def opened() -> Circuits:
    circuits = Circuits()
    failures = seen(10, failed=5, sessions=THREE, networks=THREE)
    assert look(circuits, [failures], 10.5) is Circuit.OPEN
    return circuits


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"failed": 5, "sessions": THREE, "networks": THREE}, Circuit.OPEN),
        ({"failed": 4, "sessions": THREE, "networks": THREE}, Circuit.CLOSED),
        ({"failed": 500, "sessions": 0b11, "networks": THREE}, Circuit.CLOSED),
        ({"failed": 500, "sessions": ~0 & 0xFF, "networks": 0b11}, Circuit.CLOSED),
        ({"failed": 5, "good": 6, "sessions": THREE, "networks": THREE}, Circuit.CLOSED),
        ({"failed": 5, "good": 5, "sessions": THREE, "networks": THREE}, Circuit.OPEN),
    ],
)
def test_what_opens_it(counts: dict[str, int], expected: Circuit) -> None:
    assert look(Circuits(), [seen(10, **counts)], 10.5) is expected


def test_nodes_join_their_voices() -> None:
    parts = [seen(10, failed=2, sessions=1 << n, networks=1 << n) for n in range(3)]
    assert look(Circuits(), parts[:2], 10.5) is Circuit.CLOSED
    assert look(Circuits(), parts, 10.5) is Circuit.OPEN


def test_old_outcomes_do_not_count() -> None:
    parts = [seen(at_s, failed=3, sessions=THREE, networks=THREE) for at_s in (10, 21)]
    assert look(Circuits(), parts, 21) is Circuit.CLOSED
    assert look(Circuits(), parts, 19) is Circuit.CLOSED


def test_half_open_takes_one_probe_and_its_word() -> None:
    circuits = opened()
    assert circuits.trial("DE", 11) == -1
    assert look(circuits, [], 10.5 + OPEN_S - 1) is Circuit.OPEN
    assert look(circuits, [], 10.5 + OPEN_S) is Circuit.HALF_OPEN
    assert circuits.trial("FR", 41) == -1 and circuits.trial("DE", 41, down={0}) == -1
    assert circuits.trial("DE", 41) == 0 and circuits.trial("DE", 41) == -1
    assert look(circuits, [seen(42, good=1)], 42.5) is Circuit.CLOSED


def test_a_silent_probe_is_followed_by_another_and_silence_closes() -> None:
    circuits = opened()
    look(circuits, [], 41)
    assert circuits.trial("DE", 41) == 0 and circuits.trial("DE", 40 + TRIAL_S) == -1
    assert circuits.trial("DE", 41 + TRIAL_S) == 0
    assert look(circuits, [], 40 + PATIENCE_S) is Circuit.HALF_OPEN
    assert look(circuits, [], 41 + PATIENCE_S) is Circuit.CLOSED
    assert circuits.trial("DE", 41 + 2 * PATIENCE_S) == -1


def test_half_open_fails_back_to_open() -> None:
    circuits = opened()
    look(circuits, [], 10.5 + OPEN_S)
    assert look(circuits, [seen(42, failed=1, good=3)], 42.5) is Circuit.OPEN
    assert look(circuits, [], 42.5 + OPEN_S - 1) is Circuit.OPEN


def test_a_brown_out_needs_a_better_cdn_beside_it() -> None:
    bad = Second(stalled=8, sessions=THREE, networks=THREE)
    circuits = Circuits()
    circuits.look([{10: {HERE: bad, ("DE", 1): Second(stalled=8)}}], THERE, 10.5)
    assert circuits.circuit(*HERE) is Circuit.CLOSED
    nodes: list[Seconds] = [{10: {HERE: bad, ("DE", 1): Second(good=50, stalled=1)}}]
    assert circuits.look(nodes, THERE, 10.5) == [(HERE, Circuit.BROWN)]
    assert look(circuits, nodes, 25) is Circuit.BROWN
    assert look(circuits, nodes, 41) is Circuit.CLOSED


def test_few_stalls_among_many_viewers_are_no_brown_out() -> None:
    bad = Second(stalled=8, sessions=THREE, networks=THREE)
    circuits = Circuits()
    nodes: list[Seconds] = [{10: {HERE: bad, ("DE", 1): Second(good=50)}}]
    assert circuits.look(nodes, {HERE: 33.0}, 10.5) == []


def test_a_whole_cdn_needs_a_quorum_of_regions() -> None:
    """One region says nothing of the others; two of three do, but for those where it works."""
    circuits = Circuits()
    bad = Second(failed=5, sessions=THREE, networks=THREE)
    wheres = {("DE", 0): bad, ("FR", 0): Second(good=9), ("IT", 0): Second(good=9)}
    circuits.look([{10: wheres}], {}, 10.5)
    assert not circuits.dead and circuits.circuit("FR", 0) is Circuit.CLOSED
    assert circuits.circuit("ES", 0) is Circuit.CLOSED
    nodes: list[Seconds] = [{11: {("FR", 0): bad, ("IT", 0): Second(good=9)}}]
    circuits.look(nodes, {}, 11.5)
    assert circuits.dead == {0}
    assert circuits.circuit("IT", 0) is Circuit.CLOSED and circuits.circuit("ES", 0) is Circuit.OPEN
    nodes.append({12: {("IT", 0): Second(failed=1)}})
    circuits.look(nodes, {}, 12.5)
    assert circuits.circuit("IT", 0) is Circuit.OPEN, "one failure, of a CDN that is dead elsewhere"


def test_a_dead_cdn_stays_shut_where_nobody_is_while_it_is_tried_elsewhere() -> None:
    circuits = Circuits()
    bad = Second(failed=5, sessions=THREE, networks=THREE)
    circuits.look([{10: {("DE", 0): bad, ("FR", 0): bad}}], {}, 10.5)
    circuits.look([], {}, 10.5 + OPEN_S)
    assert circuits.circuit(*HERE) is Circuit.HALF_OPEN
    assert circuits.circuit("ES", 0) is Circuit.OPEN
    circuits.look([seen(42, good=1)], {}, 42.5)
    assert circuits.circuit("ES", 0) is Circuit.CLOSED
