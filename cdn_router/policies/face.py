"""What every policy sees and says: cells, CDNs, a snapshot, an ask and the decision upon it.

Theory of operation
1. A `Snapshot` is all that is known at one moment: decayed sums by cell and CDN, load and health by
   region and CDN. It never changes; a newer one has a greater version.
2. A `Policy` turns one region of it into a `Table` for each cell: where sessions go (`share`), with
   which chance one that is elsewhere is drawn anew at its poll (`leave`), and why.
3. A `Chooser` holds a policy's tables over one snapshot and answers asks: two draws from the seed,
   nothing else. Same policy, snapshot, ask and seed: the same decision, byte for byte (RG-7).
4. Nothing here reads a clock, a socket or a source of randomness; server and simulator share it.

Source: specs routing.md RT-1..RT-13, SW-7.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from native.router.shares import Shares

from .lines import NO_LINES, Lines

RECENT_S = 5.0


class Cell(NamedTuple):
    """A group of sessions that see alike (RT-2); an empty name stands for all."""

    region: str = ""
    isp: str = ""
    access: str = ""
    device: str = ""
    content: str = ""

    def wider(self) -> "Cell":
        """The back-off: a cell to its region, a region to the whole."""
        return Cell(self.region) if any(self[1:]) else Cell()


@dataclass(frozen=True, slots=True)
class Cdn:
    """A CDN as its contract has it: $ per TB, capacity in Mbit/s by region (none: unbounded), and
    the 95th percentile committed to, in Mbit/s over all regions (RT-5, RT-6).
    """

    id: str
    price_per_tb: float = 0.0
    priority: int = 0
    weight: float = 1.0
    capacity_mbps: Mapping[str, float] = field(default_factory=dict)
    commit_mbps: float = 0.0


class Circuit(StrEnum):
    """What errors, stalls and probes say of a CDN in a region (RT-8)."""

    CLOSED = "closed"
    BROWN = "brown"  # answers, far too slowly
    OPEN = "open"
    HALF_OPEN = "half_open"


class Stand(StrEnum):
    """What the operator wants of a CDN (RT-9)."""

    ENABLED = "enabled"
    DRAINED = "drained"  # no new sessions, last in lists; those there leave at the policy's pace
    KILLED = "killed"  # in no list; those there leave at their next poll


class Evidence(NamedTuple):
    """Decayed sums of one cell on one CDN; `recent_*` forget with a half-life of `RECENT_S`, the
    others with the snapshot's. Scores are 0..100 (SW-7).
    """

    n: float = 0.0
    qoe: float = 0.0
    failures: float = 0.0
    recent_n: float = 0.0
    recent_qoe: float = 0.0
    sessions: float = 0.0  # there now


class Site(NamedTuple):
    """One CDN in one region now."""

    circuit: Circuit = Circuit.CLOSED
    load_mbps: float = 0.0
    capacity_mbps: float = 0.0  # 0: not known, unbounded
    probed_down: bool = False  # three probes failed in a row
    fill: float = 0.0  # 95th percentile so far against the commit; 0: no commit


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known at `at_ms`. Each tuple has one entry per CDN, in the order of `cdns`.

    `cells` holds at least Cell(region) for each region and Cell() for the whole.
    """

    version: int
    at_ms: int
    cdns: tuple[Cdn, ...]
    stands: tuple[Stand, ...]
    cells: Mapping[Cell, tuple[Evidence, ...]]
    sites: Mapping[str, tuple[Site, ...]]
    half_life_s: float = 60.0
    lines: Lines = field(default=NO_LINES, compare=False)
    regions: Mapping[str, tuple[Cell, ...]] = field(init=False)

    def __post_init__(self) -> None:
        regions: dict[str, list[Cell]] = {}
        for cell in self.cells:
            regions.setdefault(cell.region, []).append(cell)
        object.__setattr__(self, "regions", {name: tuple(each) for name, each in regions.items()})

    def age_ms(self, now_ms: int) -> int:
        return max(0, now_ms - self.at_ms)


class Reason(StrEnum):
    """Why the first of the order is first."""

    STARTED = "started"  # a new session, drawn by share
    STAYED = "stayed"  # nothing better by enough, or too soon after a move
    BETTER = "better"  # drawn anew: another is better by more than the threshold
    BALANCED = "balanced"  # drawn anew: its CDN is over its share or its capacity
    BREAKER = "breaker"  # its CDN fails here
    DRAINED = "drained"  # its CDN is drained or killed
    REFUSED = "refused"  # a rule forbids its CDN
    LAST_RESORT = "last_resort"  # nothing usable is left; the listed order is a hope


class Candidate(Struct, frozen=True, gc=False):
    """One CDN in an explanation: its score and what the score is made of, in QoE points."""

    cdn: str
    score: float
    share: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Table:
    """What a policy says of one cell; entries by CDN. `ranked` are indices, best first."""

    share: tuple[float, ...]
    leave: tuple[float, ...]
    urgent: tuple[Reason | None, ...]  # leaves whatever its dwell, for this reason
    ranked: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    because: Reason = Reason.BETTER  # why those that leave without urgency do
    shares: Shares = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        shares = Shares(self.share, self.leave, self.urgent, self.ranked)
        object.__setattr__(self, "shares", shares)


class Ask(NamedTuple):
    """Who asks. `current` is the index of the CDN in use, -1 at the start; `dwell_s` the time since
    the last move; `allowed` a bit mask of CDNs after rules, 0 for all.
    """

    cell: Cell
    current: int = -1
    dwell_s: float = 0.0
    allowed: int = 0


class Decision(NamedTuple):
    """An order of CDN ids, best first, never empty, with all that is needed to replay it."""

    order: tuple[str, ...]
    reason: Reason
    cell: Cell  # whose table decided, after back-off
    table: Table
    policy: str
    policy_version: int
    snapshot_version: int
    seed: int

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.table.candidates


class Policy(Protocol):
    """A pure function from a region of a snapshot to its tables, one for each of its cells and one
    for Cell(region); "" is the whole. `half_life_s` is how fast its snapshots should forget.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def half_life_s(self) -> float: ...
    @property
    def dwell_s(self) -> float: ...  # no move sooner after the last, but out of an urgent state

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]: ...


Steps: TypeAlias = Generator[None, None, Mapping[Cell, Table]]


@runtime_checkable
class Stepwise(Protocol):
    """A policy whose plan comes in steps of a millisecond or so, between which polls are answered;
    `plan` is the same at once.
    """

    def planned(self, region: str, snapshot: Snapshot) -> Steps: ...
