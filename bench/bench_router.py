"""Decisions per second of one core in process: 8 CDNs, 2,000 cells, 50 rules (RG-8).

    python -m bench.bench_router --json

A decision is: the first rule that fits, the cell's table, a draw, the order and its reason. The
snapshot changes each second; regions are planned when they are first asked for, and that counts.
`look` and `snapshot` are what the loop stands still for twice a second, `plan` what it does in
between for one of the 50 regions; each is the worst of ten, in processor time.
"""

import math
import statistics
import time
from itertools import cycle, pairwise

from bench import harness
from cdn_router.cells.state import State
from cdn_router.cells.sums import Sample
from cdn_router.policies.chooser import Chooser
from cdn_router.policies.face import Ask, Cdn, Cell, Evidence, Site, Snapshot, Stand
from cdn_router.policies.ours import Headwater
from cdn_router.rules.book import Book
from cdn_router.rules.rule import Rule, Who

REGIONS, ISPS = 50, 39  # 1,950 cells, 50 regions and the whole
CDNS = tuple(Cdn(f"CDN-{n}", 4.0 + n, n, 1.0) for n in range(8))
BATCH = 20_000
SECONDS = 2.0


def snapshot(version: int) -> Snapshot:
    """All cells with evidence of their own."""
    cells: dict[Cell, tuple[Evidence, ...]] = {}
    for region in range(REGIONS):
        for isp in range(-1, ISPS):
            cell = Cell(f"R{region}", f"I{isp}" if isp >= 0 else "")
            cells[cell] = tuple(
                Evidence(
                    40, 40 * (70 + (region * 7 + isp * 3 + n * 5 + version) % 25), 0, 8, 640, 9
                )
                for n in range(8)
            )
    cells[Cell()] = (Evidence(4000, 320_000),) * 8
    sites = {
        f"R{region}": (Site(load_mbps=300, capacity_mbps=900),) * 8 for region in range(REGIONS)
    }
    return Snapshot(version, version * 1000, CDNS, (Stand.ENABLED,) * 8, cells, sites)


def book() -> Book:
    """Fifty rules, of which the last fits."""
    narrow = [Rule(f"rule-{n}", content=f"/vod/x{n}/", never=("CDN-7",)) for n in range(49)]
    return Book([*narrow, Rule("all", never=("CDN-6",))], [cdn.id for cdn in CDNS])


def asked(count: int) -> list[tuple[Who, int, Ask]]:
    """Sessions of all cells, each somewhere already, some new."""
    found = []
    for n in range(count):
        cell = Cell(f"R{n * 31 % REGIONS}", f"I{n * 17 % ISPS}")
        who = Who(f"/live/{n % 5}/", region=cell.region, isp=cell.isp)
        found.append((who, n % 10, Ask(cell, n % 9 - 1, float(n % 200))))
    return found


def ordered(seconds: float, rules: Book | None) -> tuple[float, float]:
    """Decisions per second of processor time, a new snapshot each second, and the 99th percentile
    of one in us.
    """
    sessions = asked(BATCH)
    pictures = [snapshot(version) for version in range(1, 4)]
    rates: list[float] = []
    renewals = cycle(pictures)
    begun, renewed = time.process_time(), -math.inf
    while time.process_time() - begun < seconds:
        at = time.process_time()
        if at - renewed > 1.0:
            chooser, renewed = Chooser(Headwater(), next(renewals)), at
        if rules is None:
            for seed, (_, _, ask) in enumerate(sessions):
                chooser.order(ask, seed)
        else:
            for seed, (who, lot, (cell, current, dwell_s, _)) in enumerate(sessions):
                chooser.order(Ask(cell, current, dwell_s, rules.ruling(who, lot).allowed), seed)
        rates.append(BATCH / (time.process_time() - at))
    spent: list[float] = []
    chooser = Chooser(Headwater(), next(renewals))
    for seed, (_, _, ask) in enumerate(sessions * 5):  # a third of a second's worth
        at = time.perf_counter()
        chooser.order(ask, seed)
        spent.append(time.perf_counter() - at)
    return statistics.median(rates), statistics.quantiles(spent, n=100)[98] * 1e6


def stalls() -> tuple[float, float, float]:
    """Milliseconds of look, snapshot and plan over 2,000 cells on 8 CDNs."""
    cells = [Cell(f"R{region}", f"I{isp}") for region in range(REGIONS) for isp in range(ISPS)]
    state = State(CDNS, 0.0)
    spent: list[tuple[float, ...]] = []
    for second in range(10):
        for cell in cells:
            for cdn in range(len(CDNS)):
                state.sample(cell, cdn, Sample(1, 60 + 3 * cdn, 0, 5, 25), second)
        times = [time.process_time()]
        state.look(second)
        times.append(time.process_time())
        picture = state.snapshot(second * 1000)
        times.append(time.process_time())
        Chooser(Headwater(), picture).table(Cell("R7"))
        times.append(time.process_time())
        spent.append(tuple(1000 * (b - a) for a, b in pairwise(times)))
    look, made, planned = (max(each) for each in zip(*spent[1:], strict=True))
    return look, made, planned


def measure() -> list[str]:
    alone, late = ordered(SECONDS, None)
    ruled, _ = ordered(SECONDS, book())
    return [
        harness.line("router", "order", alone, "dec/s", None, None),
        harness.line("router", "order-p99", late, "us", None, None),
        harness.line("router", "50-rules", ruled, "dec/s", None, None),
        *(
            harness.line("router", f"{name}-2000-cells", spent, "ms", None, None)
            for name, spent in zip(("look", "snapshot", "plan"), stalls(), strict=True)
        ),
    ]


if __name__ == "__main__":
    harness.main(__doc__, measure, harness.SERVER_CORE)
