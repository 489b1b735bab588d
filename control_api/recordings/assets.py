"""The shared thing: a range of a channel that recordings point at (CTL-125, CTL-127).

An asset is planned until its range begins, held while the origin keeps it and it grows, looked at
when its end has passed, and released once nobody points at it. Its recordings follow (`MIRROR`).
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids
from control_api.outbox import emit
from control_api.recordings import states
from control_api.recordings.schema import recording, recording_asset
from control_api.times import utc

asset = recording_asset.c

# What recordings of an asset are while it is in a state.
MIRROR: Mapping[str, str] = {
    "planned": "scheduled",
    "held": "recording",
    "checking": "finalizing",
    "complete": "completed",
    "partial": "partial",
    "failed": "failed",
}


class Span(NamedTuple):
    """What bytes a recording wants; `account_id` is '' for a copy that all may share."""

    channel_id: str
    start_ms: int
    end_ms: int
    account_id: str
    copy_mode: str


def span(
    channel: Any, owner: Any, start_ms: int, end_ms: int, private: Collection[str] = ()
) -> Span:
    """A range of a channel, everybody's or the account's own: as the channel's rights ask, or those
    of the territory that the account is of, which neither can take back (CTL-127).
    """
    own = channel.copy_mode == "private" or owner.country in private
    if own:
        return Span(channel.id, start_ms, end_ms, owner.id, "private")
    return Span(channel.id, start_ms, end_ms, "", "shared")


async def take(connection: AsyncConnection, wanted: Span, now_ms: int) -> Any:
    """The asset of a range, locked; made if there is none."""
    made = {
        "id": ids.new("recording_asset"),
        "state": "planned",
        "due_ms": wanted.start_ms,
        "tries": 0,
        "missing_ms": 0,
        **wanted._asdict(),
    }
    await states.insert_new(connection, recording_asset, made)
    query = (
        select(recording_asset)
        .where(*(asset[name] == value for name, value in wanted._asdict().items()))
        .where(asset.state != "releasing")
        .with_for_update()
    )
    found = (await connection.execute(query)).one()
    if found.id == made["id"]:
        await tell(connection, "placed", found, now_ms)
    return found


async def tell(
    connection: AsyncConnection, what: str, found: Any, now_ms: int, reason: str | None = None
) -> None:
    """An event of the hold over an asset's range: placed, confirmed or released (CTL-125)."""
    held = {
        "channel_id": found.channel_id,
        "asset_id": found.id,
        "starts_at": utc(found.start_ms),
        "ends_at": utc(found.end_ms),
        "reason": reason,
    }
    await emit(connection, f"retention.hold.{what}", held, now_ms)


def share(found: Any, counted_s: int) -> Mapping[str, int]:
    """What a recording of an asset takes in bytes, once they are known: the programme's part, as
    padding is free (CTL-122).
    """
    if found.size_bytes is None:
        return {}
    length_ms = found.end_ms - found.start_ms
    return {"counted_bytes": found.size_bytes * min(1_000 * counted_s, length_ms) // length_ms}


async def let_go(connection: AsyncConnection, asset_ids: Sequence[str | None], now_ms: int) -> None:
    """Release those assets that no recording points at any more."""
    for asset_id in sorted({each for each in asset_ids if each is not None}):
        await connection.execute(select(asset.id).where(asset.id == asset_id).with_for_update())
        users = select(func.count()).where(recording.c.asset_id == asset_id)
        if (await connection.execute(users)).scalar_one() == 0:
            await put(connection, asset_id, state="releasing", due_ms=now_ms, tries=0)


async def put(connection: AsyncConnection, asset_id: str, **values: Any) -> None:
    await connection.execute(update(recording_asset).where(asset.id == asset_id).values(**values))


async def catch_up(
    connection: AsyncConnection,
    rows: Sequence[Any],
    state: str,
    now_ms: int,
    ending: Mapping[str, Any],
) -> Sequence[Any]:
    """Move locked recordings along until they are what their asset's state says; `ending` are
    columns of those that come to an end.
    """
    goal = MIRROR[state]
    for step in () if goal == "failed" else ("recording", "finalizing"):
        behind = [each for each in rows if _before(each.state, step)]
        if behind and _before(step, goal):
            moved = {each.id: each for each in await states.move(connection, behind, step, now_ms)}
            rows = [moved.get(each.id, each) for each in rows]
    values = {} if goal in states.WAY[:-1] else ending
    return await states.move(
        connection, [each for each in rows if each.state != goal], goal, now_ms, **values
    )


async def weigh(connection: AsyncConnection, rows: Sequence[Any], found: Any) -> Sequence[Any]:
    """True up locked recordings of an asset to what it has become."""
    weighed: list[Any] = []
    for length_s, some in groupby(sorted(rows, key=_length_s), key=_length_s):
        same, values = list(some), share(found, length_s)
        weighed += await states.change(connection, same, **values) if values else same
    return weighed


def _length_s(each: Any) -> int:
    return int(each.counted_s)


def _before(state: str, other: str) -> bool:
    """Is a state earlier on the way than another? All ends are behind the way."""
    way = states.WAY[:-1]
    place = way.index(state) if state in way else len(way)
    return place < (way.index(other) if other in way else len(way))
