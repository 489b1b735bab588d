"""Who may play what, asked of one process: facts, rules, and what a programme adds (CTL-70..82).

`clear` answers a start or a check, `again` looks at a session that runs (CTL-132). Every deny is
one line in the log with its reason (CTL-114).
"""

from dataclasses import dataclass, replace
from typing import Any

from control_api import rights, sessions, slots, types
from control_api.cases import Cases, Found, Question
from control_api.entitlement import Allowed, Denied, check, needs_pin
from control_api.facts import Ask, Span
from control_api.issuer import Caller, Passwords
from control_api.parental import Parents
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
    pin_passed: bool = False

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

    def __init__(
        self, settings: Settings, database: Database, cases: Cases, passwords: Passwords
    ) -> None:
        self._settings = settings
        self._database = database
        self._cases = cases
        self.parents = Parents(database, passwords, settings.parental, cases.epoch)

    async def clear(
        self,
        caller: Caller,
        body: types.Subject,
        default_class: types.DeviceClass,
        now_ms: int,
    ) -> Cleared:
        """The yes to a check or a start; else its problem."""
        slot = await self._slot(body.event_id) if body.event_id is not None else None
        kind, target_id = named(body, slot)
        device_class = body.device.device_class or default_class
        device_id = rights.device_key(caller.account_id, body.device.id)
        question = (caller.account_id, device_id, kind, target_id)
        found, ask = await self._asked(question, caller.country, device_class, slot, now_ms)
        ask = await self._limited(ask, found, caller.account_id, body.profile_id)
        verdict = check(found.case.facts, ask)
        if needs_pin(verdict) and body.pin is not None:
            ask = await self._opened(ask, caller.account_id, body.profile_id, body.pin)
            verdict = check(found.case.facts, ask)
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
        mode = slot.mode(now_ms) if slot else MODES[target.kind]
        if body.mode not in (None, mode):
            raise Problem("invalid", f"this is played in mode {mode}")
        return Cleared(
            target,
            verdict,
            device_id,
            device_class,
            found,
            mode,
            slot,
            ask.limit is not None and ask.limit.passed,
        )

    async def again(
        self, row: Any, now_ms: int
    ) -> tuple[rights.Case, Allowed | Denied, Slot | None]:
        """A session's rights now: its channel's and its programme's, where it is of one."""
        kind, target_id, slot, until = sessions.TARGETS[row.kind], row.target_id, None, None
        if row.kind in slots.MODES:
            slot = await self._slot(row.target_id)
            target_id = slot.channel_id if slot else ""
            until = slot.go_on(row.kind, now_ms) if slot else None
        question = (row.account_id, row.device_id, kind, target_id)
        found, ask = await self._asked(question, row.country, None, slot, now_ms)
        passed = row.pin_passed
        ask = await self._limited(ask, found, row.account_id, row.profile_id, passed=passed)
        return found.case, _both(check(found.case.facts, ask), until), slot

    async def _asked(
        self,
        question: Question,
        country: str,
        platform: str | None,
        slot: Slot | None,
        now_ms: int,
    ) -> tuple[Found, Ask]:
        """The facts, and the question to them but for the viewer's limit."""
        found = await self._cases.get(question, now_ms)
        known, target = found.case.facts.device, found.case.target
        return found, Ask(
            now_ms,
            country,
            platform or (known.device_class if known else "web"),
            watched(slot, target),
            slot.age if slot else 0,
        )

    async def _limited(
        self,
        ask: Ask,
        found: Found,
        account_id: str,
        profile_id: str | None,
        *,
        passed: bool = False,
    ) -> Ask:
        """Who watches is looked at where it matters."""
        if not ask.age and not found.case.facts.ages:
            return ask
        limit = await self.parents.limit(account_id, profile_id, ask.now_ms, passed=passed)
        return replace(ask, limit=limit)

    async def _opened(self, ask: Ask, account_id: str, profile_id: str | None, pin: str) -> Ask:
        """The question once its PIN was the right one."""
        guard = await self.parents.guard(account_id, profile_id, ask.now_ms)
        if guard is None or ask.limit is None:
            return ask
        await self.parents.open(guard, pin, ask.now_ms)
        return replace(ask, limit=replace(ask.limit, passed=True))

    async def _slot(self, event_id: str) -> Slot | None:
        async with self._database.read() as connection:
            return await slots.find(connection, event_id)


def named(body: types.Subject, slot: Slot | None) -> tuple[rights.Kind, str]:
    """Whose rights count: a programme's are its channel's; nobody's if the guide has it not."""
    if body.event_id is not None:
        return "channel", slot.channel_id if slot else ""
    if body.recording_id is not None:
        return "recording", body.recording_id
    if body.channel_id is not None:
        return "channel", body.channel_id
    return "content", body.content_id or ""


def watched(slot: Slot | None, target: rights.Target | None) -> Span | None:
    """When what is watched was on air; None for what is now, and for titles."""
    if slot is not None:
        return slot.start_ms, slot.end_ms
    return target.watched_ms if target is not None else None


def _both(verdict: Allowed | Denied, until: Denied | int | None) -> Allowed | Denied:
    """A verdict on a channel and, from CTL-78, one on a programme: the first rule that fails."""
    if until is None or (isinstance(verdict, Denied) and verdict.rule < slots.RULE):
        return verdict
    if isinstance(until, Denied):
        return until
    if isinstance(verdict, Denied):
        return verdict
    return replace(verdict, expires_ms=min(verdict.expires_ms, until))
