"""A delivery port whose clock the test moves and whose faults it sees."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from native.http import Answer, Entity, Hot, Limits, Request, Server
from native.http.listener import Listener
from native.http.port import Port
from native.http.worker import Worker

DEADLINE_S = 60.0
GOOD = Entity(b"good", content_type="text/plain", cache_control="max-age=1")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Handler = Callable[[Request], Answer | Awaitable[Answer]]


def good(_: Request) -> Answer:
    return GOOD


class Skewed:
    """A loop whose time the test moves; ticks come when the test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now_s = 1000.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def time(self) -> float:
        return self.now_s

    def call_later(self, _delay: float, _call: object) -> asyncio.Handle:
        return self.loop.call_soon(lambda: None)


class Site:
    """One port whose faults, worker and clock a test can see."""

    def __init__(self, server: Server, worker: Worker, clock: Skewed, faults: list[Any]) -> None:
        self.server, self.worker, self.clock, self.faults = server, worker, clock, faults
        self.clients: list[socket.socket] = []

    async def connect(self) -> socket.socket:
        client = socket.socket()
        client.setblocking(False)
        self.clients.append(client)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", self.server.port))
        return client

    async def ask(self, client: socket.socket, data: bytes = GET) -> bytes:
        """What comes back first, b"" at the end of the connection."""
        await asyncio.get_running_loop().sock_sendall(client, data)
        return await self.take(client)

    async def take(self, client: socket.socket) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.get_running_loop().sock_recv(client, 1 << 20)

    async def counted(self, name: str, value: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.server.counters()[name] != value:
                await asyncio.sleep(0.005)

    def tick(self, seconds: float) -> None:
        """Let time pass for the wheel, no more than half a second at once."""
        while seconds > 0:
            self.clock.now_s += 0.5
            seconds -= 0.5
            self.worker.on_tick()


def dateless(head: bytes) -> list[bytes]:
    """Two answers may be of two seconds."""
    return [line for line in head.split(b"\r\n") if not line.startswith(b"Date: ")]


def run(
    scenario: Callable[[Site], Awaitable[None]],
    handler: Handler = good,
    hot: Hot | None = None,
    access_log: Callable[[bytes], None] | None = None,
    limits: Limits | None = None,
) -> list[Any]:
    """Play `scenario` on a port with a skewed clock; what went to the loop's exception handler."""
    faults: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(context.get("exception")))
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        listening.setblocking(False)
        number = listening.getsockname()[1]
        clock: Any = Skewed(loop)
        worker = Worker(clock)
        chosen = limits or Limits(per_address=0)
        port = Port(clock, worker, handler, hot, chosen, access_log)
        server = Server(port, worker, Listener(worker, port, listening.detach()), number)
        site = Site(server, worker, clock, faults)
        try:
            await scenario(site)
        finally:
            for client in site.clients:
                client.close()
            await server.close()

    uvloop.run(main())
    return faults
