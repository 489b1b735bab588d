"""Requests at a fixed rate, whatever the answers take: each is timed from when it was due.

One keep-alive connection carries one request at a time; a request that is due while all are busy
waits, and its wait counts. Run it on a `loop` of its own: what is due between two milliseconds
leaves there in time.
"""

import asyncio
import contextlib
import gc
import selectors
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast

WARM = 0.2  # the first part of the answers is not counted
MAX_CONNECTIONS = 64
LATE_S = 5.0  # what is not answered so long after the last was due is bad


class Paced(NamedTuple):
    """What came of it: `bad` answers had another status than the one wanted; `cpu_us` is what the
    server spent on each, if somebody looked.
    """

    per_s: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    bad: int
    answers: int
    first_bad: str = ""
    cpu_us: float = 0.0


def loop() -> asyncio.AbstractEventLoop:
    """One that waits by microseconds: epoll does by whole milliseconds, rounded up."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """One HTTP/1.1 request; underscores of header names become hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._got = bytearray()
        self._due_s = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, due_s: float, what: bytes) -> None:
        self._due_s = due_s
        self.transport.write(what)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end:
            return
        _, found, length = head.lower().partition(b"content-length:")
        if found and len(body) < int(length.split(b"\r\n", 1)[0]):
            return
        status, told = int(head[9:12]), bytes(body[:300])
        self._got.clear()
        self._load.answered(self, self._due_s, status, told)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost()


class _Load:
    def __init__(self, make: Callable[[int], bytes], rate: float, seconds: float, want: int):
        self._make, self._rate, self._want = make, rate, want
        self._total = int(rate * seconds)
        self._free: list[_Connection] = []
        self._queue: deque[float] = deque()
        self._sent = self._done = self._bad = 0
        self._first_bad = ""
        self._spent_s: list[float] = []
        self._finished = asyncio.Event()

    async def run(self, port: int) -> Paced:
        loop = asyncio.get_running_loop()
        connections: list[_Connection] = []
        for _ in range(MAX_CONNECTIONS):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", port
            )
            connections.append(connection)
        self._free += connections
        begun_s = time.perf_counter()
        for number in range(self._total):
            due_s = begun_s + number / self._rate
            wait_s = due_s - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._queue.append(due_s)
            self._pump()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LATE_S):
                await self._finished.wait()
        took_s = time.perf_counter() - begun_s
        for connection in connections:
            connection.transport.close()
        spent = sorted(self._spent_s[int(len(self._spent_s) * WARM) :]) or [float("inf")]
        p50, p99, p999 = (1e3 * spent[int(len(spent) * part)] for part in (0.5, 0.99, 0.999))
        never = self._total - self._done
        bad = self._bad + never
        return Paced(self._done / took_s, p50, p99, p999, bad, self._done, self._first_bad)

    def _pump(self) -> None:
        while self._queue and self._free:
            self._free.pop().send(self._queue.popleft(), self._make(self._sent))
            self._sent += 1

    def answered(self, by: _Connection, due_s: float, status: int, told: bytes) -> None:
        self._done += 1
        if status != self._want:
            self._bad += 1
            self._first_bad = self._first_bad or f"{status} {told!r}"
        self._spent_s.append(time.perf_counter() - due_s)
        self._free.append(by)
        self._pump()
        if self._done >= self._total:
            self._finished.set()

    def lost(self) -> None:
        if self._done < self._total:
            self._first_bad = self._first_bad or "a connection was lost"


async def run(
    port: int, make: Callable[[int], bytes], *, rate: float, seconds: float, want: int = 200
) -> Paced:
    """Ask for `make(0)`, `make(1)`, ... at `rate` a second."""
    gc.collect()
    gc.freeze()
    gc.disable()  # the load's own pauses are nobody's latency
    try:
        return await _Load(make, rate, seconds, want).run(port)
    finally:
        gc.enable()
        gc.unfreeze()
