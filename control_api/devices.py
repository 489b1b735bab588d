"""Devices of an account: registered on their first start, within the account's number (CTL-72)."""

from typing import Any

from sqlalchemy import func, insert, select, update
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
    known = await connection.execute(
        update(device).where(device.c.id == device_id).values(last_seen_ms=now_ms)
    )
    if known.rowcount:
        return
    in_use = select(func.count()).where(
        device.c.account_id == owner.id, device.c.revoked_ms.is_(None)
    )
    if (await connection.execute(in_use)).scalar_one() >= owner.max_devices:
        raise Problem("device_limit", devices=[])
    row = {
        "id": device_id,
        "account_id": owner.id,
        "class": device_class,
        "name": info.name,
        "drm": info.drm,
        "last_seen_ms": now_ms,
    }
    await connection.execute(insert(device).values(row))
