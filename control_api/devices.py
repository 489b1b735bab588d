"""Devices of an account: registered on their first start, within the account's number (CTL-72)."""

from typing import Any

from sqlalchemy import BigInteger, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import types
from control_api.problems import Problem
from control_api.schema import device


async def see(
    connection: AsyncConnection,
    owner: Any,
    device_id: str,
    info: types.DeviceInfo,
    device_class: str,
    now_ms: int,
) -> None:
    """Note a device's start; `owner` is the account's row, locked: parallel first starts count."""
    asked = {"account": owner.id, "device": device_id}
    in_use, known = (await connection.execute(_COUNTED, asked)).one()
    if known:
        await connection.execute(_SEEN, {"device": device_id, "now": now_ms})
        return
    if in_use >= owner.max_devices:
        raise Problem("device_limit", devices=[])
    row = {
        "id": device_id,
        "account_id": owner.id,
        "class": device_class,
        "name": info.name,
        "drm": info.drm,
        "last_seen_ms": now_ms,
    }
    await connection.execute(_NEW, row)


# Made once: to make a statement takes longer than to send it.
_COUNTED = select(
    func.count().filter(device.c.revoked_ms.is_(None)),
    func.count().filter(device.c.id == bindparam("device")),
).where(device.c.account_id == bindparam("account"))
_SEEN = (
    update(device)
    .where(device.c.id == bindparam("device"))
    .values(last_seen_ms=bindparam("now", type_=BigInteger))
)
_NEW = insert(device)
