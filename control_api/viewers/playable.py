"""What of a list CheckAccess would let somebody play, whatever the device (CTL-142)."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import batch_terms, household, rights
from control_api.calls import Call
from control_api.entitlement import Allowed, check
from control_api.facts import Ask, Limit
from control_api.schema import entitlement

ANY_DEVICE = ""
row = entitlement.c
PARTS = tuple(field.name for field in msgspec.structs.fields(household.Bought))


async def of(
    connection: AsyncConnection,
    call: Call[None],
    limit: Limit | None,
    titles: Sequence[str],
    recordings: Sequence[str],
) -> frozenset[str]:
    """Those of many titles and of some of the caller's recordings, in as many statements as of one
    of each, for a profile with this limit.
    """
    account_id, now_ms = call.caller.account_id, call.now_ms
    owner = await household.find(connection, account_id, None, now_ms)
    if owner is None:
        return frozenset()
    bought = await _bought(connection, account_id, titles)
    found = set()
    for key, terms in (await batch_terms.titles(connection, titles)).items():
        buyer = msgspec.structs.replace(owner, bought=[*owner.bought, *bought[key]])
        if _allowed(call, limit, rights.case(buyer, account_id, ANY_DEVICE, "content", terms)):
            found.add(key)
    for key, terms in (await batch_terms.recordings(connection, recordings, now_ms)).items():
        if _allowed(call, limit, rights.case(owner, account_id, ANY_DEVICE, "recording", terms)):
            found.add(key)
    return frozenset(found)


def _allowed(call: Call[None], limit: Limit | None, case: rights.Case) -> bool:
    on_air_ms = case.target.watched_ms if case.target is not None else None
    ask = Ask(call.now_ms, call.caller.country, "web", on_air_ms, limit=limit)
    return isinstance(check(rights.anywhere(case.facts), ask), Allowed)


async def _bought(
    connection: AsyncConnection, account_id: str, wanted: Sequence[str]
) -> defaultdict[str, list[household.Bought]]:
    """What the account bought of titles one by one."""
    found: defaultdict[str, list[household.Bought]] = defaultdict(list)
    if not wanted:
        return found
    query = select(entitlement).where(row.account_id == account_id, row.content_id.in_(wanted))
    for each in (await connection.execute(query.order_by(row.id))).all():
        parts = {name: getattr(each, name) for name in PARTS if name != "tier"}
        found[each.content_id].append(household.Bought(tier=None, **parts))
    return found
