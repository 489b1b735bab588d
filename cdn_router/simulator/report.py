"""docs/router.md: the comparison of policies over all families, as Markdown."""

from collections.abc import Sequence
from statistics import fmean, median

from . import compare
from .families import FAMILIES, HELD_OUT, TUNING
from .figures import Estimate, behind, closed_gap, estimate
from .lineup import FALLBACK, FLOOR, ORACLE, POINTS
from .run import Outcome

OURS = "headwater"
RIVALS = ("d-ucb", "d-thompson")  # A6, A7
POLICIES = (FALLBACK, "ewma", *RIVALS, OURS, ORACLE, FLOOR)
FLOWS = tuple(f"flow-oracle@{points}" for points in POINTS)
ALLOWED = 0.5  # points of regret: what the QoE floor is below the oracle
HEAD = """# Comparing routers

`headwater router simulate` steers simulated viewers by any policy of the router, unchanged, through
worlds of real access links, drifting paths, finite capacities and faults. `headwater router world`
lists the families; `--schema` prints the JSON Schema of worlds ([here](world.schema.json)),
`--family NAME` one to start from.

    headwater router simulate --policy headwater,d-ucb --world dead-cdn --seeds 5
    headwater router world --family brown-out > mine.json
    headwater router simulate --policy all --world mine.json --plots pictures/

A world may have 1 to 16 CDNs and up to 5,000 cells (regions x ISPs x devices). What names a CDN, a
region, an ISP or a device that is not there is refused, and so is what nobody could go through:
more than 30 million paths (ticks x cells x CDNs), 2 million viewers at once or 5 million sessions.
`tests/cdn_router/test_sim_fuzz.py` draws worlds of odd size, prices, capacities and faults, and
holds `headwater` against the others in them.

What the live router learns from, beside CMCD: [feeds](feeds.md). What it keeps, and how a recorded
day is replayed and simulated: [record](record.md).

## How to read the tables

This page is printed by `headwater router report --seeds {seeds} --hours {hours:g}`. Each figure is
a mean over {seeds} seeds with its 95 % interval (Student's t); a seed is the same weather for every
policy, and policies are compared pair by pair. Polls come every 20 s (+-10 %), players never fail
over by themselves, ticks are 10 s.

- QoE: points of 0..100 as viewers had it. Players report this score at heartbeats of 30 s, and
  at once after a failure, a stall or a fall to a lower rung.
- Regret: points below the greedy oracle, which knows every path and capacity of the coming tick.
- Gap: the part of the way from round robin with probes to that oracle.
- Cost: $ per TB over that of the cheapest flow-oracle mix whose QoE is within {allowed} points of
  the greedy oracle.
- drain90: time until a dead CDN holds less than a tenth of its sessions, in steps of 10 s: the
  median of the runs, and the longest. brown90: likewise, once a CDN's paths fell to a tenth.

The policy `headwater` was tuned on the families under "Tuned on", with seeds that are not used
here, and in three worlds that are no family: brown-outs that one class of devices sees, that the
peering of one ISP has, and that peers tell of 20 s late. The families under "Held out" were never
used for tuning, but two of them taught us about the simulator: by `dead-cdn` the quorum of circuits
was mended, by `stale-snapshots` that a router knows at once what it is told itself, as the server
does: before, nobody knew anything for 30 s, and no policy could drain a dead CDN in less than a
minute. What peers tell late fades on the way, as it does in the server. Version 5, which charges
what sinks to the region, the ISP or the class of devices that explains it, was run on them twice,
with one defect mended in between: a line found again counted as it was the second time.
Version 6 draws starts to where sessions lack, takes more for chance before it is alarmed, and
spreads less over what is dearer. It was chosen on the tuned families, on such brown-outs and on
drawn services, with seeds of 101 and above, and then run once on the others.
"""


def write(seeds: int, hours: float, jobs: int) -> str:
    """Run everything and word it."""
    names = (*POLICIES, *FLOWS)
    numbers = range(1, seeds + 1)
    tasks = [
        compare.Task(make(hours), seed, names) for make in FAMILIES.values() for seed in numbers
    ]
    found = [outcome for those in compare.outcomes(tasks, jobs) for outcome in those]
    return worded(found, seeds, hours)


def worded(found: Sequence[Outcome], seeds: int, hours: float) -> str:
    """The page about these outcomes: every policy in every family under every seed."""
    parts = [HEAD.format(seeds=seeds, hours=hours, allowed=ALLOWED)]
    parts.append("## All families\n\n" + _summary(found, list(FAMILIES)))
    for title, families in (("Tuned on", TUNING), ("Held out", HELD_OUT)):
        parts.append(f"## {title}\n\n" + _summary(found, list(families)))
        parts.append("\n".join(_family(found, name) for name in families))
    return "\n".join(parts)


def _of(found: Sequence[Outcome], world: str, policy: str) -> list[Outcome]:
    return [o for o in found if o.world == world and o.policy == policy]


def cheapest(found: Sequence[Outcome], world: str, seed: int) -> float:
    """$ per TB of the cheapest flow-oracle mix within the allowed regret, or else of the best."""
    there = [o for o in found if o.world == world and o.seed == seed]
    floor = max(o.qoe for o in there if o.policy == ORACLE) - ALLOWED
    mixes = [o for o in there if o.policy in FLOWS]
    good = [o for o in mixes if o.qoe >= floor] or [max(mixes, key=lambda o: o.qoe)]
    return min(o.usd_per_tb for o in good)


def _cost(found: Sequence[Outcome], world: str, policy: str) -> Estimate:
    those = _of(found, world, policy)
    return estimate([o.usd_per_tb / cheapest(found, world, o.seed) for o in those])


def _spread(seconds: Sequence[float | None]) -> str:
    """The median of those that there are, and the greatest."""
    known = [each for each in seconds if each is not None]
    return f"{median(known):.0f} ({max(known):.0f})" if known else ""


def _family(found: Sequence[Outcome], world: str) -> str:
    story = (FAMILIES[world].__doc__ or "").split("\n")[0]
    lines = [
        f"### {world}\n\n{story}\n",
        "| policy | QoE | regret | gap | switches/h | cost | overload % | drain90 s | brown90 s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    oracle = _of(found, world, ORACLE)
    gap = [fmean(o.qoe for o in _of(found, world, name)) for name in (FALLBACK, ORACLE)]
    for policy in POLICIES:
        those = _of(found, world, policy)
        closed = closed_gap(fmean(o.qoe for o in those), *gap)
        cells = (
            policy,
            estimate([o.qoe for o in those]),
            behind(those, oracle),
            "" if closed is None else f"{closed:.0%}",
            estimate([o.switches_per_hour for o in those]),
            _cost(found, world, policy),
            estimate([o.overload_percent for o in those]),
            _spread([o.drain90_s for o in those]),
            _spread([o.brown90_s for o in those]),
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for rival in RIVALS:
        lead = behind(_of(found, world, rival), _of(found, world, OURS))
        lines.append(f"\n{OURS} over {rival}: {lead} points.")
    return "\n".join(lines) + "\n"


def _summary(found: Sequence[Outcome], worlds: Sequence[str]) -> str:
    """Means over families, in the words of the targets; drains are medians of all runs."""
    lines = [
        "| policy | regret | gap closed | switches/h | cost | drain90 s | brown90 s |",
        "|---|---|---|---|---|---|---|",
    ]
    for policy in POLICIES:
        of = [_of(found, world, policy) for world in worlds]
        regrets = [behind(a, _of(found, w, ORACLE)) for a, w in zip(of, worlds, strict=True)]
        means = [
            fmean(o.qoe for w in worlds for o in _of(found, w, name))
            for name in (policy, FALLBACK, ORACLE)
        ]
        closed = closed_gap(*means)
        cells = (
            policy,
            f"{fmean(r.mean for r in regrets if r is not None):.2f}",
            "" if closed is None else f"{closed:.0%}",
            f"{fmean(o.switches_per_hour for those in of for o in those):.2f}",
            f"{fmean(_cost(found, w, policy).mean for w in worlds):.3f}",
            _spread([o.drain90_s for those in of for o in those]),
            _spread([o.brown90_s for those in of for o in those]),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
