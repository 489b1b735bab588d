"""serve() and Server: sockets in, drained sockets out."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from native.http.desk import Desk
from native.http.entity import Entity, Refusal
from native.http.gate import Parked
from native.http.growing import Growing
from native.http.hot import Hot
from native.http.limits import Limits
from native.http.listener import Listener
from native.http.port import Port
from native.http.request import Request
from native.http.stream import Stream
from native.http.worker import Worker

Answer = Entity | Refusal | Growing | Parked | Stream
Handler = Callable[[Request], Answer | Awaitable[Answer]]
Guard = Callable[[Request], Answer | None]

BACKLOG = 4096  # HT-139
RELEASE_S = 2.0  # HT-67: parked requests are answered so long before the limit


class Server:
    """One delivery port in one process."""

    def __init__(self, port: Port, worker: Worker, listener: Listener, number: int) -> None:
        self._port = port
        self._worker = worker
        self._listener = listener
        self.port = number

    def counters(self) -> dict[str, int]:
        """Everything counted since start, by flat name (HT-162)."""
        return self._port.counters()

    def dress(self, headers: Sequence[tuple[str, str]]) -> None:
        """Fields that every answer carries from now on, behind its date."""
        self._port.set_dress(headers)

    def load(self) -> tuple[float, float]:
        """Shares in use: of the connections by parked requests, of the queue ceiling by octets."""
        return self._port.load()

    async def drain(self, seconds: float) -> None:
        """Stop accepting and finish what runs, within `seconds` (HT-67); then close()."""
        self._listener.stop()
        self._port.start_drain()
        if not await self._empty(seconds - RELEASE_S):
            for connection in list(self._port.connections):
                connection.release()
            await self._empty(min(seconds, RELEASE_S))
        await self.close()

    async def _empty(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._port.emptied.wait(), max(seconds, 0))
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Close every connection now; bodies without an end are cut so that it shows (HT-114)."""
        self._listener.stop()
        for connection in list(self._port.connections):
            connection.finish()
        self._worker.shut()


async def serve(
    handler: Handler,
    *,
    host: str,
    port: int,
    hot: Hot | None = None,
    limits: Limits | None = None,
    reuse_port: bool = False,
    access_log: Callable[[bytes], None] | None = None,
    guard: Guard | None = None,
    desk: Desk | None = None,
) -> Server:
    """Answer GET, HEAD and OPTIONS on host:port (0: any free port) with `handler`.

    A handler returns an answer, or an awaitable of one; a plain return makes no task. Objects in
    `hot` are answered without it, then what `desk` answers. A `guard` is asked before all; what it
    returns is the answer.
    `reuse_port`: several processes share the port (HT-145). `access_log` gets JSON lines (HT-160),
    many at once, twice a second.
    """
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if reuse_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.setblocking(False)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    number: int = listening.getsockname()[1]
    loop = asyncio.get_running_loop()
    worker = Worker(loop)
    shared = Port(loop, worker, handler, hot, limits or Limits(), access_log, guard, desk)
    return Server(shared, worker, Listener(worker, shared, listening.detach()), number)
