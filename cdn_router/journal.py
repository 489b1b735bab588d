"""The decision log and its replay: JSON lines that decide the same again, byte for byte (RG-7).

Forms of a line
1. {"kind":"world",...}: everything a Decider holds. One before the first decision upon it.
2. {"kind":"decision",...}: question and choice; `world` says upon which.

Worlds name sessions by nothing; decisions by their id. Source: routing RT-13.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from .admin.plan import Plan
from .decider import Choice, Decider, Question
from .health import State
from .pathways import Admin, Pathway
from .policies.face import Cdn, Cell, Evidence, Policy, Site, Snapshot, Stand
from .policy import Condition
from .rules.rule import Who

MAX_LINE_BYTES = 64 << 20


class PictureLine(Struct, forbid_unknown_fields=True):
    """A snapshot; cells as pairs, since they are no texts."""

    version: int
    at_ms: int
    cdns: tuple[Cdn, ...]
    stands: tuple[Stand, ...]
    cells: list[tuple[Cell, tuple[Evidence, ...]]]
    sites: dict[str, tuple[Site, ...]]
    half_life_s: float

    @classmethod
    def of(cls, snapshot: Snapshot) -> "PictureLine":
        return cls(
            snapshot.version,
            snapshot.at_ms,
            snapshot.cdns,
            snapshot.stands,
            list(snapshot.cells.items()),
            dict(snapshot.sites),
            snapshot.half_life_s,
        )

    def snapshot(self) -> Snapshot:
        return Snapshot(
            self.version,
            self.at_ms,
            self.cdns,
            self.stands,
            dict(self.cells),
            self.sites,
            self.half_life_s,
        )


class WorldLine(Struct, tag_field="kind", tag="world"):
    world: int
    version: int
    pathways: list[tuple[str, int]]  # id, priority
    conditions: dict[str, tuple[State, Admin]]
    plan: Plan
    picture: PictureLine | None = None


class DecisionLine(Struct, tag_field="kind", tag="decision"):
    at_ms: int
    session_id: str
    world: int
    who: Who
    lot: int
    current: str
    dwell_s: float
    seed: int
    stale: bool
    pathways: tuple[str, ...]
    reason: str
    rule: str
    policy: str
    policy_version: int
    snapshot_version: int
    generation: int


ENCODER = msgspec.json.Encoder()
DECODER: msgspec.json.Decoder[WorldLine | DecisionLine] = msgspec.json.Decoder(
    WorldLine | DecisionLine
)


class Journal:
    """Lines of decisions as they are taken; `write` gets them whole, each with its newline."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._decider: Decider | None = None
        self._world = 0

    def record(
        self, at_ms: int, session_id: str, decider: Decider, question: Question, choice: Choice
    ) -> None:
        if decider is not self._decider:
            self._decider = decider
            self._world += 1
            self._write(ENCODER.encode(_world(self._world, decider)) + b"\n")
        line = _decision(at_ms, session_id, self._world, question, choice)
        self._write(ENCODER.encode(line) + b"\n")


class Differs(Struct):
    """A decision that is not what it was."""

    line: int
    was: bytes
    now: bytes


def replay(lines: Iterable[bytes], policies: Mapping[str, Policy]) -> Iterator[Differs | None]:
    """Decide every decision again: None for what is the same; ValueError for what is no log."""
    deciders: dict[int, Decider] = {}
    for number, text in enumerate(lines, 1):
        text = text.rstrip(b"\n")
        if len(text) > MAX_LINE_BYTES:
            raise ValueError(f"line {number}: too long")
        try:
            line = DECODER.decode(text)
        except msgspec.MsgspecError as error:
            raise ValueError(f"line {number}: {error}") from None
        if isinstance(line, WorldLine):
            deciders = {line.world: _decider(line, policies)}
            continue
        decider = deciders.get(line.world)
        if decider is None:
            raise ValueError(f"line {number}: its world is not in the log")
        question = Question(line.who, line.lot, line.current, line.dwell_s, line.seed, line.stale)
        choice = decider.decide(question)
        again = _decision(line.at_ms, line.session_id, line.world, question, choice)
        now = ENCODER.encode(again)
        yield None if now == text else Differs(number, text, now)


def _world(number: int, decider: Decider) -> WorldLine:
    return WorldLine(
        number,
        decider.version,
        [(pathway.id, pathway.priority) for pathway in decider.pathways],
        {name: (each.state, each.admin) for name, each in decider.conditions.items()},
        decider.plan,
        None if decider.picture is None else PictureLine.of(decider.picture),
    )


def _decider(line: WorldLine, policies: Mapping[str, Policy]) -> Decider:
    policy = policies.get(line.plan.policy)
    return Decider(
        [Pathway(name, "", priority) for name, priority in line.pathways],
        {name: Condition(state, admin) for name, (state, admin) in line.conditions.items()},
        line.plan,
        line.version,
        policy,
        None if line.picture is None else line.picture.snapshot(),
    )


def _decision(
    at_ms: int, session_id: str, world: int, question: Question, choice: Choice
) -> DecisionLine:
    return DecisionLine(
        at_ms,
        session_id,
        world,
        *question,
        choice.ids,
        choice.reason,
        choice.rule,
        choice.policy,
        choice.policy_version,
        choice.snapshot_version,
        choice.generation,
    )
