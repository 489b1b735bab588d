"""The session operations in a server; each method is the caller of a script in `scripts`."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from runtime import logs
from runtime.clock import Clock
from runtime.store import keys
from runtime.store.interface import Admission, Ended, Pulse, Session, SessionPolicy, StoreError
from runtime.store.replies import refused
from runtime.store.scripted import Run, Scripted

log = logs.get("store")
LEASE_MS = 15_000  # a dead reaper's accounts are looked at again after so long (CTL-108)
BACK = Pulse("readmitted")


class RemoteSessions(Scripted):
    """Base of the store in a server: sessions per account."""

    def __init__(self, clock: Clock, policy: SessionPolicy) -> None:
        super().__init__(clock)
        self._policy = policy

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def _of(self, script: str, account: str, *own: Any) -> Run:
        policy, now_ms = self._policy, self._clock.now_ms()
        return script, keys.account_keys(account), (now_ms, policy.ttl_ms, policy.kept_ms, *own)

    def _look(self, account: str) -> Run:
        """A reaper has to look at the account (again)."""
        now_ms = self._clock.now_ms()
        return "LOOK", [keys.live_key(account)], (now_ms, now_ms + self._policy.ttl_ms, account)

    async def _sessions(self, script: str, account: str, *own: Any) -> Any:
        return (await self._run_all(self._of(script, account, *own)))[0]

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
        own = (limit, session, device, keys.packed(device, detail), *terminate)
        (admitted, rows, ended), _ = await self._run_all(
            self._of("ADMIT", account, *own), self._look(account)
        )
        live = tuple(
            Session(id_.decode(), *keys.unpacked(value), last_seen_ms=int(score))
            for id_, score, value in rows
        )
        return Admission(bool(admitted), live, _ended(account, ended))

    async def heartbeat(
        self, account: str, session: str, *, limit: int, detail: bytes | None = None
    ) -> Pulse:
        given = (0, b"") if detail is None else (1, detail)
        beat, reason = await self._sessions(
            "HEARTBEAT", account, limit, session, self._policy.late_ms, *given
        )
        if beat == b"readmitted":
            await self._run_all(self._look(account))
        return Pulse(beat.decode(), reason.decode())

    async def heartbeats(self, beats: Sequence[tuple[str, str, int]]) -> list[Pulse | StoreError]:
        own = (self._policy.late_ms, 0, b"")
        rows = await self._run_each(
            *(self._of("HEARTBEAT", one, limit, of, *own) for one, of, limit in beats)
        )
        told = [_pulse(row) for row in rows]
        back = [n for n, pulse in enumerate(told) if pulse == BACK]
        if back:
            looked = await self._run_each(*(self._look(beats[n][0]) for n in back))
            for n, reply in zip(back, looked, strict=True):
                if isinstance(reply, ResponseError):
                    told[n] = refused(reply)
        return told

    async def end(self, account: str, session: str, reason: str) -> Ended | None:
        ended = _ended(account, await self._sessions("END", account, session, reason))
        return ended[0] if ended else None

    async def reap(self, *, count: int = 100) -> list[Ended]:
        ended: list[Ended] = []
        now_ms = self._clock.now_ms()
        lease = now_ms + LEASE_MS + 0.5  # no admission ever writes a half millisecond
        for shard in keys.live_keys():
            due = await self._run("CLAIM_DUE", [shard], now_ms, lease, max(count - len(ended), 0))
            for account in (name.decode() for name in due):
                (reply,) = await self._run_each(self._of("REAP_ACCOUNT", account))
                if isinstance(reply, ResponseError):  # its lease stays, and keeps nobody waiting
                    log.error("unreadable", account=account, error=str(refused(reply)))
                    continue
                rows, next_ms = reply
                ended += _ended(account, rows)
                if int(next_ms) < 0:
                    await self._run("FORGET", [shard], account, lease)
                else:
                    await self._lane.ask("ZADD", shard, int(next_ms), account)
        return ended


def _ended(account: str, rows: Sequence[Any]) -> tuple[Ended, ...]:
    return tuple(
        Ended(account, id_.decode(), *keys.unpacked(value), reason=reason.decode())
        for id_, reason, value in rows
    )


def _pulse(row: Any) -> Pulse | StoreError:
    """Of one reply among many."""
    if isinstance(row, ResponseError):
        return refused(row)
    beat, reason = row
    return Pulse(beat.decode(), reason.decode())
