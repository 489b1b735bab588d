"""Decisions from a policy's tables over one snapshot: the hot path, shared with the simulator."""

from collections.abc import Iterator, Mapping

from native.router.shares import REFUSED, STARTED, STAYED, URGENT

from .face import Ask, Cell, Decision, Policy, Reason, Snapshot, Stand, Stepwise, Table

Orders = dict[int, tuple[str, ...]]  # by mask and lead
MAX_AWAITED = 1_024  # regions that nobody knows of
STEP_CELLS = 128  # let go at a time
HOW = {STARTED: Reason.STARTED, STAYED: Reason.STAYED, REFUSED: Reason.REFUSED}


class Chooser:
    """One policy over one snapshot. Regions are planned when they are first asked for."""

    def __init__(self, policy: Policy, snapshot: Snapshot) -> None:
        self.policy = policy
        self.snapshot = snapshot
        self._regions: dict[str, Mapping[Cell, Table]] = {}
        self._awaited: dict[str, None] = {}
        self._found: dict[Cell, tuple[Cell, Table, Orders]] = {}
        self._dwell_s = policy.dwell_s
        self._tail = (policy.name, policy.version, snapshot.version)

    def fits(self, policy: Policy, snapshot: Snapshot) -> bool:
        """Whether what is planned here is what this policy says of that snapshot."""
        mine = self.snapshot
        same = (mine.version, mine.stands) == (snapshot.version, snapshot.stands)
        return policy is self.policy and mine.cells is snapshot.cells and same

    def regions(self) -> tuple[str, ...]:
        """Those that were asked for, also where nothing was known yet."""
        return (*self._regions, *self._awaited)

    def prepare(self, region: str) -> Iterator[None]:
        """Plan a region before it is asked for, in steps where the policy knows some."""
        if region not in self.snapshot.sites:
            self._await(region)
        elif region not in self._regions:
            if isinstance(self.policy, Stepwise):
                self._regions[region] = yield from self.policy.planned(region, self.snapshot)
            else:
                self._regions[region] = self.policy.plan(region, self.snapshot)
            yield

    def retire(self) -> Iterator[None]:
        """Let go of all plans, in steps: others decide from now on."""
        while self._found:
            for _ in range(min(STEP_CELLS, len(self._found))):
                self._found.popitem()
            yield
        while self._regions:
            self._regions.popitem()
            yield

    def table(self, cell: Cell) -> tuple[Cell, Table]:
        """The table that decides for a cell, and whose it is after back-off."""
        region = cell.region
        if region not in self.snapshot.sites:
            self._await(region)
            region = ""
        tables = self._regions.get(region)
        if tables is None:
            tables = self._regions[region] = self.policy.plan(region, self.snapshot)
        if cell not in tables:
            cell = Cell(region)
        return cell, tables[cell]

    def _await(self, region: str) -> None:
        """Let it be planned once somebody tells of it."""
        if len(self._awaited) < MAX_AWAITED:
            self._awaited[region] = None

    def order(self, ask: Ask, seed: int) -> Decision:
        """The decision for one ask; a cell that is not known is its region or the whole.

        ValueError for a current CDN that the snapshot does not have.
        """
        order, reason, cell, table = self.pick(*ask, seed)
        return Decision(order, reason, cell, table, *self._tail, seed)

    def pick(
        self, asked: Cell, current: int, dwell_s: float, allowed: int, seed: int
    ) -> tuple[tuple[str, ...], Reason, Cell, Table]:
        """Order, reason, and whose table decided: the parts of an ask and of a decision, bare."""
        found = self._found.get(asked)
        if found is None:
            cell, table = self.table(asked)
            found = self._found.setdefault(cell, (cell, table, {}))
            if len(self._found) <= len(self.snapshot.cells):  # made-up cells cost no memory
                self._found[asked] = found
        cell, table, orders = found
        lead, how = table.shares.lead(current, dwell_s >= self._dwell_s, allowed, seed)
        reason = HOW.get(how)
        if reason is None:
            must = table.urgent[current] if how == URGENT else None
            reason = must or table.because
        key = allowed << 6 | lead
        order = orders.get(key)
        if order is None:
            order = orders[key] = self._listed(table, lead, allowed)
        return order, reason, cell, table

    def _listed(self, table: Table, lead: int, allowed: int) -> tuple[str, ...]:
        """The lead, then the others by rank: players fail over along this list (ST-17)."""
        cdns, stands = self.snapshot.cdns, self.snapshot.stands
        order = [lead]
        for index in table.ranked:
            permitted = not allowed or allowed >> index & 1
            if index != lead and permitted and stands[index] is Stand.ENABLED:
                order.append(index)
        return tuple(cdns[index].id for index in order)
