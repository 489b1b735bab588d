"""One plan on all nodes: over the store, beside the answers (routing RT-9, RT-14, RT-15).

Rules of the file
1. A plan is put into the store in the place of the very plan that it is newer than, and then holds:
   of two nodes that are told plans of one generation at once, one refuses. The others have it
   within a round.
2. While the store is away, a plan holds at once on the node that accepted it: so does a kill
   switch. Of one generation, accepted on two sides of a cut, the one whose bytes are greater goes
   first: every node finds the same.
3. Whoever holds a plan that goes before the store's puts it there: a store that lost its memory is
   right again within a round.
4. What cannot be read, of a newer version say, is neither taken nor replaced.
5. The stand of one pathway is no plan of its own: it is added to whatever holds.
"""

import asyncio
from collections.abc import Callable

import msgspec

from runtime import logs
from runtime.clock import Clock
from runtime.store import Store, StoreError

from ..bodies import UNREADABLE
from ..core import Router, Site
from ..errors import RouterError
from ..pathways import Admin
from .plan import Plan

KEY = "router:plan"
ROUND_S = 0.5

log = logs.get("cdn_router")


class SharedPlan:
    """Keeps a router's plan and the store's alike; `keep` is told what came from there. The store
    is somebody else's to start.
    """

    def __init__(
        self, router: Router, store: Store, clock: Clock, keep: Callable[[Plan], None]
    ) -> None:
        self._router, self._store, self._clock, self._keep = router, store, clock, keep
        self._turn = asyncio.Lock()
        self._refused = b""

    async def accept(self, plan: Plan) -> None:
        """Let a plan hold on all nodes; RequestError or Conflict when it may not."""
        async with self._turn:
            await self._offered(plan)
            self._router.apply(plan, self._clock.now_ms())
            self._keep(plan)

    async def administer(self, pathway: str, admin: Admin) -> Site:
        """Drain, kill or enable a pathway on all nodes; NotFound for an unknown one."""
        site, plans = self._router.site(pathway), self._router.plans
        async with self._turn:
            while site.admin is not admin:
                if await self._offered(plans.with_stand(pathway, admin)):
                    break
            self._router.administer(pathway, admin, self._clock.now_ms())
            self._keep(plans.current)
        return site

    async def forever(self) -> None:
        while True:
            try:
                await self.round()
            except StoreError as error:
                log.debug("plan_not_shared", reason=error.code)
            except Exception:
                log.exception("plan_not_shared")
            await asyncio.sleep(ROUND_S)

    async def round(self) -> None:
        """Take the store's plan or give it ours; StoreError while it is away."""
        async with self._turn:
            body, theirs = await self._heard()
            ours = self._router.plans.last
            if theirs is not None and ours.precedence() > theirs.precedence():
                await self._store.replace(KEY, msgspec.json.encode(ours), body)

    async def _offered(self, plan: Plan) -> bool:
        """Give the store a plan that would hold here; False when it has a newer one by now, which
        then holds. Whether it is there is all one where it cannot be.
        """
        plans, ours = self._router.plans, msgspec.json.encode(plan)
        plans.admit(plan, self._clock.now_ms())
        try:
            while plan.generation > plans.newest:
                body, theirs = await self._heard()
                if theirs is None:
                    break
                if plan.generation > plans.newest and await self._store.replace(KEY, ours, body):
                    break
        except StoreError as error:
            log.debug("plan_not_shared", reason=error.code)
        except Exception:
            log.exception("plan_not_shared")
        return plan.generation > plans.newest

    async def _heard(self) -> tuple[bytes | None, Plan | None]:
        """What the store has, heard; no plan where it is not to be read."""
        body = await self._store.get(KEY)
        if body is None:
            return None, Plan()
        try:
            theirs = msgspec.json.decode(body, type=Plan)
            if self._router.hear(theirs, self._clock.now_ms()):
                self._keep(theirs)
        except (*UNREADABLE, RouterError) as error:
            if body != self._refused:
                self._refused = body
                log.error("plan_not_taken", reason=str(error))
            return body, None
        return body, theirs
