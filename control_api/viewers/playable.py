"""What of a list CheckAccess would let somebody play, whatever the device (CTL-142)."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import household, rights
from control_api.calls import Call
from control_api.cases import Question
from control_api.entitlement import Allowed, check
from control_api.facts import Ask, Facts
from control_api.schema import entitlement

ANY_DEVICE = ""
row = entitlement.c
PARTS = tuple(field.name for field in msgspec.structs.fields(household.Bought))


async def titles(
    connection: AsyncConnection, call: Call[None], wanted: Sequence[str]
) -> frozenset[str]:
    """Those of many titles, in as many statements as of one."""
    account_id = call.caller.account_id
    owner = await household.find(connection, account_id, None, call.now_ms)
    if owner is None or not wanted:
        return frozenset()
    terms = await rights.title_terms(connection, wanted)
    bought = await _bought(connection, account_id, wanted)

    def facts(each: str) -> Facts:
        buyer = msgspec.structs.replace(owner, bought=[*owner.bought, *bought[each]])
        return rights.case(buyer, account_id, ANY_DEVICE, "content", terms[each]).facts

    return frozenset(each for each in wanted if _allowed(call, facts(each)))


async def recordings(call: Call[None], wanted: Sequence[str]) -> frozenset[str]:
    """Those of some of the caller's recordings."""
    found = set()
    for each in wanted:
        question: Question = (call.caller.account_id, ANY_DEVICE, "recording", each)
        asked = await call.services.playback.cases.get(question, call.now_ms)
        if _allowed(call, asked.case.facts, asked.case.target):
            found.add(each)
    return frozenset(found)


def _allowed(call: Call[None], facts: Facts, target: rights.Target | None = None) -> bool:
    on_air_ms = target.watched_ms if target is not None else None
    ask = Ask(call.now_ms, call.caller.country, "web", on_air_ms)
    return isinstance(check(rights.anywhere(facts), ask), Allowed)


async def _bought(
    connection: AsyncConnection, account_id: str, wanted: Sequence[str]
) -> defaultdict[str, list[household.Bought]]:
    """What the account bought of titles one by one."""
    query = select(entitlement).where(row.account_id == account_id, row.content_id.in_(wanted))
    found: defaultdict[str, list[household.Bought]] = defaultdict(list)
    for each in (await connection.execute(query.order_by(row.id))).all():
        parts = {name: getattr(each, name) for name in PARTS if name != "tier"}
        found[each.content_id].append(household.Bought(tier=None, **parts))
    return found
