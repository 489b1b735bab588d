"""CheckAccess for a whole rail: one question, up to a hundred answers (control-api section 3)."""

import asyncio
from typing import Annotated, Any, Literal

from msgspec import Meta

from control_api import types
from control_api.calls import Call
from control_api.problems import TABLE, Problem
from control_api.route import Route

AT_ONCE = 6  # leaves the pool some connections for others
MAX_TARGETS = 100


class Target(types.Request):
    kind: Literal["content", "channel", "event", "recording"]
    id: types.Id


class BatchRequest(types.Request):
    """What is asked of each target is what CheckAccess is asked (CTL-70..79), without a PIN."""

    device: types.DeviceInfo
    targets: Annotated[list[Target], Meta(min_length=1, max_length=MAX_TARGETS)]
    profile_id: types.Id | None = None


class Verdict(types.Answer):
    """`code` and `rule` say why not; `upgrade` whether some offer would help (CTL-80)."""

    kind: str
    id: str
    allowed: bool
    licence: str | None = None
    code: str | None = None
    rule: str | None = None
    upgrade: bool = False


class BatchAnswer(types.Answer):
    items: list[Verdict]


async def check_batch(call: Call[BatchRequest]) -> BatchAnswer:
    """May the caller play these now, on this device? Verdicts in the order of the targets."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(target: Target) -> Verdict:
        async with gate:
            return await _verdict(call, target)

    return BatchAnswer(list(await asyncio.gather(*map(one, call.body.targets))))


async def _verdict(call: Call[BatchRequest], target: Target) -> Verdict:
    named: dict[str, Any] = {f"{target.kind}_id": target.id}
    asked = types.CheckRequest(device=call.body.device, profile_id=call.body.profile_id, **named)
    try:
        answer = await call.services.playback.check(call.caller, asked, call.now_ms)
    except Problem as problem:
        if TABLE[problem.code].status not in (403, 404):
            raise
        return Verdict(
            target.kind,
            target.id,
            False,
            code=problem.code,
            rule=problem.members.get("rule"),
            upgrade=bool(problem.members.get("upgrade_options")),
        )
    return Verdict(target.kind, target.id, True, licence=answer.licence)


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/entitlements/check-batch",
        check_batch,
        BatchAnswer,
        ("entitlement_unavailable",),
        scope="entitlement:check",
        body=BatchRequest,
        decides_access=True,
    ),
)
