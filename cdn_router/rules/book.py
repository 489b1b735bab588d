"""Rules in order, the first that fits decides (routing RT-10)."""

from collections.abc import Sequence
from typing import NamedTuple

from .rule import LOTS, Rule, Who

MAX_KNOWN = 10_000


class Ruling(NamedTuple):
    """What holds for a session: `allowed` is a bit mask of pathways, 0 for all of them; `lead` the
    index of the pathway that weights give it, -1 for none.
    """

    rule: str = ""
    allowed: int = 0
    lead: int = -1
    sticky: bool = False
    ttl_s: int | None = None


NONE = Ruling()


class Book:
    """The rules of one plan over the pathways it knows."""

    def __init__(self, rules: Sequence[Rule], pathways: Sequence[str]) -> None:
        self._rules = tuple(rules)
        self._pathways = tuple(pathways)
        self._masks = [self._mask(rule) for rule in rules]
        self._known: dict[tuple[Who, int], Ruling] = {}

    def ruling(self, who: Who, lot: int) -> Ruling:
        """What holds for a session; the same for the same lot."""
        if not self._rules:
            return NONE
        key = (who, lot)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            found = self._known[key] = self._first(who, lot)
        return found

    def _first(self, who: Who, lot: int) -> Ruling:
        for rule, allowed in zip(self._rules, self._masks, strict=True):
            if rule.fits(who, lot):
                lead = self._drawn(rule, lot)
                return Ruling(rule.name, allowed, lead, rule.sticky, rule.ttl_s)
        return NONE

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
