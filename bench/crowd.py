"""Many plain HTTP/1.1 connections in one epoll loop: a load that costs little beside its server.

Nothing is parsed but the status, the Content-Length and the end of a head; bodies are looked at
only where asked for.
"""

import heapq
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from itertools import count

Answered = Callable[[int, bytes], None]  # status, and the body as far as it was kept

READ_BYTES = 1 << 18


class Crowd:
    """Connections and timers on CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self._epoll = select.epoll()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._room = bytearray(READ_BYTES)

    def connect(self, port: int, *, keep: bool = False) -> "Line":
        """A connection to loopback; `keep` hands bodies to who asked."""
        line = Line(self, socket.create_connection(("127.0.0.1", port)), keep=keep)
        self.lines[line.number] = line
        self._epoll.register(line.number, select.EPOLLIN)
        return line

    def at(self, due_s: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (due_s, next(self._serial), call))

    def run(self, until: Callable[[], bool], limit_s: float) -> bool:
        """Go on until this holds; False when it does not within so many seconds."""
        end_s = time.monotonic() + limit_s
        while not until():
            now_s = time.monotonic()
            while self._timers and self._timers[0][0] <= now_s:
                heapq.heappop(self._timers)[2]()
            if now_s > end_s:
                return False
            next_s = self._timers[0][0] if self._timers else end_s
            for number, events in self._epoll.poll(max(next_s - now_s, 0), 512):
                line = self.lines[number]
                if events & select.EPOLLOUT:
                    line.flush()
                if events & ~select.EPOLLOUT:
                    line.read(self._room)
        return True

    def watch(self, line: "Line", *, writes: bool) -> None:
        events = select.EPOLLIN | (select.EPOLLOUT if writes else 0)
        self._epoll.modify(line.number, events)

    def close(self) -> None:
        for line in self.lines.values():
            line.socket.close()
        self.lines = {}
        self._epoll.close()


class Line:
    """One connection: octets out, answers in, in order."""

    def __init__(self, crowd: Crowd, connected: socket.socket, *, keep: bool) -> None:
        self.socket = connected
        self.number = connected.fileno()
        self.on_answer: Answered = lambda *_: None
        self.on_octets: Callable[[int], None] | None = None  # instead of answers
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._crowd = crowd
        self._keep = keep
        self._out: deque[memoryview] = deque()
        self._sent: Callable[[], None] = lambda: None
        self._status = 0
        self._left = -1  # octets of the body to come; -1 in a head
        self._got = b""

    def send(self, *pieces: bytes, sent: Callable[[], None] = lambda: None) -> None:
        """Queue these octets; `sent` is called when the last of all queued has left."""
        self._out.extend(memoryview(piece) for piece in pieces)
        self._sent = sent
        self.flush()

    def flush(self) -> None:
        """Send what the kernel takes."""
        was = bool(self._out)
        while self._out:
            try:
                taken = self.socket.sendmsg([*self._out][:64])
            except BlockingIOError:
                break
            while taken and taken >= len(self._out[0]):
                taken -= len(self._out.popleft())
            if taken:
                self._out[0] = self._out[0][taken:]
        self._crowd.watch(self, writes=bool(self._out))
        if was and not self._out:
            self._sent()

    def read(self, room: bytearray) -> None:
        """Take what came, and tell each answer that is complete."""
        try:
            size = self.socket.recv_into(room)
        except BlockingIOError:
            return
        if not size:
            raise SystemExit("the server closed a connection of the load")
        if self.on_octets is not None:
            self.on_octets(size)
            return
        if self._left > size and not self._keep:
            self._left -= size
            return
        self._got += bytes(memoryview(room)[:size])
        while self._complete():
            pass

    def _complete(self) -> bool:
        """Take one whole answer off what came."""
        if self._left < 0:
            head, end, rest = self._got.partition(b"\r\n\r\n")
            if not end:
                return False
            lower = head.lower()
            self._status = int(head[9:12])
            self._left = int(lower.partition(b"content-length:")[2].split(b"\r", 1)[0] or 0)
            self._got = rest
        if len(self._got) < self._left:
            if not self._keep:
                self._left, self._got = self._left - len(self._got), b""
            return False
        body, self._got = self._got[: self._left], self._got[self._left :]
        self._left = -1
        self.on_answer(self._status, body)
        return bool(self._got)
