"""Series: what of a schedule a rule wants, and how much of it is kept (CTL-129)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.problems import Problem
from control_api.recordings import admission, programmes, quotas, states
from control_api.recordings.admission import Desk, Pads
from control_api.recordings.programmes import Programme
from control_api.recordings.schema import recording, recording_rule
from control_api.schema import channel
from runtime import logs, metrics

log = logs.get("recordings")
MISSED = metrics.counter("control_rule_misses", "programmes that rules could not record", ("code",))

CHANGED = "rule_changed"
AGAIN = ("event_removed", CHANGED)  # reasons after which a showing may be recorded all the same
AT_A_TIME = 50
IN_CHUNK = 500
rule = recording_rule.c
row = recording.c


def wants(each: Any, programme: Programme) -> bool:
    """Does a rule name this programme, whether or not it was recorded before?"""
    if each.channel_id not in (None, programme.channel.id):
        return False
    if each.series_crid is not None:
        named = programme.series_crid == each.series_crid
    else:
        named = programmes.fold(programme.title) == each.title_key
    excluded = programme.season_no is not None and programme.season_no in each.excluded_seasons
    return named and not excluded and not (each.policy == "new" and programme.repeat)


async def look(
    connection: AsyncConnection, desk: Desk, owner: Any, after: str, now_ms: int
) -> str | None:
    """Let some rules, from one id on, see a channel's schedule; where to go on, None at the end."""
    ahead_ms = now_ms + 1_000 * desk.settings.ahead_s
    coming = await programmes.upcoming(connection, owner, now_ms, ahead_ms)
    coming = [each for each in coming if each.start_ms > now_ms]
    found = await _naming(connection, owner.id, coming, after)
    for each in found:
        await schedule(connection, desk, each, coming, now_ms)
    return found[-1].id if len(found) == AT_A_TIME else None


async def schedule(
    connection: AsyncConnection, desk: Desk, each: Any, coming: Sequence[Programme], now_ms: int
) -> int:
    """Record what one rule wants of some programmes and has not seen yet; how many are new."""
    made, short = 0, False
    for programme in await unseen(connection, each, coming):
        pads = Pads(each.pad_before_s, each.pad_after_s)
        try:
            _, new = await admission.record(
                connection, desk, each.account_id, programme, pads, now_ms, each.id
            )
        except Problem as problem:
            MISSED.labels(problem.code).inc()
            log.info("rule_missed", rule=each.id, programme=programme.event_id, code=problem.code)
            if problem.code == quotas.REFUSED and not short:
                short = True
                await quotas.exceeded(connection, each.account_id, problem, now_ms)
            continue
        made += new
    return made


async def unseen(
    connection: AsyncConnection, each: Any, coming: Sequence[Programme]
) -> list[Programme]:
    """What a rule wants and the account has not had: neither this showing, unless the guide or a
    change of the rule took it back meanwhile, nor, if its policy is `unique`, another one.
    """
    wanted = [programme for programme in coming if wants(each, programme)]
    if not wanted:
        return []
    showings = {programme.event_id for programme in wanted}
    keys = {programme.key for programme in wanted}
    had = or_(row.event_id.in_(showings), row.programme.in_(keys))
    query = select(row.event_id, row.programme, row.state).where(
        row.account_id == each.account_id,
        had,
        or_(row.reason.is_(None), row.reason.not_in(AGAIN)),
    )
    known = (await connection.execute(query)).all()
    shown = {old.event_id for old in known}
    seen = {old.programme for old in known if old.state != "failed"}
    fresh = []
    for programme in wanted:
        again = each.policy == "unique" and programme.key in seen
        if programme.event_id not in shown and not again:
            fresh.append(programme)
            seen.add(programme.key)
    return fresh


async def coming_for(
    connection: AsyncConnection, desk: Desk, each: Any, now_ms: int
) -> list[Programme]:
    """The programmes ahead on the channels that a rule may name."""
    query = select(channel).where(channel.c.status == "published")
    if each.channel_id is not None:
        query = query.where(channel.c.id == each.channel_id)
    owners = (await connection.execute(query.order_by(channel.c.number))).all()
    ahead_ms = now_ms + 1_000 * desk.settings.ahead_s
    found = []
    for owner in owners:
        some = await programmes.upcoming(
            connection, owner, now_ms, ahead_ms, series_crid=each.series_crid
        )
        found += [programme for programme in some if programme.start_ms > now_ms]
    return sorted(found, key=lambda programme: (programme.start_ms, programme.channel.number))


async def trim(connection: AsyncConnection, desk: Desk, rows: Sequence[Any], now_ms: int) -> None:
    """Delete the oldest unprotected ones of rules that keep only so many."""
    for rule_id in sorted({each.rule_id for each in rows if each.rule_id is not None}):
        each = (await connection.execute(select(recording_rule).where(rule.id == rule_id))).one()
        if each.keep_n is None:
            continue
        which = (row.rule_id == rule_id, row.state.in_(("completed", "partial")))
        kept = await states.locked(connection, *which)
        ordered = sorted(kept, key=lambda one: (one.prog_start_ms, one.id))
        excess = max(len(ordered) - each.keep_n, 0)
        leaving = [one for one in ordered if not one.protected][:excess]
        due_ms = now_ms + 1_000 * desk.settings.grace_s
        await states.move(connection, leaving, "deleted", now_ms, reason="keep_n", due_ms=due_ms)


async def _naming(
    connection: AsyncConnection, channel_id: str, coming: Sequence[Programme], after: str
) -> Sequence[Any]:
    """The next rules, by id, that name a series or title among some programmes."""
    crids = sorted({each.series_crid for each in coming if each.series_crid})
    titles = sorted({programmes.fold(each.title) for each in coming})
    found: dict[str, Any] = {}
    for column, names in ((rule.series_crid, crids), (rule.title_key, titles)):
        for at in range(0, len(names), IN_CHUNK):
            query = select(recording_rule).where(
                and_(
                    rule.state == "active", rule.id > after, column.in_(names[at : at + IN_CHUNK])
                ),
                or_(rule.channel_id.is_(None), rule.channel_id == channel_id),
            )
            rows = await connection.execute(query.order_by(rule.id).limit(AT_A_TIME))
            found |= {each.id: each for each in rows.all()}
    return [found[key] for key in sorted(found)][:AT_A_TIME]
