"""Series rules as their account sees them (CTL-129)."""

from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids, sealed
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.recordings import assets, programmes, rules, shapes, states, store
from control_api.recordings.admission import Desk
from control_api.recordings.schema import recording, recording_rule
from control_api.times import utc

rule = recording_rule.c


async def make(
    connection: AsyncConnection,
    desk: Desk,
    account_id: str,
    asked: shapes.RuleRequest,
    now_ms: int,
) -> Any:
    """A new rule, and recordings of what the guide has for it now."""
    await states.lock(connection, account_id)
    mine = select(func.count()).where(rule.account_id == account_id, rule.state == "active")
    if (await connection.execute(mine)).scalar_one() >= desk.settings.rules:
        raise Problem("rule_limit", limit=desk.settings.rules)
    row = await drafted(connection, desk, account_id, asked, now_ms)
    await connection.execute(insert(recording_rule).values(row))
    made = await find(connection, account_id, row["id"])
    await emit(connection, "recording.rule.created", told(made), now_ms)
    coming = await rules.coming_for(connection, desk, made, now_ms)
    await rules.schedule(connection, desk, made, coming, now_ms)
    return made


async def preview(
    connection: AsyncConnection,
    desk: Desk,
    account_id: str,
    asked: shapes.RuleRequest,
    now_ms: int,
) -> shapes.Preview:
    """What the rule would record, had it been made."""
    drafted_row = await drafted(connection, desk, account_id, asked, now_ms)
    each = Draft(drafted_row)
    coming = await rules.coming_for(connection, desk, each, now_ms)
    fresh = {one.event_id for one in await rules.unseen(connection, each, coming)}
    items = [
        shapes.Match(
            event_id=one.event_id or "",
            channel_id=one.channel.id,
            title=one.title,
            start_at=utc(one.start_ms),
            end_at=utc(one.end_ms),
            needed_s=one.length_s if one.event_id in fresh else 0,
        )
        for one in coming
        if rules.wants(each, one)
    ]
    needed_s = sum(item.needed_s for item in items)
    return shapes.Preview(items, needed_s, await store.allowance(connection, account_id))


class Draft:
    """A rule that is not stored, with the columns of one that is."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.__dict__.update(columns)


async def drafted(
    connection: AsyncConnection,
    desk: Desk,
    account_id: str,
    asked: shapes.RuleRequest,
    now_ms: int,
) -> dict[str, Any]:
    """The columns of a rule; 422 `event_not_found` when it names no programme or channel."""
    series_crid, title, channel_id = asked.series_crid, asked.title, asked.channel_id
    if asked.event_id is not None:
        programme = await programmes.one(connection, asked.event_id)
        if programme is None:
            raise Problem("event_not_found")
        series_crid, title = programme.series_crid, programme.title
        if series_crid is None:
            channel_id = programme.channel.id
    if channel_id is not None and await programmes.published(connection, channel_id) is None:
        raise Problem("event_not_found")
    pads = desk.pads(asked.pad_before_s, asked.pad_after_s)
    return {
        "id": ids.new("recording_rule"),
        "account_id": account_id,
        "series_crid": series_crid,
        "title": title,
        "title_key": None if series_crid else programmes.fold(title or ""),
        "channel_id": channel_id,
        "policy": asked.policy,
        "keep_n": asked.keep_n,
        "excluded_seasons": asked.excluded_seasons,
        "pad_before_s": pads.before_s,
        "pad_after_s": pads.after_s,
        "state": "active",
        "created_ms": now_ms,
    }


async def find(connection: AsyncConnection, account_id: str, rule_id: str) -> Any:
    """The rule's row; 404 when it is unknown, deleted or another account's."""
    query = select(recording_rule).where(
        rule.id == rule_id, rule.account_id == account_id, rule.state == "active"
    )
    found = (await connection.execute(query)).first()
    if found is None:
        raise Problem("rule_not_found")
    return found


async def end(connection: AsyncConnection, account_id: str, rule_id: str, now_ms: int) -> None:
    """Delete a rule: what it has scheduled is cancelled, what it has recorded stays."""
    await states.lock(connection, account_id)
    found = await find(connection, account_id, rule_id)
    await connection.execute(
        update(recording_rule).where(rule.id == rule_id).values(state="deleted")
    )
    which = (recording.c.rule_id == rule_id, recording.c.state == "scheduled")
    while rows := await states.locked(connection, *which):
        await states.move(connection, rows, "cancelled", now_ms, reason="rule_deleted")
        await assets.let_go(connection, [each.asset_id for each in rows], now_ms)
    gone = {**told(found), "state": "deleted"}
    await emit(connection, "recording.rule.deleted", gone, now_ms)


async def page(
    connection: AsyncConnection, secret: bytes, account_id: str, asked: Any
) -> shapes.RuleList:
    """The account's rules, as they were made."""
    query = select(recording_rule).where(rule.account_id == account_id, rule.state == "active")
    listing = f"rules:{account_id}"
    after = sealed.position(secret, listing, asked.cursor)
    if after is not None:
        query = query.where(rule.id > after[0])
    rows = (await connection.execute(query.order_by(rule.id).limit(asked.limit + 1))).all()
    shown, cursor = sealed.page(rows, asked.limit, secret, listing, "id")
    return shapes.RuleList([answer(each) for each in shown], cursor)


def answer(each: Any) -> shapes.Rule:
    return shapes.Rule(
        id=each.id,
        series_crid=each.series_crid,
        title=each.title,
        channel_id=each.channel_id,
        policy=each.policy,
        keep_n=each.keep_n,
        excluded_seasons=each.excluded_seasons,
        pad_before_s=each.pad_before_s,
        pad_after_s=each.pad_after_s,
        created_at=utc(each.created_ms),
    )


def told(each: Any) -> dict[str, Any]:
    """What events say of a rule."""
    return {
        "rule_id": each.id,
        "account_id": each.account_id,
        "state": each.state,
        "channel_id": each.channel_id,
        "title": each.title,
    }
