"""The static-priority policy: a pure function from pathways and health to an order and a reason.

Healthy pathways come first, then slow ones, then those that are out: they stay listed because a
player's own failover needs a second pathway (ST-17), and our probes do not see what a viewer sees.
Drained ones come last: nobody is led there, and still they are more than nothing. Killed ones are
left out unless all are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .health import State
from .pathways import Admin, Pathway
from .reasons import SENTENCES, Reason

NAME = "static-priority"
VERSION = 2

RANK = {State.UP: 0, State.SLOW: 1, State.OUT: 2}
BEHIND = {State.SLOW: Reason.PROBE_SLOW, State.OUT: Reason.PROBE_FAILED}


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of one pathway at the time of a snapshot."""

    state: State = State.UP
    admin: Admin = Admin.ENABLED


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All conditions at one moment; `version` grows with every change."""

    version: int
    conditions: Mapping[str, Condition]


@dataclass(frozen=True, slots=True)
class Decision:
    """An order of pathways and why it is not simply the priority order."""

    order: tuple[Pathway, ...]
    reason: Reason
    sentence: str
    snapshot_version: int
    policy: str = NAME
    policy_version: int = VERSION

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(pathway.id for pathway in self.order)


def decide(pathways: Sequence[Pathway], snapshot: Snapshot) -> Decision:
    """The order for one session; `pathways` is never empty."""
    by_priority = sorted(pathways, key=lambda pathway: pathway.priority)
    conditions = {p.id: snapshot.conditions.get(p.id, Condition()) for p in by_priority}
    serving = [p for p in by_priority if conditions[p.id].admin is Admin.ENABLED]
    left = [p for p in by_priority if conditions[p.id].admin is not Admin.KILLED] or by_priority
    order = sorted(left, key=lambda p: place(conditions[p.id]))
    favourite = by_priority[0]
    if not serving:
        reason = Reason.ALL_DRAINED
    elif order[0] == favourite:
        out = conditions[favourite.id].state is State.OUT
        reason = Reason.ALL_OUT if out else Reason.PRIORITY
    elif conditions[favourite.id].admin is not Admin.ENABLED:
        reason = Reason.DRAINED
    else:
        reason = BEHIND[conditions[favourite.id].state]
    sentence = SENTENCES[reason].format(pathway=favourite.id)
    if reason is Reason.PRIORITY and len(serving) > 1 and _some_unwell(serving, conditions):
        sentence = "static priority, the first choice is healthy"
    return Decision(tuple(order), reason, sentence, snapshot.version)


def place(condition: Condition) -> tuple[bool, int]:
    """What comes first in a list has the least."""
    return condition.admin is not Admin.ENABLED, RANK[condition.state]


def _some_unwell(order: Sequence[Pathway], conditions: Mapping[str, Condition]) -> bool:
    return any(conditions[p.id].state is not State.UP for p in order)
