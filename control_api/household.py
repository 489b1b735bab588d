"""What CheckAccess asks about an account, in one statement (CTL-84)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.facts import Device
from runtime.sql import Database, Dialect


class Bought(msgspec.Struct, frozen=True):
    """An entitlement's row; `tier` is its package's."""

    id: str
    package_id: str | None
    content_id: str | None
    tier: int | None
    state: str
    start_ms: int
    end_ms: int | None
    max_uses: int | None
    uses: int
    first_played_ms: int | None
    viewing_s: int | None


class Household(msgspec.Struct, frozen=True):
    """`bought` are all its packages, and what it bought of the title asked about; `in_use` counts
    its live sessions.
    """

    status: str
    max_devices: int
    max_streams: int
    in_use: int
    devices: Sequence[Device]
    bought: Sequence[Bought]


async def ask(
    database: Database, account_id: str, content_id: str | None, seen_after_ms: int
) -> Household | None:
    """The account; None when it is gone. A session is live when it was seen after that moment."""
    values = _values(account_id, content_id, seen_after_ms)
    return _read(await database.ask(STATEMENTS[database.dialect], values))


async def find(
    connection: AsyncConnection, account_id: str, content_id: str | None, seen_after_ms: int
) -> Household | None:
    """The same, among other questions of a transaction."""
    dialect: Any = connection.dialect.name
    values = _values(account_id, content_id, seen_after_ms)
    return _read((await connection.execute(STATEMENTS[dialect], values)).all())


def _values(account_id: str, content_id: str | None, seen_after_ms: int) -> Mapping[str, Any]:
    return {"account": account_id, "content": content_id or "", "after": seen_after_ms}


def _read(rows: Sequence[Sequence[Any]]) -> Household | None:
    if not rows:
        return None
    status, max_devices, max_streams, in_use, devices, bought = rows[0]
    return Household(
        status,
        max_devices,
        max_streams,
        in_use,
        sorted(_DEVICES.decode(devices or "[]"), key=lambda device: device.id),
        sorted(_BOUGHT.decode(bought or "[]"), key=lambda each: each.id),
    )


_DEVICES = msgspec.json.Decoder(list[Device], strict=False)  # SQLite's truth is 1
_BOUGHT = msgspec.json.Decoder(list[Bought])
_TEXT = """
SELECT a.status, a.max_devices, a.max_streams,
 (SELECT count(*) FROM playback_session s
  WHERE s.account_id = a.id AND s.ended_ms IS NULL AND s.last_seen_ms > :after),
 (SELECT CAST({listed}({object}('id', d.id, 'name', d.name, 'device_class', d.class,
   'revoked', d.revoked_ms IS NOT NULL)) AS text)
  FROM device d WHERE d.account_id = a.id),
 (SELECT CAST({listed}({object}('id', e.id, 'package_id', e.package_id, 'content_id', e.content_id,
   'tier', p.tier, 'state', e.state, 'start_ms', e.start_ms, 'end_ms', e.end_ms,
   'max_uses', e.max_uses, 'uses', e.uses, 'first_played_ms', e.first_played_ms,
   'viewing_s', e.viewing_s)) AS text)
  FROM entitlement e LEFT JOIN package p ON p.id = e.package_id
  WHERE e.account_id = a.id AND (e.package_id IS NOT NULL OR e.content_id = :content))
FROM account a WHERE a.id = :account
"""
STATEMENTS: Mapping[Dialect, TextClause] = {
    "postgresql": text(_TEXT.format(listed="json_agg", object="json_build_object")),
    "sqlite": text(_TEXT.format(listed="json_group_array", object="json_object")),
}
