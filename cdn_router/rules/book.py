"""Rules in order, the first that fits decides (routing RT-10)."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from .rule import LOTS, Rule, Who

MAX_KNOWN = 10_000


class Ruling(Struct, frozen=True, gc=False):
    """What holds for a session: `allowed` is a bit mask of pathways, 0 for all of them; `lead` the
    index of the pathway that weights give it, -1 for none.
    """

    rule: str = ""
    allowed: int = 0
    lead: int = -1
    sticky: bool = False
    ttl_s: int | None = None
    off: bool = False


NONE = Ruling()


class Entry(NamedTuple):
    """A rule, the lots it takes, and what it says."""

    lots: float
    rule: Rule
    ruling: Ruling


class Book:
    """The rules of one plan over the pathways it knows."""

    def __init__(self, rules: Sequence[Rule], pathways: Sequence[str]) -> None:
        self._pathways = tuple(pathways)
        self._entries = tuple(Entry(rule.lots(), rule, self._ruling(rule)) for rule in rules)
        self._known: dict[Who, tuple[Entry, ...]] = {}  # whose conditions hold
        self._ending = any(rule.off for rule in rules)

    def ruling(self, who: Who, lot: int) -> Ruling:
        """What holds for a session; the same for the same lot."""
        if not self._entries:
            return NONE
        met = self._known.get(who)
        if met is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            met = self._known[who] = tuple(e for e in self._entries if e.rule.meets(who))
        for lots, rule, ruling in met:
            if lot < lots:
                return replace(ruling, lead=self._drawn(rule, lot)) if rule.weights else ruling
        return NONE

    def steers(self, who: Who, lot: int) -> bool:
        """Whether a session is steered."""
        return not (self._ending and self.ruling(who, lot).off)

    def _ruling(self, rule: Rule) -> Ruling:
        """Save for the lead, which goes by the session."""
        return Ruling(rule.name, self._mask(rule), -1, rule.sticky, rule.ttl_s, rule.off)

    def _mask(self, rule: Rule) -> int:
        """Bits of the pathways that are left; 0 when the rule leaves none or forbids none."""
        kept = [p for p in self._pathways if p not in rule.never and p in (rule.only or (p,))]
        return 0 if len(kept) == len(self._pathways) else self.mask(kept)

    def mask(self, names: Sequence[str]) -> int:
        return sum(1 << self._pathways.index(name) for name in set(names))

    def _drawn(self, rule: Rule, lot: int) -> int:
        """The pathway at the session's place along the weights (RT-3)."""
        total = sum(rule.weights.values())
        if total <= 0:
            return -1
        # Multiplying spreads the lots of a canary, which are the low ones, over all weights.
        at = (lot * 7919 + 17) % LOTS / LOTS * total
        for name, weight in rule.weights.items():
            if at < weight:
                return self._pathways.index(name)
            at -= weight
        return self._pathways.index(next(reversed(rule.weights)))
