"""The store inside one process: plain dictionaries. Atomic because no operation awaits half-way."""

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from runtime import clock
from runtime.clock import SteadyClock
from runtime.store.interface import Limit, Message, SessionPolicy
from runtime.store.memory_sessions import MemorySessions

MAX_UNREAD = 1024
SWEEP_EVERY = 1024  # writes between two searches for expired keys
WENT_BACK_MS = 60_000  # no limit counts so far ahead of its burst but by a clock that was wrong


@dataclass
class _Pending:
    consumer: str
    since_s: float
    deliveries: int = 1


@dataclass
class _Group:
    at: tuple[int, int] = (0, 0)
    pending: dict[tuple[int, int], _Pending] = field(default_factory=dict)


@dataclass
class _Stream:
    entries: deque[tuple[tuple[int, int], bytes]] = field(default_factory=deque)
    last: tuple[int, int] = (0, 0)
    groups: defaultdict[str, _Group] = field(default_factory=lambda: defaultdict(_Group))
    grown: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryStore(MemorySessions):
    """The default for a single process (CMP-3); gone with it, so not for production."""

    def __init__(
        self, *, clock: clock.Clock | None = None, policy: SessionPolicy | None = None
    ) -> None:
        super().__init__(clock or SteadyClock(), policy or SessionPolicy())
        self.name = "store"
        self._values: dict[str, tuple[bytes, float]] = {}
        self._writes = 0
        self._cells: dict[str, float] = {}
        self._listeners: defaultdict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)
        self._streams: defaultdict[str, _Stream] = defaultdict(_Stream)

    async def start(self) -> None:
        """Nothing to open."""

    def ready(self) -> str | None:
        return None

    async def drain(self) -> None:
        """Stays usable."""

    async def stop(self) -> None:
        """Nothing to close."""

    # -- values

    def _get(self, key: str) -> bytes | None:
        value, until_s = self._values.get(key, (None, math.inf))
        if until_s <= self._clock.monotonic_s():
            del self._values[key]
            return None
        return value

    def _put(self, key: str, value: bytes, ttl_ms: int | None) -> None:
        now_s = self._clock.monotonic_s()
        self._values[key] = (value, math.inf if ttl_ms is None else now_s + ttl_ms / 1000)
        self._swept()

    def _swept(self) -> None:
        """Once in a while, what has expired is dropped."""
        now_s = self._clock.monotonic_s()
        self._writes += 1
        if self._writes % SWEEP_EVERY == 0:
            for old in [k for k, (_, until_s) in self._values.items() if until_s <= now_s]:
                del self._values[old]
            now_ms = self._clock.now_ms()
            for old in [k for k, tat in self._cells.items() if tat <= now_ms]:
                del self._cells[old]

    async def get(self, key: str) -> bytes | None:
        return self._get(key)

    async def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self._get(key) for key in keys]

    async def put(self, key: str, value: bytes, ttl_ms: int | None = None) -> None:
        self._put(key, value, ttl_ms)

    async def put_if_absent(self, key: str, value: bytes, ttl_ms: int) -> bool:
        if self._get(key) is not None:
            return False
        self._put(key, value, ttl_ms)
        return True

    async def replace(self, key: str, value: bytes, old: bytes | None) -> bool:
        if self._get(key) != old:
            return False
        self._put(key, value, None)
        return True

    async def delete(self, key: str) -> bool:
        there = self._get(key) is not None or key in self._cells
        self._values.pop(key, None)
        self._cells.pop(key, None)
        return there

    async def renew(self, key: str, value: bytes, ttl_ms: int) -> bool:
        if self._get(key) != value:
            return False
        self._put(key, value, ttl_ms)
        return True

    async def release(self, key: str, value: bytes) -> bool:
        return self._get(key) == value and await self.delete(key)

    # -- counting and telling

    async def incr_and_publish(self, key: str, channel: str, message: bytes) -> int:
        count = int(self._get(key) or 0) + 1
        until_s = self._values.get(key, (b"", math.inf))[1]
        self._values[key] = (b"%d" % count, until_s)
        self._tell(channel, message)
        return count

    async def publish(self, channel: str, *messages: bytes) -> None:
        for message in messages:
            self._tell(channel, message)

    def _tell(self, channel: str, message: bytes) -> None:
        for queue in self._listeners.get(channel, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_UNREAD)

        async def messages() -> AsyncIterator[bytes]:
            while True:
                yield await queue.get()

        self._listeners[channel].add(queue)
        try:
            yield messages()
        finally:
            self._listeners[channel].discard(queue)
            if not self._listeners[channel]:
                del self._listeners[channel]

    async def gcra(
        self, key: str, *, limit: int, period_ms: int, burst: int = 1, cost: int = 1
    ) -> Limit:
        now_ms = self._clock.now_ms()
        interval = period_ms / limit
        tat = max(self._cells.get(key, 0.0), now_ms)
        if tat > now_ms + interval * burst + WENT_BACK_MS:
            tat = now_ms
        after = tat + interval * cost
        wait = after - interval * burst - now_ms
        if wait > 0.001:
            return Limit(False, 0, math.ceil(wait - 0.001))
        self._cells[key] = round(after, 3)
        self._swept()
        left = math.floor((now_ms + interval * burst - after) / interval + 0.001)
        return Limit(True, left, 0)

    # -- streams

    async def append(self, stream: str, body: bytes, *, max_len: int = 100_000) -> str:
        log = self._streams[stream]
        log.last = max((self._clock.now_ms(), 0), (log.last[0], log.last[1] + 1))
        log.entries.append((log.last, body))
        while len(log.entries) > max_len:
            log.entries.popleft()
        log.grown.set()
        return _text(log.last)

    async def append_all(
        self, stream: str, bodies: Sequence[bytes], *, max_len: int = 100_000
    ) -> int:
        entries = self._streams[stream].entries
        had = len(entries)
        for body in bodies:
            await self.append(stream, body, max_len=max_len)
        return had + len(bodies) - len(entries)

    async def newest(self, stream: str) -> bytes | None:
        entries = self._streams[stream].entries
        return entries[-1][1] if entries else None

    async def read(
        self, stream: str, group: str, consumer: str, *, count: int = 100, block_ms: int = 0
    ) -> list[Message]:
        log = self._streams[stream]
        readers = log.groups[group]
        deadline_s = asyncio.get_running_loop().time() + block_ms / 1000
        while readers.at >= log.last and block_ms:
            log.grown.clear()
            try:
                async with asyncio.timeout_at(deadline_s):
                    await log.grown.wait()
            except TimeoutError:
                break
        now_s = self._clock.monotonic_s()
        fresh: list[Message] = []
        for id_, body in log.entries:
            if id_ > readers.at and len(fresh) < count:
                readers.at = id_
                readers.pending[id_] = _Pending(consumer, now_s)
                fresh.append(Message(_text(id_), body, 1))
        return fresh

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> int:
        pending = self._streams[stream].groups[group].pending
        return sum(pending.pop(_number(id_), None) is not None for id_ in ids)

    async def drop(self, stream: str, ids: Sequence[str]) -> None:
        log, gone = self._streams[stream], {_number(id_) for id_ in ids}
        log.entries = deque(entry for entry in log.entries if entry[0] not in gone)

    async def claim(
        self, stream: str, group: str, consumer: str, *, min_idle_ms: int, count: int = 100
    ) -> list[Message]:
        log = self._streams[stream]
        pending = log.groups[group].pending
        bodies = dict(log.entries)
        now_s = self._clock.monotonic_s()
        idle = [i for i, p in sorted(pending.items()) if now_s - p.since_s >= min_idle_ms / 1000]
        taken: list[Message] = []
        for id_ in idle[:count]:
            if id_ not in bodies:
                del pending[id_]
                continue
            deliveries = pending[id_].deliveries + 1
            pending[id_] = _Pending(consumer, now_s, deliveries)
            taken.append(Message(_text(id_), bodies[id_], deliveries))
        return taken

    async def pending(self, stream: str, group: str) -> int:
        return len(self._streams[stream].groups[group].pending)

    async def lag(self, stream: str, group: str) -> int:
        log = self._streams[stream]
        readers = log.groups[group]
        return len(readers.pending) + sum(id_ > readers.at for id_, _ in log.entries)


def _text(id_: tuple[int, int]) -> str:
    return f"{id_[0]}-{id_[1]}"


def _number(id_: str) -> tuple[int, int]:
    head, _, tail = id_.partition("-")
    return int(head), int(tail)
