"""The plan that holds, the one behind it, and who changed what (routing RT-14)."""

from collections import deque
from collections.abc import Collection

from msgspec import Struct, structs

from ..errors import Conflict, RequestError
from ..pathways import Admin
from .plan import Plan

KEPT_ENTRIES = 200
MAX_JUMP = 1 << 52  # leaves as many generations as anybody will ever count one by one


class Entry(Struct, frozen=True):
    """One line of the audit: `outcome` is accepted, refused, expired, or heard from a node."""

    at_ms: int
    outcome: str
    generation: int
    author: str
    note: str


class Plans:
    def __init__(self, base: Plan, pathways: Collection[str], policies: Collection[str]) -> None:
        base.check(pathways, policies)
        self.base = self.current = base
        self.last = base  # that was accepted, also when it ended since
        self._pathways, self.policies = pathways, policies
        self._audit: deque[Entry] = deque(maxlen=KEPT_ENTRIES)

    @property
    def newest(self) -> int:
        """The generation that a plan must be newer than."""
        return self.last.generation

    def check(self, plan: Plan) -> None:
        """RequestError when it could not hold."""
        plan.check(self._pathways, self.policies)

    def admit(self, plan: Plan, now_ms: int) -> None:
        """Conflict unless its generation is newer than any before, RequestError for one that could
        not hold, or behind which there would be no room.
        """
        self.check(plan)
        if plan.generation > max(MAX_JUMP, self.newest + 1):
            raise RequestError("generation", f"at most {MAX_JUMP}")
        if plan.generation <= self.newest:
            self._note(plan, "refused", now_ms)
            raise Conflict("stale_generation", f"the newest is {self.newest}")
        if plan.expires_ms is not None and plan.expires_ms <= now_ms:
            self._note(plan, "refused", now_ms)
            raise Conflict("expired", "it would have ended already")

    def accept(self, plan: Plan, now_ms: int) -> None:
        """Let it hold from now on, if it may."""
        self.admit(plan, now_ms)
        self.current = self.last = plan
        self._note(plan, "accepted", now_ms)

    def hear(self, plan: Plan, now_ms: int) -> bool:
        """Take over a plan that another node accepted, also one that ends at once; False for one
        that does not go before ours, RequestError for one that could not hold here.
        """
        if plan.precedence() <= self.last.precedence():
            return False
        self.check(plan)
        self.current = self.last = plan
        self._note(plan, "heard", now_ms)
        self.tick(now_ms)
        return True

    def with_stand(self, pathway: str, admin: Admin) -> Plan:
        """The plan that holds with one pathway changed, newer than any before."""
        stands = {**self.current.stands, pathway: admin}
        return structs.replace(self.current, generation=self.newest + 1, stands=stands)

    def tick(self, now_ms: int) -> bool:
        """End a plan that is over; whether one did."""
        ends = self.current.expires_ms
        if ends is None or now_ms < ends:
            return False
        self._note(self.current, "expired", now_ms)
        self.current = self.base
        return True

    def audit(self) -> list[Entry]:
        """Newest first."""
        return list(self._audit)

    def _note(self, plan: Plan, outcome: str, now_ms: int) -> None:
        entry = Entry(now_ms, outcome, plan.generation, plan.author, plan.note)
        self._audit.appendleft(entry)
