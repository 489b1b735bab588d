"""What the store keeps of a session beside its times, for the list of a 409 (CTL-103); and what it
keeps of an account, told to it anew from the database.
"""

import msgspec

from control_api import sessions
from control_api.guarded import Shelf
from control_api.sessions import Clockwork
from runtime.asking import within
from runtime.sql import Database

LATEST_MS = 2**47  # times of day end later, in the year 6429


class Detail(msgspec.Struct, array_like=True):
    name: str
    device_class: str
    title: str
    started_ms: int

    def packed(self) -> bytes:
        return msgspec.msgpack.encode(self)


def read(packed: bytes, seen_ms: int) -> Detail:
    """Whoever wrote it; then of a session that was seen at that time."""
    try:
        found = msgspec.msgpack.decode(packed, type=Detail)
    except ValueError:
        found = Detail("", "web", "", seen_ms)
    if not 0 <= found.started_ms <= LATEST_MS:
        found.started_ms = seen_ms
    return found


async def restore(
    database: Database, shelf: Shelf, account_id: str, times: Clockwork, now_ms: int
) -> None:
    """The store knows the account's sessions as the database does. Raises SqlError, StoreError."""
    async with database.read() as connection:
        rows = await sessions.live(within(connection), account_id, times, now_ms)
    told = [
        (
            row.id,
            row.device_id,
            Detail(
                row.name or "", row.device_class or "web", row.target_id, row.started_ms
            ).packed(),
        )
        for row in rows
    ]
    await shelf.ask(lambda store: store.restore(account_id, told))
