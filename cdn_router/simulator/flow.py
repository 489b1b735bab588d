"""The cheapest transport from cells to CDNs under capacities, exactly (A10).

Successive shortest paths with Bellman and Ford (Ahuja, Magnanti, Orlin, Network Flows, 9.7), over
a graph of CDNs only: moving a cell's flow from CDN a to b costs the difference.
"""

from collections.abc import Sequence
from itertools import pairwise, permutations

EPSILON = 1e-9


def transport(
    supply: Sequence[float], capacity: Sequence[float], cost: Sequence[Sequence[float]]
) -> list[list[float]]:
    """Flow by source and sink. Where supply exceeds all capacity, capacities grow alike."""
    total, room = sum(supply), sum(capacity)
    widen = max(1.0, total / room * (1 + 1e-6)) if room > 0 else 1.0
    slack = [each * widen if room > 0 else total for each in capacity]
    flow = [[0.0] * len(capacity) for _ in supply]
    for source, left in enumerate(supply):
        while left > EPSILON:
            path = _cheapest(source, flow, slack, cost)
            if path is None:
                break
            amount = min(left, slack[path[-1]])
            moved = [(_mover(flow, cost, a, b), a, b) for a, b in pairwise(path)]
            amount = min([amount, *(flow[cell][a] for cell, a, _ in moved)])
            for cell, a, b in moved:
                flow[cell][a] -= amount
                flow[cell][b] += amount
            flow[source][path[0]] += amount
            slack[path[-1]] -= amount
            left -= amount
    return flow


def _cheapest(
    source: int,
    flow: Sequence[Sequence[float]],
    slack: Sequence[float],
    cost: Sequence[Sequence[float]],
) -> list[int] | None:
    """The cheapest way to a CDN with room, as the CDNs along it."""
    count = len(slack)
    reach = list(cost[source])
    before = [-1] * count
    steps = [
        (a, b, cost[cell][b] - cost[cell][a])
        for a, b in permutations(range(count), 2)
        if (cell := _mover(flow, cost, a, b)) >= 0
    ]
    for _ in range(count):
        changed = False
        for a, b, more in steps:
            if reach[a] + more < reach[b] - EPSILON:
                reach[b], before[b], changed = reach[a] + more, a, True
        if not changed:
            break
    open_ends = [b for b in range(count) if slack[b] > EPSILON]
    if not open_ends:
        return None
    path = [min(open_ends, key=lambda b: reach[b])]
    while before[path[0]] >= 0 and len(path) <= count:
        path.insert(0, before[path[0]])
    return path


def _mover(flow: Sequence[Sequence[float]], cost: Sequence[Sequence[float]], a: int, b: int) -> int:
    """The source whose flow is moved from a to b at the least cost, -1 when a has none."""
    those = [cell for cell, row in enumerate(flow) if row[a] > EPSILON]
    return min(those, key=lambda cell: cost[cell][b] - cost[cell][a], default=-1)
