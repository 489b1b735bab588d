"""Decisions from a policy's tables over one snapshot: the hot path, shared with the simulator."""

from collections.abc import Mapping

from .face import Ask, Cell, Decision, Policy, Reason, Snapshot, Stand, Table

MASK = (1 << 64) - 1
UNIT = 1.0 / (1 << 32)


def draws(seed: int) -> tuple[float, float]:
    """Two numbers in [0, 1) from a seed, by SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    z = (seed + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    z ^= z >> 31
    return (z >> 32) * UNIT, (z & 0xFFFFFFFF) * UNIT


class Chooser:
    """One policy over one snapshot. Regions are planned when they are first asked for."""

    def __init__(self, policy: Policy, snapshot: Snapshot) -> None:
        self.policy = policy
        self.snapshot = snapshot
        self._regions: dict[str, Mapping[Cell, Table]] = {}
        self._orders: dict[tuple[int, int, int], tuple[str, ...]] = {}
        self._everyone = (1 << len(snapshot.cdns)) - 1

    def table(self, cell: Cell) -> tuple[Cell, Table]:
        """The table that decides for a cell, and whose it is after back-off."""
        region = cell.region if cell.region in self.snapshot.sites else ""
        tables = self._regions.get(region)
        if tables is None:
            tables = self._regions[region] = self.policy.plan(region, self.snapshot)
        while cell not in tables:
            cell = cell.wider() if region else Cell()
        return cell, tables[cell]

    def order(self, ask: Ask, seed: int) -> Decision:
        """The decision for one ask; never fails for a cell or a CDN it does not know."""
        cell, table = self.table(ask.cell)
        allowed = ask.allowed & self._everyone or self._everyone
        lead, reason = self._lead(table, ask, allowed, seed)
        key = (id(table), lead, allowed)
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = self._listed(table, lead, allowed)
        policy = self.policy
        return Decision(
            order, reason, cell, table, policy.name, policy.version, self.snapshot.version, seed
        )

    def _lead(self, table: Table, ask: Ask, allowed: int, seed: int) -> tuple[int, Reason]:
        current = ask.current
        which, whether = draws(seed)
        if current < 0:
            return self._drawn(table, allowed, which), Reason.STARTED
        if not allowed >> current & 1:
            return self._drawn(table, allowed, which), Reason.REFUSED
        reason = table.urgent[current]
        if reason is None:
            if ask.dwell_s < self.policy.dwell_s or whether >= table.leave[current]:
                return current, Reason.STAYED
            reason = table.because
        lead = self._drawn(table, allowed, which)
        return lead, reason if lead != current else Reason.STAYED

    def _drawn(self, table: Table, allowed: int, at: float) -> int:
        """The CDN at a point of the shares; what is not allowed has none."""
        share = table.share
        if allowed != self._everyone:
            share = tuple(s if allowed >> i & 1 else 0.0 for i, s in enumerate(share))
            at *= sum(share)
        last = -1
        for index, part in enumerate(share):
            if part > 0.0:
                if at < part:
                    return index
                at -= part
                last = index
        return last if last >= 0 else next(i for i in table.ranked if allowed >> i & 1)

    def _listed(self, table: Table, lead: int, allowed: int) -> tuple[str, ...]:
        """The lead, then the others by rank: players fail over along this list (ST-17)."""
        cdns, stands = self.snapshot.cdns, self.snapshot.stands
        rest = [i for i in table.ranked if i != lead and allowed >> i & 1]
        serving = [i for i in rest if stands[i] is Stand.ENABLED]
        return tuple(cdns[i].id for i in (lead, *serving))
