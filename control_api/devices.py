"""Devices of an account: registered on their first start, within the account's number (CTL-72)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, insert, select, update

from control_api import outbox, types
from control_api.problems import Problem
from control_api.schema import account, device
from runtime.asking import Ask


async def owner(ask: Ask, account_id: str) -> Any:
    """The account's row, held to the end of the transaction."""
    (row,) = await ask(_OWNER, {"account": account_id})
    return row


async def see(ask: Ask, row: Mapping[str, Any]) -> None:
    """Note a device's start, under its account's lock: parallel first starts count."""
    held = await owner(ask, row["account_id"])
    asked = {"account": row["account_id"], "device": row["id"]}
    ((in_use, known),) = await ask(_COUNTED, asked)
    if known:
        await ask(_SEEN, {"device": row["id"], "now": row["last_seen_ms"]})
        return
    if in_use >= held.max_devices:
        raise Problem("device_limit", devices=[])
    await ask(_NEW, row)
    await outbox.tell(ask, "device.registered", subject(row), row["last_seen_ms"])


def made(
    account_id: str, device_id: str, info: types.DeviceInfo, device_class: str, now_ms: int
) -> dict[str, Any]:
    """The row of a new one."""
    return {
        "id": device_id,
        "account_id": account_id,
        "class": device_class,
        "name": info.name,
        "drm": info.drm,
        "last_seen_ms": now_ms,
    }


def subject(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says of a device."""
    return {"account_id": row["account_id"], "device_id": row["id"], "device_class": row["class"]}


# Made once: to make a statement takes longer than to send it. The key is shared: rows that refer to
# the account, as every start's, need not wait.
_OWNER = select(account).where(account.c.id == bindparam("account")).with_for_update(key_share=True)
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
