"""Why an account may or may not play something: every rule with its inputs and its verdict, at any
time, for support (CTL-86).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from control_api import rights, slots, types
from control_api.calls import Call
from control_api.catalogue.types import Territory
from control_api.entitlement import RULES, Allowed, Denied, age_asked
from control_api.facts import Ask, Facts
from control_api.judge import named, watched
from control_api.problems import Problem
from control_api.route import Route
from control_api.running import SUPPORT
from control_api.slots import Slot
from control_api.times import epoch_ms, utc


class ExplainRequest(types.Subject, kw_only=True):
    """A question as an account would ask it; from where and when, if not from here and now."""

    account_id: types.Id
    territory: Territory | None = None
    at: types.Instant | None = None


class Rule(types.Answer):
    """`verdict` is `pass` or the code that the rule alone would refuse with."""

    rule: str
    verdict: str
    inputs: dict[str, Any]


class Explained(types.Answer):
    """`decided_by` is the first rule that refuses, null where all let it pass."""

    at: datetime
    allowed: bool
    decided_by: str | None
    rules: list[Rule]


async def explain(call: Call[ExplainRequest]) -> Explained:
    """Why an account may or may not play something: every rule with its inputs."""
    asked, services = call.body, call.services
    at_ms = epoch_ms(asked.at) if asked.at is not None else call.now_ms
    async with services.database.read() as connection:
        slot = await slots.find(connection, asked.event_id) if asked.event_id else None
        kind, target_id = named(asked, slot)
        case = await rights.load(connection, asked.account_id, kind, target_id, at_ms)
    if case is None:
        raise Problem("not_found")
    device_id = rights.device_key(asked.account_id, asked.device.id)
    known = next((each for each in case.facts.devices if each.id == device_id), None)
    facts = replace(case.facts, device=known)
    parents = services.playback.judge.parents
    ask = Ask(
        at_ms,
        asked.territory or services.settings.default_country,
        asked.device.device_class or (known.device_class if known else "web"),
        watched(slot, case.target),
        slot.age if slot else 0,
        await parents.limit(asked.account_id, asked.profile_id, call.now_ms),
    )
    rules = _rules(facts, ask, slot)
    refused = next((each.rule for each in rules if each.verdict != "pass"), None)
    return Explained(utc(at_ms), refused is None, refused, rules)


def _rules(facts: Facts, ask: Ask, slot: Slot | None) -> list[Rule]:
    inputs = _inputs(facts, ask)
    found = [Rule(rule, _word(judge(facts, ask, rule)), inputs[rule]) for rule, judge in RULES]
    if slot is not None:
        of_slot = msgspec.to_builtins(slot)
        found.append(Rule(slots.RULE, _word(slot.begin(ask.now_ms)), of_slot))
    return sorted(found, key=lambda each: each.rule)


def _word(verdict: Allowed | Denied | int | None) -> str:
    return verdict.code if isinstance(verdict, Denied) else "pass"


def _inputs(facts: Facts, ask: Ask) -> Mapping[str, dict[str, Any]]:
    """What each rule looks at; times are epoch milliseconds, as they are kept."""
    told: dict[str, dict[str, Any]] = {
        "CTL-71": {"status": facts.account_status},
        "CTL-72": {
            "device": facts.device,
            "in_use": sum(not each.revoked for each in facts.devices),
            "max_devices": facts.max_devices,
        },
        "CTL-73": {"published": facts.target_published},
        "CTL-74": {"platform": ask.platform, "windows": facts.windows},
        "CTL-75": {"country": ask.country},
        "CTL-76": {"watched_ms": ask.span_ms, "blackouts": facts.blackouts},
        "CTL-77": {"min_age": age_asked(facts, ask), "limit": ask.limit},
        "CTL-79": {"grants": facts.grants},
    }
    return {rule: msgspec.to_builtins(inputs) for rule, inputs in told.items()}


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/entitlements/explain",
        explain,
        Explained,
        ("not_found",),
        scope=SUPPORT,
        body=ExplainRequest,
    ),
)
