"""A tape decided again: evidence in, snapshots and decisions out, compared byte for byte (RG-7).

Nothing of what a router decided is taken from the tape: snapshots are made anew from the evidence,
decisions anew from those. With another policy in its place the differences are what it would have
told whom. `policies` may hold earlier versions, under `name@version`: what they decided is theirs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace as changed
from typing import NamedTuple

import msgspec
from msgspec import Struct, structs

from ..cells.exchange import Exchange
from ..cells.state import State
from ..decider import Decider
from ..pathways import Pathway
from ..policies.face import Policy, Snapshot
from ..policy import Condition
from .lines import (
    DECODER,
    ENCODER,
    AnchorLine,
    DecisionLine,
    HeardLine,
    Line,
    LookLine,
    OutcomeLine,
    SampleLine,
    SnapshotLine,
    WorldLine,
    snapped,
)

MAX_LINE_BYTES = 64 << 20


class Numbered(NamedTuple):
    """A line of one node's tape; numbers that do not follow each other tell of a loss."""

    node: str
    number: int
    text: bytes


class Differs(Struct):
    """A snapshot or a decision that is not what it was."""

    node: str
    line: int
    kind: str
    was: bytes
    now: bytes


class Same(NamedTuple):
    kind: str


class Skipped(NamedTuple):
    """A line that nothing explains: before the first anchor, or after a loss."""


Outcome = Differs | Same | Skipped


def replay(
    lines: Iterable[Numbered], policies: Mapping[str, Policy], policy: str = ""
) -> Iterator[Outcome]:
    """Everything anew, node by node; what became of each snapshot and decision. `policy` takes the
    place of whatever decided. ValueError for what is no tape.
    """
    player, last = Player(policies, policy), ("", -1)
    for node, number, text in lines:
        where = f"line {number} of {node}" if node else f"line {number}"
        if len(text) > MAX_LINE_BYTES:
            raise ValueError(f"{where}: too long")
        try:
            line = DECODER.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(f"{where}: {error}") from None
        if last != (node, number - 1):
            player = Player(policies, policy)
        last = node, number
        if isinstance(line, AnchorLine):
            player.anchored(line)
        elif not player.knows:
            yield Skipped()
        else:
            try:
                again = player.play(line)
            except (IndexError, KeyError, ValueError) as error:
                raise ValueError(f"{where}: does not follow: {error}") from None
            if again is None:
                continue
            if isinstance(again, Skipped):
                yield again
                continue
            now, kind = ENCODER.encode(again), str(again.__struct_config__.tag)
            yield Same(kind) if now == text else Differs(node, number, kind, text, now)


class Player:
    """One node's router, as far as decisions need it."""

    def __init__(self, policies: Mapping[str, Policy], policy: str) -> None:
        self.knows = False
        self._policies, self._policy = policies, policy
        self._state = State((), 0.0)
        self._exchange = Exchange(self._state, "")
        self._pictures: dict[int, Snapshot] = {}
        self._world: tuple[WorldLine, Snapshot | None] | None = None  # whose decisions these are
        self._deciders: dict[str, Decider] = {}  # of that world, by policy

    def anchored(self, line: AnchorLine) -> None:
        """Know what the anchor says; who played until then still decides as before."""
        self.knows = True
        self._state = line.state()
        self._exchange = Exchange(self._state, "")

    def play(self, line: Line) -> SnapshotLine | DecisionLine | Skipped | None:
        """Do what the line says; what came of it this time, for what has an outcome. Of a world
        upon a snapshot before the first anchor nothing is known.
        """
        match line:
            case SampleLine(now_s, cell, cdn, sample):
                self._state.sample(cell, cdn, sample, now_s)
            case OutcomeLine(now_s, region, cdn, outcome):
                self._state.outcome(region, cdn, outcome, now_s)
            case HeardLine(now_s, body):
                self._exchange.take(body, now_s)
            case LookLine(now_s):
                self._state.look(now_s)
            case SnapshotLine():
                return self._snapped(line)
            case WorldLine():
                self._world, self._deciders = (line, self._pictures.get(line.snapshot)), {}
            case DecisionLine():
                if self._world is None or self._world[0].world != line.world:
                    raise KeyError(line.world)
                if self._world[0].snapshot and self._world[1] is None:
                    return Skipped()
                choice = self._decider(*self._world, line.policy_version).decide(line.question)
                return DecisionLine.of(
                    line.at_ms, line.session_id, line.world, line.question, choice
                )
        return None

    def _snapped(self, line: SnapshotLine) -> SnapshotLine:
        down = set(line.down)
        picture = self._state.snapshot(
            line.at_ms,
            stands=line.stands,
            probed_down=lambda region, cdn: (region, cdn) in down,
            fill=line.fill,
        )
        self._pictures = {v: p for v, p in self._pictures.items() if v == picture.version - 1}
        self._pictures[picture.version] = picture
        return snapped(picture, line.fill)

    def _decider(self, line: WorldLine, known: Snapshot | None, version: int) -> Decider:
        """Who decided then: an earlier version of the plan's policy where that is still known."""
        chosen = named = self._policy or line.plan.policy
        if not self._policy and (earlier := f"{named}@{version}") in self._policies:
            chosen = earlier
        decider = self._deciders.get(chosen)
        if decider is None:
            decider = self._deciders[chosen] = Decider(
                [Pathway(name, "", priority) for name, priority in line.pathways],
                {name: Condition(*each) for name, each in line.conditions.items()},
                structs.replace(line.plan, policy=named),
                line.version,
                self._policies.get(chosen),
                changed(known, stands=line.stands) if known is not None else None,
            )
        return decider
