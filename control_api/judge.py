"""Who may play what, asked of one process: facts, rules, and what a programme adds (CTL-70..82).

`clear` answers a start or a check, `again` looks at a session that runs (CTL-132). Every deny is
one line in the log with its reason (CTL-114).
"""

from dataclasses import dataclass, replace
from typing import Any

from control_api import rights, sessions, slots, types
from control_api.cases import Cases, Found
from control_api.entitlement import Allowed, Ask, Denied, check
from control_api.issuer import Caller
from control_api.problems import Problem
from control_api.settings import Settings
from control_api.slots import Slot
from runtime import logs
from runtime.sql import Database

log = logs.get("control")
MODES: dict[rights.Kind, types.Mode] = {  # of a session, by what is played
    "channel": "live",
    "content": "vod",
    "recording": "recording",
}


@dataclass(frozen=True, slots=True)
class Cleared:
    """A question that CheckAccess answered with yes."""

    target: rights.Target
    allowed: Allowed
    device_id: str
    device_class: types.DeviceClass
    found: Found
    mode: types.Mode
    slot: Slot | None = None

    @property
    def title(self) -> str:
        return self.slot.title if self.slot else self.target.title

    @property
    def device_known(self) -> bool:
        return self.found.case.facts.device is not None

    @property
    def max_streams(self) -> int:
        return self.found.case.max_streams


class Judge:
    """The questions over the facts that `Cases` keeps."""

    def __init__(self, settings: Settings, database: Database, cases: Cases) -> None:
        self._settings = settings
        self._database = database
        self._cases = cases

    async def clear(
        self,
        caller: Caller,
        body: types.Subject,
        default_class: types.DeviceClass,
        now_ms: int,
    ) -> Cleared:
        kind: rights.Kind = "channel" if body.channel_id else "content"
        if body.recording_id:
            kind = "recording"
        target_id = body.channel_id or body.content_id or body.recording_id or ""
        slot = None
        if body.event_id is not None:
            slot = await self._slot(body.event_id)
            kind, target_id = "channel", slot.channel_id if slot else ""
        device_class = body.device.device_class or default_class
        device_id = rights.device_key(caller.account_id, body.device.id)
        found, verdict = await self._judge(
            caller.account_id, device_id, device_class, kind, target_id, now_ms
        )
        until = slot.begin(now_ms) if slot else None
        verdict = _both(verdict, until)
        if isinstance(verdict, Denied):
            log.info(
                "playback_denied",
                account=caller.account_id,
                target=target_id,
                reason=verdict.code,
                rule=verdict.rule,
            )
            raise Problem(verdict.code, rule=verdict.rule, **verdict.members)
        target = found.case.target
        assert target is not None, "CTL-73 refuses what does not exist"
        return Cleared(
            target,
            verdict,
            device_id,
            device_class,
            found,
            slot.mode(now_ms) if slot else MODES[target.kind],
            slot,
        )

    async def _judge(
        self,
        account_id: str,
        device_id: str,
        platform: str | None,
        kind: rights.Kind,
        target_id: str,
        now_ms: int,
    ) -> tuple[Found, Allowed | Denied]:
        found = await self._cases.get((account_id, device_id, kind, target_id), now_ms)
        known = found.case.facts.device
        platform = platform or (known.device_class if known else "web")
        ask = Ask(now_ms, self._settings.default_country, platform)
        return found, check(found.case.facts, ask)

    async def _slot(self, event_id: str) -> Slot | None:
        async with self._database.read() as connection:
            return await slots.find(connection, event_id)

    async def again(
        self, row: Any, now_ms: int
    ) -> tuple[rights.Case, Allowed | Denied, Slot | None]:
        """A session's rights now: its channel's and its programme's, where it is of one."""
        kind, target_id, slot, until = sessions.TARGETS[row.kind], row.target_id, None, None
        if row.kind in slots.MODES:
            slot = await self._slot(row.target_id)
            target_id = slot.channel_id if slot else ""
            until = slot.go_on(row.kind, now_ms) if slot else None
        found, verdict = await self._judge(
            row.account_id, row.device_id, None, kind, target_id, now_ms
        )
        return found.case, _both(verdict, until), slot


def _both(verdict: Allowed | Denied, until: Denied | int | None) -> Allowed | Denied:
    """A verdict on a channel and, from CTL-78, one on a programme: the first rule that fails."""
    if until is None or (isinstance(verdict, Denied) and verdict.rule < slots.RULE):
        return verdict
    if isinstance(until, Denied):
        return until
    if isinstance(verdict, Denied):
        return verdict
    return replace(verdict, expires_ms=min(verdict.expires_ms, until))
