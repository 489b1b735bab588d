"""The operator's endpoints: plans, dry runs, audit. Mounted by the router's server.

    GET  /v1/plan           what holds, what would without it, the newest generation, the policies
    PUT  /v1/plan           a newer plan; 409 `stale_generation` for one that is not
    POST /v1/plan/dry-run   what a plan would decide, for asks and for sessions; changes nothing
    GET  /v1/audit          who changed what, newest first
    GET  /v1/screen         what the console's page shows

Source: routing RT-9, RT-14.
"""

import hmac
from collections import Counter
from ipaddress import ip_address
from itertools import islice
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from runtime import logs
from runtime.clock import Clock

from ..bodies import decoded
from ..core import Router
from ..decider import Decider, Question
from ..errors import Forbidden, TooLarge
from ..rules.rule import Text, Who
from ..sessions import Viewer, explained
from ..steering import drawn, origin
from .plan import Plan
from .screen import Screen
from .shared import SharedPlan

MAX_PLAN_BYTES = 1 << 20
MAX_ASKS = 100
MAX_SESSIONS = 2_000  # judged in a dry run, about 10 ms
FORWARDED = frozenset({"forwarded", "x-forwarded-for", "x-real-ip", "via"})

log = logs.get("cdn_router")


class AskedFor(Struct, forbid_unknown_fields=True):
    """A made-up session of a dry run."""

    session_id: Annotated[str, Meta(max_length=64)] = "dry-run"
    content: Text = ""
    tenant: Text = ""
    country: Text = ""
    device_class: Text = ""
    asn: int | None = None
    current: Text = ""


class DryRun(Struct, forbid_unknown_fields=True):
    plan: Plan
    asks: Annotated[list[AskedFor], Meta(max_length=MAX_ASKS)] = []


Body = TypeVar("Body", Plan, DryRun)


class AdminRoutes:
    def __init__(self, router: Router, clock: Clock, token: str, shared: SharedPlan) -> None:
        self._router, self._clock, self._token, self.shared = router, clock, token, shared
        self.screen = Screen(router)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/plan", self.plan),
            web.put("/v1/plan", self.replace),
            web.post("/v1/plan/dry-run", self.dry_run),
            web.get("/v1/audit", self.audit),
            web.get("/v1/screen", self.show),
        ]

    def admit(self, request: web.Request) -> None:
        """Forbidden without the operator's token; where none is configured, from elsewhere."""
        admit(request, self._token, "admin_token")

    async def plan(self, _: web.Request) -> web.Response:
        plans = self._router.plans
        return _json(
            {
                "current": plans.current,
                "base": plans.base,
                "newest_generation": plans.newest,
                "policies": sorted(plans.policies),
            }
        )

    async def replace(self, request: web.Request) -> web.Response:
        self.admit(request)
        plan = await _read(request, Plan)
        await self.shared.accept(plan)
        log.info("plan_accepted", generation=plan.generation, author=plan.author, note=plan.note)
        return _json({"current": self._router.plans.current})

    async def show(self, _: web.Request) -> web.Response:
        return _json(self.screen.to_json(self._clock.now_ms()))

    async def audit(self, _: web.Request) -> web.Response:
        return _json({"audit": self._router.plans.audit()})

    async def dry_run(self, request: web.Request) -> web.Response:
        """RT-9. Nothing is told to anybody and nothing is logged as a decision."""
        self.admit(request)
        asked = await _read(request, DryRun)
        router = self._router
        router.plans.check(asked.plan)
        before, after = router.decider, router.made(asked.plan, self._clock.now_ms())
        answers = []
        for ask in asked.asks:
            viewer = Viewer(ask.content, ask.country, ask.device_class, ask.asn, ask.tenant)
            question = _question(viewer.who(), origin(ask.session_id), ask.current)
            choices = (before.decide(question), after.decide(question))
            answers.append([explained(choice, choice.ids) for choice in choices])
        sessions = _moved(router, before, after)
        return _json(
            {"asks": [{"before": old, "after": new} for old, new in answers], "sessions": sessions}
        )


def admit(request: web.Request, token: str, setting: str) -> None:
    """Forbidden without the token that a setting holds; where it is empty, from elsewhere, and for
    whom a proxy forwards: what its headers say of an address opens nothing.
    """
    if not token:
        if not _local(request):
            raise Forbidden("operator_only", f"from elsewhere only with router.{setting} set")
        return
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode()):
        raise Forbidden("operator_only", f"Authorization: Bearer, with router.{setting}")


def _local(request: web.Request) -> bool:
    """Whether the socket's other end is a process of this machine that asks for itself."""
    peer = request.get_extra_info("peername")
    if not isinstance(peer, tuple) or not FORWARDED.isdisjoint(map(str.lower, request.headers)):
        return False
    try:
        return ip_address(peer[0]).is_loopback
    except ValueError:
        return False


def _moved(router: Router, before: Decider, after: Decider) -> dict[str, object]:
    """How the sessions seen last would lie, and how many would be told something else."""
    shares: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    told_else = 0
    judged = list(islice(router.sessions.latest(), MAX_SESSIONS))
    for session in judged:
        current = session.order[0] if session.order else ""
        question = _question(session.who, session.origin, current)
        leads = [decider.decide(question).ids[0] for decider in (before, after)]
        told_else += leads[0] != leads[1]
        for share, lead in zip(shares, leads, strict=True):
            share[lead] += 1
    return {"judged": len(judged), "moved": told_else, "before": shares[0], "after": shares[1]}


def _question(who: Who, origin: tuple[int, int], current: str) -> Question:
    lot, seed = drawn(origin, 0)
    return Question(who, lot, current, 0.0, seed)


async def _read(request: web.Request, shape: type[Body]) -> Body:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_PLAN_BYTES:
            raise TooLarge("too_large", f"at most {MAX_PLAN_BYTES} bytes")
    return decoded(bytes(body), shape)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
