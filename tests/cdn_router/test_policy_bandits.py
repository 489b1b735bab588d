"""D-UCB against scores worked out by hand and by exact fractions (RG-9); the others' laws."""

import math
from fractions import Fraction

import pytest

from cdn_router.policies.bandits import GAMMA, HALF_LIFE_S, Ducb, Thompson, Ucb1, play_forward, ucb
from cdn_router.policies.face import Cdn, Cell, Evidence, Site, Snapshot, Stand

# New samples of three arms in 20 batches: (count, sum of QoE) by arm.
BATCHES = [
    ((1, 80), (1, 60), (1, 70)),
    ((4, 320), (0, 0), (2, 150)),
    ((3, 231), (1, 66), (0, 0)),
    ((0, 0), (2, 120), (5, 400)),
    ((2, 30), (0, 0), (4, 316)),
    ((0, 0), (0, 0), (6, 480)),
    ((1, 90), (3, 210), (1, 10)),
    ((5, 450), (0, 0), (0, 0)),
    ((4, 352), (1, 91), (0, 0)),
    ((0, 0), (6, 546), (1, 75)),
] * 2


def test_two_batches_by_hand() -> None:
    """After batch 2: s = (384, 48, 206), n = (4.8, 0.8, 2.8), N = 8.4; sqrt(2 ln N) = 2.063."""
    s = [0.8 * 80 + 320, 0.8 * 60, 0.8 * 70 + 150]
    n = [0.8 + 4, 0.8, 0.8 + 2]
    assert ucb(s, n, 5.0) == pytest.approx([84.7084, 71.5331, 79.7364], abs=2e-3)
    assert ucb([80, 60], [0.5, 0.5], 5.0) == [160, 120], "no bonus for N <= 1"
    assert ucb([0, 60], [0, 2], 5.0)[0] == 0, "never tried scores 0"


def test_twenty_batches_against_exact_sums() -> None:
    """RG-9: sums as fractions, the formula once more, decisions played forward by hand."""
    gamma = Fraction(4, 5)
    exact = [(Fraction(0), Fraction(0))] * 3
    row = [Evidence()] * 3
    decay = 2 ** (-10 / HALF_LIFE_S)
    assert decay == pytest.approx(GAMMA)
    seen = set()
    for number, batch in enumerate(BATCHES):
        exact = [
            (gamma * n + a, gamma * s + b) for (n, s), (a, b) in zip(exact, batch, strict=True)
        ]
        row = [
            Evidence(n=e.n * decay + a, qoe=e.qoe * decay + b)
            for e, (a, b) in zip(row, batch, strict=True)
        ]
        total = float(sum(n for n, _ in exact))
        want = [float(s / n) + 5 * math.sqrt(2 * math.log(total) / float(n)) for n, s in exact]
        cell = Cell("R1", "I1")
        snapshot = of(row, number)
        table = Ducb().plan("R1", snapshot)[cell]
        assert [c.score for c in table.candidates] == pytest.approx(want, rel=1e-9)
        counts, played = [float(n) for n, _ in exact], []
        for step in range(10):
            bonus = 5 * math.sqrt(2 * math.log(total + step))
            scores = [
                float(s / m) + bonus / math.sqrt(n) for (m, s), n in zip(exact, counts, strict=True)
            ]
            played.append(scores.index(max(scores)))
            counts[played[-1]] += 1
            counts = [n * 0.8 for n in counts]
        assert table.share == pytest.approx([played.count(arm) / 10 for arm in range(3)])
        seen.add(table.share)
    assert len(seen) >= 5, "batches that tell something"


def of(row: list[Evidence], version: int = 1) -> Snapshot:
    cdns = tuple(Cdn(name) for name in "ABCDEFGH"[: len(row)])
    cells = {key: tuple(row) for key in (Cell("R1", "I1"), Cell("R1"), Cell())}
    stands = (Stand.ENABLED,) * len(row)
    return Snapshot(version, 0, cdns, stands, cells, {"R1": (Site(),) * len(row)})


def test_play_forward_spreads_one_batch_over_arms() -> None:
    chosen = play_forward([400, 398], [5, 5], bonus=5, gamma=0.8, steps=10)
    assert 3 <= chosen.count(0) <= 7
    assert play_forward([500, 5], [5, 5], bonus=5, gamma=0.8, steps=10) == [0] * 10


def test_each_arm_is_tried_once_first() -> None:
    row = [Evidence(n=9, qoe=900), Evidence(), Evidence(n=3, qoe=30)]
    for policy in (Ducb(), Ucb1()):
        assert policy.plan("R1", of(row))[Cell("R1", "I1")].share == (0, 1, 0)


def test_thompson_wins_by_evidence_and_is_a_function_of_its_snapshot() -> None:
    clear = [Evidence(n=400, qoe=36_000), Evidence(n=400, qoe=20_000)]
    assert Thompson().plan("R1", of(clear))[Cell("R1", "I1")].share == (1, 0)
    thin = [Evidence(n=1, qoe=80), Evidence(n=1, qoe=75)]
    shares = {Thompson().plan("R1", of(thin, v))[Cell("R1", "I1")].share for v in range(50)}
    assert len(shares) > 3
    mean = sum(share[0] for share in shares) / len(shares)
    assert 0.3 < mean < 0.9
    one = Thompson().plan("R1", of(thin, 7))
    assert one == Thompson().plan("R1", of(thin, 7))
