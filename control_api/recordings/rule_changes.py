"""A series rule changed by merge patch: what it wants no more is cancelled, what it wants now is
scheduled; what is recorded stays (CTL-8, CTL-129).
"""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import types
from control_api.entries import patched
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.recordings import assets, programmes, rules, series, shapes, states
from control_api.recordings.admission import Desk
from control_api.recordings.schema import recording, recording_rule

VERSION_BYTES = 6


class RuleDocument(types.Request):
    """What of a rule may change. Padding is that of recordings to come, the setting's if absent."""

    channel_id: types.Id | None = None
    policy: shapes.Policy = "new"
    keep_n: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    excluded_seasons: shapes.Seasons = field(default_factory=list)
    pad_before_s: shapes.PadS | None = None
    pad_after_s: shapes.PadS | None = None


def document(each: Any) -> RuleDocument:
    """That of a rule's row."""
    return RuleDocument(**{name: getattr(each, name) for name in RuleDocument.__struct_fields__})


def version(each: Any) -> int:
    """Tells a rule's row from what it was before a change."""
    digest = hashlib.sha256(msgspec.json.encode(document(each))).digest()
    return int.from_bytes(digest[:VERSION_BYTES], "big")


async def change(
    connection: AsyncConnection,
    desk: Desk,
    account_id: str,
    rule_id: str,
    patch: bytes,
    unchanged: Callable[[int], None],
    now_ms: int,
) -> Any:
    """The rule's row as it is now; `unchanged` refuses a version that was not asked for."""
    await states.lock(connection, account_id)
    found = await series.find(connection, account_id, rule_id)
    unchanged(version(found))
    wanted: RuleDocument = patched(document(found), patch)
    moved = wanted.channel_id if wanted.channel_id != found.channel_id else None
    if moved is not None and await programmes.published(connection, moved) is None:
        raise Problem("event_not_found")
    pads = desk.pads(wanted.pad_before_s, wanted.pad_after_s)
    values = msgspec.structs.asdict(wanted) | {
        "pad_before_s": pads.before_s,
        "pad_after_s": pads.after_s,
    }
    of = recording_rule.c.id == rule_id
    await connection.execute(update(recording_rule).where(of).values(values))
    made = await series.find(connection, account_id, rule_id)
    await emit(connection, "recording.rule.updated", series.told(made), now_ms)
    coming = await rules.coming_for(connection, desk, made, now_ms)
    named = [each.event_id for each in coming if rules.wants(made, each)]
    which = (recording.c.rule_id == rule_id, recording.c.state == "scheduled")
    while rows := await states.locked(connection, *which, recording.c.event_id.not_in(named)):
        await states.move(connection, rows, "cancelled", now_ms, reason=rules.CHANGED)
        await assets.let_go(connection, [each.asset_id for each in rows], now_ms)
    await rules.schedule(connection, desk, made, coming, now_ms)
    return made
