"""Starts that were refused, told to services that follow (CTL-114, CTL-171): once in a while of a
device that tries the same again and again. The log has them all.
"""

from typing import Any, NamedTuple

from control_api import outbox, rights, types
from control_api.guarded import Shelf
from control_api.judge import MODES, named
from control_api.problems import Problem
from runtime import logs
from runtime.sql import Database, SqlError
from runtime.store import StoreError

log = logs.get("control")
AGAIN_MS = 600_000


class Refused(NamedTuple):
    """A start, and what it was answered."""

    account_id: str
    body: types.StartRequest
    device_class: types.DeviceClass
    problem: Problem

    def event(self) -> tuple[str, dict[str, Any]] | None:
        """Its type and data; None for what no rule refused."""
        code, members = self.problem.code, self.problem.members
        device_id = rights.device_key(self.account_id, self.body.device.id)
        data = {"account_id": self.account_id, "device_id": device_id, "reason": code}
        if code == "device_limit":
            return "device.limit_reached", data | {"device_class": self.device_class}
        kind, target_id = named(self.body, None)
        data["kind"] = self.body.mode or MODES[kind]
        data["target_id"] = self.body.event_id or target_id
        if code == "stream_limit":
            return "playback.session.limit_reached", data | {"limit": members["limit"]}
        if "rule" in members:
            return "playback.session.denied", data | {"rule": members["rule"]}
        return None


async def tell(database: Database, shelf: Shelf, refused: Refused, now_ms: int) -> None:
    """What is told is lost where the database is away: the refusal stands without it."""
    made = refused.event()
    if made is None:
        return
    event_type, data = made
    asked = data.get("target_id", "") if event_type == "playback.session.denied" else ""
    key = f"dedup:{data['device_id']}:{data['reason']}:{asked}"
    try:
        if not await shelf.ask(lambda store: store.put_if_absent(key, b"1", AGAIN_MS)):
            return
    except StoreError as error:
        log.warning("refusal_told_again", error=str(error))
    try:
        async with database.change() as ask:
            await outbox.tell(ask, event_type, data, now_ms)
    except SqlError as error:
        log.warning("refusal_untold", kind=event_type, error=str(error))
