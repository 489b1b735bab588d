"""One decision: the plan's rules, then its policy over a snapshot, else the static order.

A pure function: the same plan, pathways, snapshot, conditions and question give the same choice,
byte for byte, which is how the decision log is replayed (RG-7).

Rules of the file
1. The first rule that fits says which pathways are allowed, and may say more (RT-10).
2. Weights of a rule divide its sessions for good. `sticky` keeps one where it is while that works.
3. Otherwise the plan's policy decides; a session it does not move keeps its order.
4. Without a policy, with one whose snapshot is too old, or under the kill switch, the static order
   of health and priority holds: it needs nothing but the probes (RT-15, RT-16).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from . import policy as static
from .admin.plan import Plan
from .health import State
from .pathways import Admin, Pathway
from .policies.chooser import Chooser
from .policies.face import Candidate, Cell, Circuit, Policy, Table
from .policies.face import Snapshot as Picture
from .policy import Condition
from .reasons import SENTENCES, Reason
from .rules.book import NONE, Book, Ruling
from .rules.rule import Who

KEPT_CELLS = 10_000


class Question(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who asks, and from where: `current` is the pathway in use, "" at a start."""

    who: Who = Who()
    lot: int = 0
    current: str = ""
    dwell_s: float = 0.0
    seed: int = 0
    stale: bool = False  # the snapshot is older than its bound
    trial: str = ""  # the pathway whose half-open circuit this session is the probe of


class Choice(msgspec.Struct, frozen=True, gc=False):
    """An order of pathway ids, why, and all that is needed to replay it."""

    ids: tuple[str, ...]
    reason: str
    said: str  # the sentence, where it is not the reason's own
    policy: str
    policy_version: int
    snapshot_version: int
    generation: int
    rule: str = ""
    seed: int = 0
    ttl_s: int | None = None
    cell: Cell | None = None
    table: Table | None = None

    @property
    def sentence(self) -> str:
        """The reason in words."""
        if self.said:
            return self.said
        reason = Reason(f"policy_{self.reason}") if self.table is not None else Reason(self.reason)
        return SENTENCES[reason].format(pathway=self.ids[0])

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.table.candidates if self.table is not None else ()


class Decider:
    """Everything that holds at one moment. A change makes a new one."""

    def __init__(
        self,
        pathways: Sequence[Pathway],
        conditions: Mapping[str, Condition],
        plan: Plan,
        version: int,
        chosen: Policy | None = None,
        picture: Picture | None = None,
        before: "Decider | None" = None,
    ) -> None:
        """`before` lends what it knows of rules and of a snapshot that still hold."""
        self.plan, self.version, self.picture = plan, version, picture
        self._ids = tuple(pathway.id for pathway in pathways)
        self._places = {name: at for at, name in enumerate(self._ids)}
        self.pathways = tuple(pathways)
        self.conditions = conditions
        lent = before is not None and before.plan is plan and before._ids == self._ids
        self._book: Book = (
            before._book
            if before is not None and lent
            else Book(() if plan.fallback else plan.rules, self._ids)
        )
        self._chooser: Chooser | None = None
        if chosen is not None and picture is not None and not plan.fallback:
            planned = before._chooser if before is not None else None
            if planned is not None and planned.fits(chosen, picture):
                self._chooser = planned
            else:
                self._chooser = Chooser(chosen, picture)
        self._up = all(each.state is State.UP for each in conditions.values())
        self._regions = picture.sites if picture is not None else {}
        self._suspect = frozenset(
            region
            for region, sites in self._regions.items()
            if any(site.circuit is not Circuit.CLOSED for site in sites)
        )
        self._static: dict[tuple[int, bool, str], Choice] = {}
        self._killed = self._book.mask(
            [i for i in self._ids if conditions[i].admin is Admin.KILLED]
        )
        self._everyone = (1 << len(self._ids)) - 1
        self._left = self._everyone & ~self._killed or self._everyone
        self._known = (1 << len(picture.cdns)) - 1 if picture is not None else 0
        aside = self._book.mask([i for i in self._ids if conditions[i].admin is not Admin.ENABLED])
        self._behind = self._everyone & ~self._known | aside
        self._serving = self._known & ~aside
        self._cloned = self._everyone & ~self._known & ~aside
        self._tails: dict[int, tuple[str, ...]] = {}

    def prepare(self, before: "Decider") -> Iterator[None]:
        """Plan what sessions asked `before`, in small steps."""
        if self._chooser is not None and before._chooser is not None:
            for region in before._chooser.regions():
                yield from self._chooser.prepare(region)

    def retire(self, heir: "Decider") -> Iterator[None]:
        """Let go of what nobody will ask, in small steps."""
        if self._chooser is not None and self._chooser is not heir._chooser:
            yield from self._chooser.retire()

    def steers(self, who: Who, lot: int) -> bool:
        """Whether a session is told where to go after its start (ST-20)."""
        return self._book.steers(who, lot)

    def decide(self, question: Question) -> Choice:
        """The choice for one session; never fails, never empty."""
        ruling = self._book.ruling(question.who, question.lot)
        allowed = (ruling.allowed or self._everyone) & ~self._killed or self._left
        current = self._places.get(question.current, -1)
        if ruling.sticky and current >= 0 and self._works(current, allowed):
            return self._led(current, allowed, ruling, Reason.STICKY)
        if ruling.lead >= 0 and self._works(ruling.lead, allowed):
            return self._led(ruling.lead, allowed, ruling, Reason.WEIGHTED)
        if self._chooser is None or question.stale:
            return self._by_priority(allowed, ruling, question.stale)
        known = self._known  # clones have no evidence of their own: they follow
        if not allowed & self._serving and (allowed & self._cloned or not allowed & known):
            return self._by_priority(allowed, ruling)  # or lead, where nothing else serves
        tried = self._places.get(question.trial, -1)
        if tried >= 0 and self._works(tried, allowed):
            return self._led(tried, allowed, ruling, Reason.TRIED)
        cell = cell_of(question.who)
        mask = 0 if allowed & known == known else allowed & known
        there = current if known >> max(current, 0) & 1 else -1
        chooser, seed = self._chooser, question.seed
        order, reason, cell, table = chooser.pick(cell, there, question.dwell_s, mask, seed)
        behind = allowed & self._behind  # which policies do not list
        return Choice(
            self._followed(order, behind) if behind else order,
            reason,
            "",
            chooser.policy.name,
            chooser.policy.version,
            chooser.snapshot.version,
            self.plan.generation,
            ruling.rule,
            seed,
            ruling.ttl_s,
            cell,
            table,
        )

    def well(self, region: str) -> bool:
        """Whether all probes are good and all circuits of a region closed."""
        return self._up and (region if region in self._regions else "") not in self._suspect

    def default(self) -> Choice:
        """The static order, whoever asks: what the console tells of moves."""
        return self._by_priority(self._left, NONE)

    def _followed(self, order: tuple[str, ...], mask: int) -> tuple[str, ...]:
        """An order, and behind it clones, then what is drained: not chosen, but there when all
        others fail (ST-17). Of these, only the lead can be in the order.
        """
        tail = self._tails.get(mask)
        if tail is None:
            found = [name for at, name in enumerate(self._ids) if mask >> at & 1]
            found.sort(key=lambda name: static.place(self.conditions[name]))
            tail = self._tails[mask] = tuple(found)
        lead = order[0]
        return order + (tail if lead not in tail else tuple(i for i in tail if i != lead))

    def _works(self, index: int, allowed: int) -> bool:
        condition = self.conditions[self._ids[index]]
        serving = condition.admin is Admin.ENABLED and condition.state is not State.OUT
        return bool(allowed >> index & 1) and serving

    def _by_priority(self, allowed: int, ruling: Ruling, stale: bool = False) -> Choice:
        key = (allowed, stale, ruling.rule)
        found = self._static.get(key)
        if found is None:
            kept = [p for i, p in enumerate(self.pathways) if allowed >> i & 1]
            made = static.decide(kept, static.Snapshot(self.version, self.conditions))
            reason = Reason.STALE if stale else made.reason
            found = self._static[key] = Choice(
                made.ids,
                reason,
                "" if stale else made.sentence,
                static.NAME,
                static.VERSION,
                self.version,
                self.plan.generation,
                ruling.rule,
                ttl_s=ruling.ttl_s,
            )
        return found

    def _led(self, lead: int, allowed: int, ruling: Ruling, reason: Reason) -> Choice:
        """The static order behind a lead that a rule gives."""
        base = self._by_priority(allowed, ruling)
        first = self._ids[lead]
        return Choice(
            (first, *(i for i in base.ids if i != first)),
            reason,
            "",
            base.policy,
            base.policy_version,
            base.snapshot_version,
            base.generation,
            base.rule,
            ttl_s=base.ttl_s,
        )


@lru_cache(KEPT_CELLS)
def cell_of(who: Who) -> Cell:
    """Whose evidence tells of a session; contents go by the first segment of their path."""
    content, _, _ = who.content.lstrip("/").partition("/")
    return Cell(who.region, who.isp, "", who.device, content)
