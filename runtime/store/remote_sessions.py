"""The session operations in a server; each method is the caller of a script in `scripts`."""

from collections.abc import Sequence
from typing import Any

from runtime.clock import Clock
from runtime.store import keys
from runtime.store.interface import Admission, Ended, Pulse, Session, SessionPolicy
from runtime.store.keys import text
from runtime.store.lane import answered
from runtime.store.replies import Unreadable
from runtime.store.scripted import Run, Scripted, found

LEASE_MS = 15_000  # a dead reaper's accounts are looked at again after so long (CTL-108)
BACK, UNKNOWN = Pulse("readmitted"), Pulse("unknown")


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

    async def _told(self, *calls: Run) -> list[Any]:
        """Answers in one round trip; None is of an account that cannot be read."""
        replies = await self._run_each(*calls)
        for n, (reply, (_, on, _own)) in enumerate(zip(replies, calls, strict=True)):
            if isinstance(reply, Unreadable):
                found(reply, on[0])
                replies[n] = None
        return answered(replies)

    async def _indexed(self, *looks: Run) -> None:
        """Reapers will look; an index that cannot be read is begun anew."""
        for look, reply in zip(looks, await self._run_each(*looks), strict=True):
            await self._heard(look, reply)

    async def _heard(self, look: Run, reply: Any) -> None:
        if isinstance(reply, Unreadable):
            script, on, own = look
            await self._run(script, on, *own)
        else:
            answered([reply])

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
        call, look = self._of("ADMIT", account, *own), self._look(account)
        reply, looked = await self._run_each(call, look)
        await self._heard(look, looked)
        if isinstance(reply, Unreadable):
            found(reply, call[1][0])
            return Admission(False, (), (), unreadable=True)
        admitted, rows, ended = answered([reply])[0]
        now_ms = self._clock.now_ms()
        live = tuple(
            Session(text(id_), *keys.unpacked(value), last_seen_ms=_seen_ms(score, now_ms))
            for id_, score, value in rows
        )
        return Admission(bool(admitted), live, _ended(account, ended))

    async def heartbeat(
        self, account: str, session: str, *, limit: int, detail: bytes | None = None
    ) -> Pulse:
        given = (0, b"") if detail is None else (1, detail)
        own = (limit, session, self._policy.late_ms, *given)
        (row,) = await self._told(self._of("HEARTBEAT", account, *own))
        pulse = _pulse(row)
        if pulse == BACK:
            await self._indexed(self._look(account))
        return pulse

    async def heartbeats(self, beats: Sequence[tuple[str, str, int]]) -> list[Pulse]:
        own = (self._policy.late_ms, 0, b"")
        calls = [self._of("HEARTBEAT", one, limit, of, *own) for one, of, limit in beats]
        told = [_pulse(row) for row in await self._told(*calls)]
        back = [self._look(beats[n][0]) for n, pulse in enumerate(told) if pulse == BACK]
        if back:
            await self._indexed(*back)
        return told

    async def live(self, sessions: Sequence[tuple[str, str]]) -> list[bool | None]:
        after_ms = self._clock.now_ms() - self._policy.ttl_ms
        scores = await self._lane.ask_each(
            [("ZSCORE", keys.account_keys(account)[0], of) for account, of in sessions]
        )
        answered([each for each in scores if not isinstance(each, Unreadable)])
        return [
            None if isinstance(score, Unreadable) else score is not None and float(score) > after_ms
            for score in scores
        ]

    async def restore(self, account: str, sessions: Sequence[tuple[str, str, bytes]]) -> None:
        own = [
            word for of, device, detail in sessions for word in (of, keys.packed(device, detail))
        ]
        script, on, values = self._of("RESTORE", account, *own)
        await self._run(script, on, *values)
        await self._indexed(self._look(account))

    async def end(self, account: str, session: str, reason: str) -> Ended | None:
        (rows,) = await self._told(self._of("END", account, session, reason))
        ended = _ended(account, rows or ())
        return ended[0] if ended else None

    async def reap(self, *, count: int = 100) -> list[Ended]:
        ended: list[Ended] = []
        now_ms = self._clock.now_ms()
        lease = now_ms + LEASE_MS + 0.5  # no admission ever writes a half millisecond
        for shard in keys.live_keys():
            due = await self._run("CLAIM_DUE", [shard], now_ms, lease, max(count - len(ended), 0))
            for name in due:
                account = text(name)
                (reply,) = await self._told(self._of("REAP_ACCOUNT", account))
                rows, next_ms = reply or ((), -1)  # who cannot be read waits for its next start
                ended += _ended(account, rows)
                if int(next_ms) < 0:
                    await self._run("FORGET", [shard], name, lease)
                else:
                    await self._lane.ask("ZADD", shard, int(next_ms), name)
        return ended


def _ended(account: str, rows: Sequence[Any]) -> tuple[Ended, ...]:
    return tuple(
        Ended(account, text(id_), *keys.unpacked(value), reason=text(reason))
        for id_, reason, value in rows
    )


def _pulse(row: Any) -> Pulse:
    if row is None:
        return UNKNOWN
    beat, reason = row
    return Pulse(beat.decode(), text(reason))


def _seen_ms(score: bytes, now_ms: int) -> int:
    """Whoever wrote it: not before 1970, nor in a time to come."""
    return int(min(max(float(score), 0), now_ms))
