"""The lines of a tape: JSON objects, a `kind` each, in the order in which things happened.

Kinds
1. anchor: everything the evidence holds. First of all, again with each hour, and after a loss:
   a replay can begin at any of them.
2. sample, outcome, heard: evidence of this node's players, and messages of its peers.
3. look, snapshot: when circuits were judged and a snapshot was made of what was known by then.
   A snapshot's digest is over the evidence of all regions and the whole.
4. world: what decides besides the snapshot: pathways, health, plan. Before its first decision.
5. decision: question and choice, with policy version, snapshot version and seed (RT-13).

Sessions are named by their ids in decisions alone; nowhere is an address.
"""

from hashlib import blake2b
from typing import TypeAlias

import msgspec
from msgspec import Struct

from ..admin.plan import Plan
from ..cells.circuits import Circuits, Second
from ..cells.lead import Lead
from ..cells.state import Part, State
from ..cells.sums import Sample, Sums
from ..decider import Choice, Decider, Question
from ..health import State as HealthState
from ..pathways import Admin
from ..policies.face import Cdn, Cell, Snapshot, Stand

Rows: TypeAlias = list[tuple[Cell, int, list[float]]]


class PartLine(Struct):
    """What one node knows; "" is the recording one. `coming`: the landmark and the rows of a whole
    of which messages are still to come, the next by the number that is `due`; `lead`: what it told
    of its clock; `latest_s`: when its sums were brought to the hour (older tapes have neither).
    """

    node: str
    heard_s: float
    landmark_s: float
    rows: Rows
    seconds: list[tuple[int, str, int, Second]]
    due: tuple[int, int] = (0, 0)
    coming: tuple[float, Rows] | None = None
    ahead_s: float = 0.0
    lead: Lead | None = None
    latest_s: float | None = None

    @classmethod
    def of(cls, node: str, part: Part) -> "PartLine":
        seconds = [
            (at_s, *where, second)
            for at_s, wheres in part.seconds.items()
            for where, second in wheres.items()
        ]
        coming = None if part.coming is None else (part.coming.landmark_s, _rows(part.coming))
        return cls(
            node,
            part.heard_s,
            part.sums.landmark_s,
            _rows(part.sums),
            seconds,
            part.due,
            coming,
            part.sums.ahead_s,
            part.lead,
            part.sums.latest_s,
        )

    def part(self) -> Part:
        sums = _sums(self.landmark_s, self.rows, self.ahead_s)
        made = Part(sums, heard_s=self.heard_s, due=self.due, lead=self.lead)
        if self.latest_s is None:
            made.lead = Lead(0.0, 0.0, self.ahead_s, self.ahead_s)
        else:
            sums.latest_s = self.latest_s
        if self.coming is not None:
            made.coming = _sums(*self.coming, self.ahead_s)
        for at_s, region, cdn, second in self.seconds:
            made.seconds.setdefault(at_s, {})[region, cdn] = second
        return made


def _rows(sums: Sums) -> Rows:
    return [(cell, cdn, list(row)) for (cell, cdn), row in sums.rows.items()]


def _sums(landmark_s: float, rows: Rows, ahead_s: float) -> Sums:
    made = Sums(landmark_s)
    made.ahead_s = ahead_s
    made.update(landmark_s, {(cell, cdn): row for cell, cdn, row in rows})
    return made


class AnchorLine(Struct, tag_field="kind", tag="anchor"):
    cdns: tuple[Cdn, ...]
    version: int
    parts: list[PartLine]
    circuits: bytes  # msgpack: their times may be infinite

    @classmethod
    def of(cls, state: State) -> "AnchorLine":
        parts = [PartLine.of("", state.own)]
        parts += [PartLine.of(name, part) for name, part in state.peers.items()]
        return cls(state.cdns, state.version, parts, msgspec.msgpack.encode(state.circuits))

    def state(self) -> State:
        made = State(self.cdns, self.parts[0].landmark_s)
        made.own, made.version = self.parts[0].part(), self.version
        made.peers = {each.node: each.part() for each in self.parts[1:]}
        made.circuits = msgspec.msgpack.decode(self.circuits, type=Circuits)
        return made


class SampleLine(Struct, tag_field="kind", tag="sample"):
    now_s: float
    cell: Cell
    cdn: int
    sample: Sample


class OutcomeLine(Struct, tag_field="kind", tag="outcome"):
    now_s: float
    region: str
    cdn: int
    outcome: Second


class HeardLine(Struct, tag_field="kind", tag="heard"):
    now_s: float
    body: bytes


class LookLine(Struct, tag_field="kind", tag="look"):
    now_s: float


class SnapshotLine(Struct, tag_field="kind", tag="snapshot"):
    """`down` are the places whose probes failed; `version` and `digest` are what came of it."""

    at_ms: int
    stands: tuple[Stand, ...]
    fill: tuple[float, ...]
    down: list[tuple[str, int]]
    version: int
    digest: str


class WorldLine(Struct, tag_field="kind", tag="world"):
    """`snapshot` is the version of the one that decides, 0 for none."""

    world: int
    version: int
    pathways: list[tuple[str, int]]  # id, priority
    conditions: dict[str, tuple[HealthState, Admin]]
    plan: Plan
    snapshot: int
    stands: tuple[Stand, ...]

    @classmethod
    def of(cls, number: int, decider: Decider) -> "WorldLine":
        picture = decider.picture
        return cls(
            number,
            decider.version,
            [(pathway.id, pathway.priority) for pathway in decider.pathways],
            {name: (each.state, each.admin) for name, each in decider.conditions.items()},
            decider.plan,
            picture.version if picture is not None else 0,
            picture.stands if picture is not None else (),
        )


class DecisionLine(Struct, tag_field="kind", tag="decision"):
    at_ms: int
    session_id: str
    world: int
    question: Question
    pathways: tuple[str, ...]
    reason: str
    rule: str
    policy: str
    policy_version: int
    snapshot_version: int
    generation: int

    @classmethod
    def of(
        cls, at_ms: int, session_id: str, world: int, question: Question, choice: Choice
    ) -> "DecisionLine":
        return cls(
            at_ms,
            session_id,
            world,
            question,
            choice.ids,
            choice.reason,
            choice.rule,
            choice.policy,
            choice.policy_version,
            choice.snapshot_version,
            choice.generation,
        )


Line: TypeAlias = (
    AnchorLine
    | SampleLine
    | OutcomeLine
    | HeardLine
    | LookLine
    | SnapshotLine
    | WorldLine
    | DecisionLine
)

ENCODER = msgspec.json.Encoder()
DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def snapped(picture: Snapshot, fill: tuple[float, ...]) -> SnapshotLine:
    """The line of a snapshot that was made."""
    wide = [(region, picture.cells.get(Cell(region))) for region in picture.sites]
    seen = ENCODER.encode((len(picture.cells), wide, list(picture.sites.items())))
    return SnapshotLine(
        picture.at_ms,
        picture.stands,
        fill,
        [
            (region, cdn)
            for region, sites in picture.sites.items()
            for cdn, site in enumerate(sites)
            if site.probed_down
        ],
        picture.version,
        blake2b(seen, digest_size=16).hexdigest(),
    )
