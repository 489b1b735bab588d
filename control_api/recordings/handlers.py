"""One function an operation of recordings."""

from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.calls import Call, Reply
from control_api.entries import tag, unchanged
from control_api.problems import Problem
from control_api.recordings import (
    admission,
    programmes,
    quotas,
    rule_changes,
    series,
    shapes,
    store,
)
from control_api.recordings.admission import Desk
from control_api.times import epoch_ms


def desk(call: Call[Any]) -> Desk:
    return Desk(call.services.settings.recordings, call.caller.country)


async def record(call: Call[shapes.RecordingRequest]) -> Reply:
    """Record a programme, or a time on a channel; the same again is the one that is there."""
    asked, order, database = call.body, desk(call), call.services.database
    account_id = call.caller.account_id
    try:
        async with database.write() as connection:
            wanted = await _wanted(connection, asked)
            pads = order.pads(asked.pad_before_s, asked.pad_after_s)
            row, new = await admission.record(
                connection, order, account_id, wanted, pads, call.now_ms
            )
    except Problem as refusal:
        await quotas.refused(database, account_id, refusal, call.now_ms)
        raise
    location = {"Location": f"/v1/recordings/{row.id}"}
    return Reply(store.answer(row), location, 201 if new else 200)


async def _wanted(
    connection: AsyncConnection, asked: shapes.RecordingRequest
) -> programmes.Programme:
    found = None
    if asked.event_id is not None:
        found = await programmes.one(connection, asked.event_id)
    elif asked.channel_id and asked.start_at and asked.end_at:
        owner = await programmes.published(connection, asked.channel_id)
        if owner is not None:
            times = epoch_ms(asked.start_at), epoch_ms(asked.end_at)
            found = programmes.timed(owner, *times, asked.title)
    if found is None:
        raise Problem("event_not_found")
    return found


async def list_recordings(call: Call[None]) -> shapes.RecordingList:
    """The account's recordings, the latest programmes first."""
    async with call.services.database.read() as connection:
        return await store.page(
            connection, call.services.secret, call.caller.account_id, call.query
        )


async def get_recording(call: Call[None]) -> shapes.Recording:
    """One recording."""
    async with call.services.database.read() as connection:
        return store.answer(await store.find(connection, call.caller.account_id, call.path["id"]))


async def delete_recording(call: Call[None]) -> None:
    """Cancel or delete a recording; what has bytes may be restored for a while."""
    async with call.services.database.write() as connection:
        await store.delete(
            connection, desk(call), call.caller.account_id, call.path["id"], call.now_ms
        )
    await call.services.playback.cases.changed(call.caller.account_id)


async def restore_recording(call: Call[None]) -> shapes.Recording:
    """Bring a deleted recording back."""
    async with call.services.database.write() as connection:
        return store.answer(
            await store.restore(
                connection, desk(call), call.caller.account_id, call.path["id"], call.now_ms
            )
        )


async def protect_recording(call: Call[shapes.ProtectRequest]) -> shapes.Recording:
    """Keep a recording from making room for others, or no longer."""
    async with call.services.database.write() as connection:
        return store.answer(
            await store.protect(
                connection,
                call.caller.account_id,
                call.path["id"],
                call.body.protected,
                call.now_ms,
            )
        )


async def make_rule(call: Call[shapes.RuleRequest]) -> Reply:
    """Record a series from now on."""
    async with call.services.database.write() as connection:
        made = await series.make(
            connection, desk(call), call.caller.account_id, call.body, call.now_ms
        )
    return Reply(series.answer(made), {"Location": f"/v1/recording-rules/{made.id}"})


async def preview_rule(call: Call[shapes.RuleRequest]) -> shapes.Preview:
    """What a rule would record, and what that takes of the quota."""
    async with call.services.database.read() as connection:
        return await series.preview(
            connection, desk(call), call.caller.account_id, call.body, call.now_ms
        )


async def list_rules(call: Call[None]) -> shapes.RuleList:
    """The account's series rules."""
    async with call.services.database.read() as connection:
        return await series.page(
            connection, call.services.secret, call.caller.account_id, call.query
        )


async def get_rule(call: Call[None]) -> Reply:
    """One series rule."""
    async with call.services.database.read() as connection:
        return _tagged(await series.find(connection, call.caller.account_id, call.path["id"]))


async def change_rule(call: Call[bytes]) -> Reply:
    """Change a series rule by merge patch; what it wants no more is cancelled."""
    async with call.services.database.write() as connection:
        made = await rule_changes.change(
            connection,
            desk(call),
            call.caller.account_id,
            call.path["id"],
            call.body,
            partial(unchanged, call),
            call.now_ms,
        )
    return _tagged(made)


def _tagged(each: Any) -> Reply:
    return Reply(series.answer(each), {"ETag": tag(rule_changes.version(each))})


async def delete_rule(call: Call[None]) -> None:
    """End a series rule; what it has scheduled is cancelled, what it has recorded stays."""
    async with call.services.database.write() as connection:
        await series.end(connection, call.caller.account_id, call.path["id"], call.now_ms)


async def get_quota(call: Call[None]) -> shapes.Quota:
    """Seconds that the account may record, uses and has promised to itself."""
    async with call.services.database.read() as connection:
        return await store.allowance(connection, call.caller.account_id)
