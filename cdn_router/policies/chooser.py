"""Decisions from a policy's tables over one snapshot: the hot path, shared with the simulator."""

from collections.abc import Mapping

from native.router.shares import DRAWN, REFUSED, STARTED, STAYED

from .face import Ask, Cell, Decision, Policy, Reason, Snapshot, Stand, Table

HOW = {STARTED: Reason.STARTED, STAYED: Reason.STAYED, REFUSED: Reason.REFUSED}


class Chooser:
    """One policy over one snapshot. Regions are planned when they are first asked for."""

    def __init__(self, policy: Policy, snapshot: Snapshot) -> None:
        self.policy = policy
        self.snapshot = snapshot
        self._regions: dict[str, Mapping[Cell, Table]] = {}
        self._found: dict[Cell, tuple[Cell, Table]] = {}
        self._orders: dict[tuple[int, int, int], tuple[str, ...]] = {}
        self._dwell_s = policy.dwell_s
        self._tail = (policy.name, policy.version, snapshot.version)

    def table(self, cell: Cell) -> tuple[Cell, Table]:
        """The table that decides for a cell, and whose it is after back-off."""
        region = cell.region if cell.region in self.snapshot.sites else ""
        tables = self._regions.get(region)
        if tables is None:
            tables = self._regions[region] = self.policy.plan(region, self.snapshot)
        if cell not in tables:
            cell = Cell(region)
        return cell, tables[cell]

    def order(self, ask: Ask, seed: int) -> Decision:
        """The decision for one ask; a cell that is not known is its region or the whole.

        ValueError for a current CDN that the snapshot does not have.
        """
        found = self._found.get(ask.cell)
        if found is None:
            found = self.table(ask.cell)
            if len(self._found) <= len(self.snapshot.cells):  # made-up cells cost no memory
                self._found[ask.cell] = found
        cell, table = found
        current = ask.current
        settled = ask.dwell_s >= self._dwell_s
        lead, how = table.shares.lead(current, settled, ask.allowed, seed)
        if how == DRAWN:
            reason = table.because
        else:
            reason = HOW.get(how) or table.urgent[current] or Reason.BREAKER
        key = (id(table), lead, ask.allowed)
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = self._listed(table, lead, ask.allowed)
        return Decision(order, reason, cell, table, *self._tail, seed)

    def _listed(self, table: Table, lead: int, allowed: int) -> tuple[str, ...]:
        """The lead, then the others by rank: players fail over along this list (ST-17)."""
        cdns, stands = self.snapshot.cdns, self.snapshot.stands
        order = [lead]
        for index in table.ranked:
            permitted = not allowed or allowed >> index & 1
            if index != lead and permitted and stands[index] is Stand.ENABLED:
                order.append(index)
        return tuple(cdns[index].id for index in order)
