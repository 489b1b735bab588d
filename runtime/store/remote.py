"""The store in Redis or Valkey, 7.0 and up: one command or one script per operation.

Traps kept away from (CMP-17): no WATCH; blocking reads and subscriptions have connections of their
own; every call has a time limit; replies are read in RESP2 and RESP3 shape alike. Nothing is
retried here, because a count or an append that timed out may have happened. What is asked often
goes over one connection (`lane`), what has a reply of several shapes through the driver's pool.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import Any, TypeVar, cast

from redis import asyncio as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ServerGone
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as ServerLate

from runtime import clock, tracing
from runtime.store import keys, lane, replies, scripts
from runtime.store.interface import (
    Admission,
    Ended,
    Limit,
    Message,
    Pulse,
    Session,
    SessionPolicy,
    StoreError,
)
from runtime.store.lane import Word

T = TypeVar("T")
SCRIPTS = {
    name: getattr(scripts, name)
    for name in dir(scripts)
    if name.isupper() and not name.startswith("_")
}
SHA1S = {name: sha1(body.encode()).hexdigest() for name, body in SCRIPTS.items()}
START_S = 5.0
LEASE_MS = 15_000  # a dead reaper's accounts are looked at again after so long (CTL-108)


class RedisStore:
    """One server by URL: redis://host:port/db, rediss://..., unix:///path."""

    def __init__(
        self,
        url: str,
        *,
        timeout_ms: int = 100,
        max_connections: int = 64,
        protocol: int = 3,
        clock: clock.Clock = clock.SYSTEM,
        policy: SessionPolicy | None = None,
    ) -> None:
        self.name = "store"
        self._url = url
        self._timeout_s = timeout_ms / 1000
        self._max_connections = max_connections
        self._protocol = protocol
        self._clock = clock
        self._policy = policy or SessionPolicy()
        self._quick: Any = None
        self._waiting: Any = None
        self._lane = lane.Lane(url, self._timeout_s)
        self._loaded = False

    async def start(self) -> None:
        """Connect, load the scripts (CMP-33); a server that is not there is an error."""
        self._quick = self._client(self._max_connections, self._timeout_s)
        self._waiting = self._client(self._max_connections, None)
        self._lane.open()
        async with asyncio.timeout(max(self._timeout_s, START_S)):
            await self._ask(self._quick.ping(), within_s=START_S)
            for body in SCRIPTS.values():
                await self._ask(self._quick.script_load(body), within_s=START_S)
        self._loaded = True

    def _client(self, connections: int, timeout_s: float | None) -> Any:
        pool = driver.BlockingConnectionPool.from_url(
            self._url,
            max_connections=connections,
            timeout=self._timeout_s,
            protocol=self._protocol,
            socket_timeout=timeout_s,
            socket_connect_timeout=max(self._timeout_s, 1.0),
            retry=Retry(NoBackoff(), 0),
        )
        return (_Told if tracing.on() else driver.Redis).from_pool(pool)

    def ready(self) -> str | None:
        return None if self._loaded else "not connected"

    async def drain(self) -> None:
        """Stays usable: requests in flight above may still need it."""

    async def stop(self) -> None:
        self._loaded = False
        await self._lane.close()
        for client in (self._quick, self._waiting):
            if client is not None:
                await client.aclose()

    async def _ask(self, work: Awaitable[T], *, within_s: float | None = None) -> T:
        """What the driver's pool is asked. The driver may swallow a cancellation: it holds."""
        task: Any = asyncio.current_task()
        before = task.cancelling()
        try:
            async with asyncio.timeout(within_s or self._timeout_s):
                answer = await work
        except (ServerLate, TimeoutError):
            raise lane.late() from None
        except (ServerGone, OSError) as error:
            raise lane.gone(error) from None
        except ResponseError as error:
            raise await self._judged(error) from None
        if task.cancelling() > before:
            raise asyncio.CancelledError
        return answer

    async def _judged(self, reply: ResponseError) -> Exception:
        refused = replies.judged(reply)
        if isinstance(refused, replies.Refused) and refused.elsewhere:
            for client in (self._quick, self._waiting):
                await client.connection_pool.disconnect(inuse_connections=False)
        return refused

    async def _run(self, script: str, on: Sequence[str], *arguments: Word) -> Any:
        try:
            return await self._lane.ask("EVALSHA", SHA1S[script], len(on), *on, *arguments)
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):  # a server that was started anew
                raise
        return await self._lane.ask("EVAL", SCRIPTS[script], len(on), *on, *arguments)

    # -- values

    async def get(self, key: str) -> bytes | None:
        value: bytes | None = await self._lane.ask("GET", key)
        return value

    async def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        return list(await self._lane.ask("MGET", *keys)) if keys else []

    async def put(self, key: str, value: bytes, ttl_ms: int | None = None) -> None:
        expiry: Sequence[Word] = () if ttl_ms is None else ("PX", ttl_ms)
        await self._lane.ask("SET", key, value, *expiry)

    async def put_if_absent(self, key: str, value: bytes, ttl_ms: int) -> bool:
        return bool(await self._lane.ask("SET", key, value, "PX", ttl_ms, "NX"))

    async def delete(self, key: str) -> bool:
        return bool(await self._lane.ask("DEL", key))

    async def renew(self, key: str, value: bytes, ttl_ms: int) -> bool:
        return bool(await self._run("RENEW", [key], value, ttl_ms))

    async def release(self, key: str, value: bytes) -> bool:
        return bool(await self._run("RELEASE", [key], value))

    # -- counting and telling

    async def incr_and_publish(self, key: str, channel: str, message: bytes) -> int:
        return int(await self._run("INCR_AND_PUBLISH", [key], channel, message))

    async def publish(self, channel: str, message: bytes) -> None:
        await self._lane.ask("PUBLISH", channel, message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        subscription = self._waiting.pubsub()

        async def messages() -> AsyncIterator[bytes]:
            while True:
                try:
                    message = await subscription.get_message(
                        ignore_subscribe_messages=True, timeout=None
                    )
                except (ServerGone, OSError) as error:
                    raise StoreError("unavailable", type(error).__name__) from None
                if message is not None:
                    yield message["data"]

        try:
            await self._ask(subscription.subscribe(channel))
            await self._ask(subscription.get_message(timeout=self._timeout_s))
            yield messages()
        finally:
            await subscription.aclose()

    async def gcra(
        self, key: str, *, limit: int, period_ms: int, burst: int = 1, cost: int = 1
    ) -> Limit:
        allowed, remaining, retry_ms = await self._run(
            "GCRA", [key], self._clock.now_ms(), limit, period_ms, burst, cost
        )
        return Limit(bool(allowed), remaining, retry_ms)

    # -- streams

    async def append(self, stream: str, body: bytes, *, max_len: int = 100_000) -> str:
        added = await self._lane.ask("XADD", stream, "MAXLEN", "=", max_len, "*", "b", body)
        return str(added.decode())

    async def read(
        self, stream: str, group: str, consumer: str, *, count: int = 100, block_ms: int = 0
    ) -> list[Message]:
        client = self._waiting if block_ms else self._quick
        within_s = self._timeout_s + block_ms / 1000

        def ask() -> Awaitable[Any]:
            return self._ask(
                client.xreadgroup(group, consumer, {stream: ">"}, count, block_ms or None),
                within_s=within_s,
            )

        try:
            reply = await ask()
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self._group(stream, group)
            reply = await ask()
        return [Message(id_, body, 1) for id_, body in _entries(reply)]

    async def _group(self, stream: str, group: str) -> None:
        try:
            await self._ask(self._quick.xgroup_create(stream, group, id="0", mkstream=True))
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> int:
        return int(await self._lane.ask("XACK", stream, group, *ids)) if ids else 0

    async def claim(
        self, stream: str, group: str, consumer: str, *, min_idle_ms: int, count: int = 100
    ) -> list[Message]:
        try:
            idle = await self._ask(
                self._quick.xpending_range(stream, group, "-", "+", count, idle=min_idle_ms)
            )
        except ResponseError as error:
            if str(error).startswith("NOGROUP"):
                return []
            raise
        delivered = {row["message_id"].decode(): row["times_delivered"] for row in idle}
        if not delivered:
            return []
        rows = await self._ask(
            self._quick.xclaim(stream, group, consumer, min_idle_ms, list(delivered))
        )
        return [Message(id_, body, delivered[id_] + 1) for id_, body in _rows(rows)]

    async def pending(self, stream: str, group: str) -> int:
        try:
            return int((await self._ask(self._quick.xpending(stream, group)))["pending"])
        except ResponseError as error:
            if str(error).startswith("NOGROUP"):
                return 0
            raise

    async def lag(self, stream: str, group: str) -> int:
        try:
            groups = await self._ask(self._quick.xinfo_groups(stream))
        except ResponseError as error:
            if str(error).startswith("no such key"):
                return 0
            raise
        for known in groups:
            if known["name"] == group.encode() and known["lag"] is not None:
                return int(known["pending"]) + int(known["lag"])
        return int(await self._ask(self._quick.xlen(stream)))

    # -- playback sessions

    async def _sessions(self, script: str, account: str, *own: Any) -> Any:
        policy = self._policy
        now_ms = self._clock.now_ms()
        on = keys.account_keys(account)
        return await self._run(script, on, now_ms, policy.ttl_ms, policy.kept_ms, *own)

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
        admitted, rows, ended = await self._sessions(
            "ADMIT", account, limit, session, device, keys.packed(device, detail), *terminate
        )
        live = tuple(
            Session(id_.decode(), *keys.unpacked(value), last_seen_ms=int(score))
            for id_, score, value in rows
        )
        if live:
            due_ms = live[0].last_seen_ms + self._policy.ttl_ms
            await self._lane.ask("ZADD", keys.live_key(account), due_ms, account)
        return Admission(bool(admitted), live, _ended(account, ended))

    async def heartbeat(
        self, account: str, session: str, *, limit: int, detail: bytes | None = None
    ) -> Pulse:
        given = (0, b"") if detail is None else (1, detail)
        beat, reason = await self._sessions(
            "HEARTBEAT", account, limit, session, self._policy.late_ms, *given
        )
        if beat == b"readmitted":
            await self._listed(account)
        return Pulse(beat.decode(), reason.decode())

    async def _listed(self, account: str) -> None:
        """A reaper has to look at the account again."""
        due_ms = self._clock.now_ms() + self._policy.ttl_ms
        await self._lane.ask("ZADD", keys.live_key(account), "NX", due_ms, account)

    async def heartbeats(self, beats: Sequence[tuple[str, str, int]]) -> list[Pulse]:
        policy, now_ms = self._policy, self._clock.now_ms()
        times = (now_ms, policy.ttl_ms, policy.kept_ms)
        head = ("EVALSHA", SHA1S["HEARTBEAT"], 3)
        try:
            rows = await self._lane.ask_all(
                [
                    (*head, *keys.account_keys(one), *times, limit, of, policy.late_ms, 0, b"")
                    for one, of, limit in beats
                ]
            )
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return [await self.heartbeat(one, of, limit=limit) for one, of, limit in beats]
        for (account, _, _), (beat, _) in zip(beats, rows, strict=True):
            if beat == b"readmitted":
                await self._listed(account)
        return [Pulse(beat.decode(), reason.decode()) for beat, reason in rows]

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
                rows, next_ms = await self._sessions("REAP_ACCOUNT", account)
                ended += _ended(account, rows)
                if int(next_ms) < 0:
                    await self._run("FORGET", [shard], account, lease)
                else:
                    await self._lane.ask("ZADD", shard, int(next_ms), account)
        return ended


class _Told(driver.Redis):
    """A client with a span for each command; what is asked about stays out of it."""

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        told, untyped = {"db.system.name": "redis"}, cast(Any, super())
        with tracing.span(str(arguments[0]), "client", told):
            return await untyped.execute_command(*arguments, **options)


def _ended(account: str, rows: Sequence[Any]) -> tuple[Ended, ...]:
    return tuple(
        Ended(account, id_.decode(), *keys.unpacked(value), reason=reason.decode())
        for id_, reason, value in rows
    )


def _entries(reply: Any) -> list[tuple[str, bytes]]:
    """XREADGROUP over one stream: RESP2 a list of pairs, RESP3 a map (CMP-17)."""
    if not reply:
        return []
    rows = next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]
    if rows and isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], list | tuple):
        rows = rows[0]
    return _rows(rows)


def _rows(rows: Any) -> list[tuple[str, bytes]]:
    return [(id_.decode(), fields[b"b"]) for id_, fields in rows if fields]
