"""Devices of a household: what has played here, and what shall play no more (CTL-72)."""

from datetime import datetime

from sqlalchemy import select, update

from control_api import ledger
from control_api.calls import Call
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.schema import device, playback_session
from control_api.times import utc
from control_api.types import Answer
from runtime.asking import within

own = device.c
session = playback_session.c


class Device(Answer):
    """`id` is the one that a refused start names."""

    id: str
    name: str
    device_class: str
    drm: str | None
    last_seen: datetime


class DeviceList(Answer):
    items: list[Device]


async def page(call: Call[None]) -> DeviceList:
    """The account's devices, the last seen first."""
    query = select(device).where(own.account_id == call.caller.account_id, own.revoked_ms.is_(None))
    query = query.order_by(own.last_seen_ms.desc(), own.id)
    async with call.services.database.read() as connection:
        rows = (await connection.execute(query)).all()
    return DeviceList(
        [
            Device(row.id, row.name, row._mapping["class"], row.drm, utc(row.last_seen_ms))
            for row in rows
        ]
    )


async def remove(call: Call[None]) -> None:
    """Sign a device out, and with it what it plays: in the database at once, then in the store."""
    account_id, device_id = call.caller.account_id, call.path["id"]
    here = (own.id == device_id, own.account_id == account_id, own.revoked_ms.is_(None))
    playing = select(session.id).where(
        session.account_id == account_id,
        session.device_id == device_id,
        session.ended_ms.is_(None),
    )
    await call.services.playback.ledger.flush()
    async with call.services.database.write() as connection:
        gone = update(device).where(*here).values(revoked_ms=call.now_ms)
        row = (await connection.execute(gone.returning(own["class"].label("kind")))).first()
        if row is None:
            raise Problem("not_found")
        told = {"account_id": account_id, "device_id": device_id, "device_class": row.kind}
        await emit(connection, "device.removed", told, call.now_ms)
        live = list((await connection.execute(playing)).scalars())
        for session_id in live:
            end = ledger.End(account_id, session_id, "terminated", call.now_ms)
            await ledger.close(within(connection), end)
    streams = call.services.playback.streams
    for session_id in live:
        await streams.end(account_id, session_id, "terminated", call.now_ms)
