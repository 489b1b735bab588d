"""The store in Redis or Valkey, 7.0 and up, one server or a cluster: one command or one script per
operation.

Traps kept away from (CMP-17): no WATCH; blocking reads and subscriptions have connections of their
own; every call has a time limit; replies are read in RESP2 and RESP3 shape alike. Nothing is
retried here, because a count or an append that timed out may have happened. What is asked often
goes over one connection (`lane`), what has a reply of several shapes through the driver's pool.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeVar

from redis.exceptions import ClusterError, RedisClusterException, ResponseError
from redis.exceptions import ConnectionError as ServerGone
from redis.exceptions import TimeoutError as ServerLate

from runtime.clock import SYSTEM, Clock
from runtime.store import clients, keys, lane, replies, scripts
from runtime.store.absent import ABSENT
from runtime.store.cluster import Lanes
from runtime.store.interface import Limit, Message, SessionPolicy, StoreError
from runtime.store.keys import text
from runtime.store.lane import Word
from runtime.store.remote_sessions import RemoteSessions
from runtime.store.replies import Unreadable
from runtime.store.scripted import SCRIPTS, found
from runtime.store.server_clock import ServerClock

T = TypeVar("T")
START_S = 5.0


class RedisStore(RemoteSessions):
    """One server by URL: redis://host:port/db, rediss://..., unix:///path, or the one whom
    Sentinels name (`sentinels`); or the cluster that the server is of, any of its servers being as
    good.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_ms: int = 100,
        max_connections: int = 64,
        protocol: int = 3,
        clock: Clock | None = None,
        policy: SessionPolicy | None = None,
    ) -> None:
        super().__init__(clock or SYSTEM, policy or SessionPolicy())
        self.name = "store"
        self._url = url
        self._timeout_s = timeout_ms / 1000
        self._max_connections = max_connections
        self._protocol = protocol
        self._given = clock
        self._quick: Any = ABSENT
        self._waiting: Any = ABSENT
        self._opened = AsyncExitStack()
        self._loaded = False

    async def start(self) -> None:
        """Connect, load the scripts (CMP-33); a server that is not there is an error. Nobody is
        asked anything else until it is known whether the server is of a cluster.
        """
        async with asyncio.timeout(max(self._timeout_s, START_S)), AsyncExitStack() as opened:
            quick, waiting = self._made(clients.one, opened)
            found: lane.Lane | Lanes = lane.Lane(self._url, self._timeout_s)
            about = await self._ask(quick.info("cluster"), within_s=START_S)
            if about.get("cluster_enabled"):
                await opened.aclose()
                quick, waiting = self._made(clients.many, opened)
                for client in (quick, waiting):
                    await self._ask(client.initialize(), within_s=START_S)
                found = Lanes(self._url, self._timeout_s, quick)
            for body in SCRIPTS.values():
                await self._ask(quick.script_load(body), within_s=START_S)
            opened.push_async_callback(found.close)
            if self._given is None:
                told = ServerClock(lambda: self._ask(quick.eval(scripts.NOW, 1, "clock")))
                self._clock = told
                opened.push_async_callback(told.close)
                await told.learn()
            self._opened = opened.pop_all()
        self._quick, self._waiting, self._lane = quick, waiting, found
        self._loaded = True

    def _made(self, make: Callable[..., Any], opened: AsyncExitStack) -> list[Any]:
        shape = {"connect_s": max(self._timeout_s, 1.0), "protocol": self._protocol}
        made = [
            make(self._url, self._max_connections, within_s=within_s, **shape)
            for within_s in (self._timeout_s, None)
        ]
        for client in made:
            opened.push_async_callback(client.aclose)
        return made

    def ready(self) -> str | None:
        return None if self._loaded else "not connected"

    async def drain(self) -> None:
        """Stays usable: requests in flight above may still need it."""

    async def stop(self) -> None:
        self._loaded = False
        await self._opened.aclose()

    async def _ask(self, work: Awaitable[T], *, within_s: float | None = None) -> T:
        """What the driver's pool is asked. The driver may swallow a cancellation: it holds."""
        task: Any = asyncio.current_task()
        before = task.cancelling()
        try:
            async with asyncio.timeout(within_s or self._timeout_s):
                return await work
        except (ServerLate, TimeoutError):
            raise lane.late() from None
        except (ServerGone, ClusterError, RedisClusterException, OSError) as error:
            raise lane.gone(error) from None
        except ResponseError as error:
            raise await self._judged(error) from None
        finally:
            if task.cancelling() > before:
                raise asyncio.CancelledError

    async def _judged(self, reply: ResponseError) -> Exception:
        refused = replies.judged(reply)
        if isinstance(refused, replies.Refused) and refused.elsewhere:
            with suppress(StoreError, *clients.FAULTS):
                async with asyncio.timeout(self._timeout_s):
                    for client in (self._quick, self._waiting):
                        await clients.anew(client)
        return refused

    # -- values

    async def get(self, key: str) -> bytes | None:
        def ask() -> Awaitable[Any]:
            return self._lane.ask("GET", key)

        try:
            value: bytes | None = await ask()
        except Unreadable as error:
            value = await self._anew(error, [key], ask)
        return value

    async def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        return list(await self._lane.ask("MGET", *keys)) if keys else []

    async def put(self, key: str, value: bytes, ttl_ms: int | None = None) -> None:
        expiry: Sequence[Word] = () if ttl_ms is None else ("PX", ttl_ms)
        await self._lane.ask("SET", key, value, *expiry)

    async def put_if_absent(self, key: str, value: bytes, ttl_ms: int) -> bool:
        return bool(await self._lane.ask("SET", key, value, "PX", ttl_ms, "NX"))

    async def replace(self, key: str, value: bytes, old: bytes | None) -> bool:
        if old is None:
            return bool(await self._lane.ask("SET", key, value, "NX"))
        return bool(await self._run("REPLACE", [key], old, value))

    async def delete(self, key: str) -> bool:
        return bool(await self._lane.ask("DEL", key))

    async def renew(self, key: str, value: bytes, ttl_ms: int) -> bool:
        return bool(await self._run("RENEW", [key], value, ttl_ms))

    async def release(self, key: str, value: bytes) -> bool:
        return bool(await self._run("RELEASE", [key], value))

    # -- counting and telling

    async def incr_and_publish(self, key: str, channel: str, message: bytes) -> int:
        return int(await self._run("INCR_AND_PUBLISH", [key], channel, message))

    async def publish(self, channel: str, *messages: bytes) -> None:
        await self._lane.ask_all([("PUBLISH", channel, message) for message in messages])

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

    async def append_all(
        self, stream: str, bodies: Sequence[bytes], *, max_len: int = 100_000
    ) -> int:
        on = [stream, keys.aside(stream)]
        dropped, foreign = await self._ran("APPEND_ALL", on, max_len, *bodies)
        if foreign:
            found(f"a {text(foreign)}, put aside", stream)
        return int(dropped)

    async def newest(self, stream: str) -> bytes | None:
        rows = await self._lane.ask("XREVRANGE", stream, "+", "-", "COUNT", 1)
        return bytes(rows[0][1][1]) if rows else None

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
        return [Message(id_, body, 1) for id_, body in replies.entries(reply)]

    async def _group(self, stream: str, group: str) -> None:
        try:
            await self._ask(self._quick.xgroup_create(stream, group, id="0", mkstream=True))
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> int:
        return int(await self._lane.ask("XACK", stream, group, *ids)) if ids else 0

    async def drop(self, stream: str, ids: Sequence[str]) -> None:
        if ids:
            await self._lane.ask("XDEL", stream, *ids)

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
        return [Message(id_, body, delivered[id_] + 1) for id_, body in replies.rows(rows)]

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
