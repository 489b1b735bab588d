"""The session operations inside one process; each method is the twin of a script in `scripts`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from runtime.clock import Clock
from runtime.store.interface import Admission, Ended, Pulse, Session, SessionPolicy


@dataclass(frozen=True)
class _Grave:
    session: Session
    reason: str
    at_ms: int


@dataclass
class _Account:
    live: dict[str, Session] = field(default_factory=dict)
    graves: dict[str, _Grave] = field(default_factory=dict)


_NOBODY = _Account()


class MemorySessions:
    """Base of the in-process store: sessions per account."""

    def __init__(self, clock: Clock, policy: SessionPolicy) -> None:
        self._clock = clock
        self._policy = policy
        self._accounts: dict[str, _Account] = {}

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def _due_ms(self, session: Session) -> int:
        return session.last_seen_ms + self._policy.ttl_ms

    def _bury(self, name: str, session: Session, reason: str) -> Ended:
        account = self._accounts[name]
        del account.live[session.id]
        at_ms = self._due_ms(session) if reason == "expired" else self._clock.now_ms()
        account.graves[session.id] = _Grave(session, reason, at_ms)
        return Ended(name, session.id, session.device, session.detail, reason)

    def _expire(self, name: str) -> list[Ended]:
        now_ms = self._clock.now_ms()
        overdue = [s for s in self._accounts[name].live.values() if self._due_ms(s) <= now_ms]
        return [self._bury(name, session, "expired") for session in overdue]

    async def admit(
        self,
        account: str,
        session: str,
        *,
        device: str,
        detail: bytes,
        limit: int,
        terminate: Sequence[str] = (),
    ) -> Admission:
        mine = self._accounts.setdefault(account, _Account())
        ended = self._expire(account)
        for victim in terminate:
            if victim in mine.live:
                ended.append(self._bury(account, mine.live[victim], "terminated"))
        for other in [s for s in mine.live.values() if s.device == device and s.id != session]:
            ended.append(self._bury(account, other, "replaced"))
        admitted = session in mine.live or len(mine.live) < limit
        if admitted:
            mine.graves.pop(session, None)
            mine.live[session] = Session(session, device, detail, self._clock.now_ms())
        return Admission(admitted, tuple(sorted(mine.live.values(), key=_age)), tuple(ended))

    async def heartbeat(
        self, account: str, session: str, *, limit: int, detail: bytes | None = None
    ) -> Pulse:
        now_ms = self._clock.now_ms()
        mine = self._accounts.get(account, _Account())
        known = mine.live.get(session)
        due_ms = self._due_ms(known) if known else 0
        if known is None:
            grave = mine.graves.get(session)
            if grave is None or grave.at_ms + self._policy.kept_ms <= now_ms:
                mine.graves.pop(session, None)
                return Pulse("unknown")
            if grave.reason != "expired":
                return Pulse("ended", grave.reason)
            known, due_ms = grave.session, grave.at_ms
        late = due_ms <= now_ms
        if late:
            if now_ms - due_ms > self._policy.late_ms:
                return Pulse("unknown")
            others = [s for s in mine.live.values() if self._due_ms(s) > now_ms]
            if any(other.device == known.device for other in others):
                return Pulse("ended", "replaced")
            if len(others) >= limit:
                return Pulse("limit")
        mine.graves.pop(session, None)
        mine.live[session] = replace(
            known, last_seen_ms=now_ms, detail=known.detail if detail is None else detail
        )
        return Pulse("readmitted" if late else "live")

    async def heartbeats(self, beats: Sequence[tuple[str, str, int]]) -> list[Pulse]:
        return [await self.heartbeat(account, session, limit=n) for account, session, n in beats]

    async def live(self, sessions: Sequence[tuple[str, str]]) -> list[bool | None]:
        now_ms = self._clock.now_ms()
        known = ((self._accounts.get(account, _NOBODY).live, of) for account, of in sessions)
        return [of in mine and self._due_ms(mine[of]) > now_ms for mine, of in known]

    async def restore(self, account: str, sessions: Sequence[tuple[str, str, bytes]]) -> None:
        """Nothing here is ever unreadable."""

    async def end(self, account: str, session: str, reason: str) -> Ended | None:
        mine = self._accounts.get(account)
        if mine is None or session not in mine.live:
            return None
        return self._bury(account, mine.live[session], reason)

    async def reap(self, *, count: int = 100) -> list[Ended]:
        return [ended for name in list(self._due(count)) for ended in self._expire(name)]

    def _due(self, count: int) -> Iterator[str]:
        """Accounts to look at; those with nothing left to remember are forgotten on the way."""
        now_ms = self._clock.now_ms()
        for name, account in list(self._accounts.items()):
            if any(self._due_ms(session) <= now_ms for session in account.live.values()):
                yield name
                count -= 1
            kept_ms = self._policy.kept_ms
            for grave in [g for g in account.graves.values() if g.at_ms + kept_ms <= now_ms]:
                del account.graves[grave.session.id]
            if not account.live and not account.graves:
                del self._accounts[name]
            if count <= 0:
                return


def _age(session: Session) -> tuple[int, str]:
    return session.last_seen_ms, session.id
