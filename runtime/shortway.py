"""The short way: plain requests are read and answered before aiohttp sees them.

Rules of the file
1. What a listener's `Reader` finds plain is answered here. With the first head that is anything
   else the connection is aiohttp's for good, and its octets with it: one port, and one judge of
   everything unusual. So it is with a body that does not come within `WHOLE_S`. A head that does
   not come within `HEAD_S` closes its connection.
2. Requests of a connection are answered one after the other, in their order (RFC 9112 section
   9.3.2); after `TURN` of them others have theirs. What comes meanwhile waits, up to
   `MAX_WAITING_BYTES`; then the peer does.
3. Who goes away ends the work on what he asked. Who sends nothing and takes nothing for `IDLE_S`
   is closed.
4. A drain lets what is in the making, or next in its turn, be answered, as its connection's last
   (RFC 9112 section 9.6), and taken. What is behind it is not looked at.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Protocol, cast

from native.http.dates import format_date
from runtime.web import IDLE_S, Factory

HEAD_S = 10.0
WHOLE_S = 2.0
MAX_HEAD_BYTES = 8_192
MAX_WAITING_BYTES = 65_536
TURN = 16

Work = Callable[[], Awaitable[bytes]]
# The octets of the answer, or what makes them, or None while the body is not here whole; and the
# end of the request.
Taken = tuple[bytes | Work | None, int]


class Reader(Protocol):
    """Who knows the plain requests of a listener, and answers them."""

    def answer(self, data: bytes, at: int, peer: str) -> Taken | None:
        """The request that begins at `at`; None for what is not plain, or a part of a head."""

    def end(self) -> None:
        """From now on answers say `Connection: close`."""


def is_head(data: bytes) -> bool:
    """Whether a head may be judged; also one of bare line feeds, or of too many octets."""
    return b"\r\n\r\n" in data or b"\n\n" in data or len(data) >= MAX_HEAD_BYTES


@lru_cache(2)
def date(epoch_s: int) -> bytes:
    """What the answers of a second have in their Date field."""
    return format_date(epoch_s)


class ShortWay:
    """What the connections of one listener share (`runtime.web.Front`)."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.draining = False
        self.connections: set[_Connection] = set()
        self.server: Factory = asyncio.Protocol
        self._sweeping: asyncio.TimerHandle | None = None

    def before(self, server: Factory) -> Factory:
        """The protocols of a listener whose unusual connections are the `server`'s."""
        self.server = server
        self.loop = asyncio.get_running_loop()
        self._sweep()
        return lambda: _Connection(self)

    def close(self) -> None:
        """Close who waits for nothing; the others once they are answered."""
        self.draining = True
        self.reader.end()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self.connections):
            connection.close()

    async def drain(self, limit_s: float) -> None:
        """Return when all have their answers; who has not by then is cut."""
        if self.connections:
            await asyncio.wait([each.gone for each in self.connections], timeout=limit_s)
        for connection in list(self.connections):
            connection.cut()

    def _sweep(self) -> None:
        for connection in list(self.connections):
            connection.look()
        self._sweeping = self.loop.call_later(IDLE_S, self._sweep)


class _Connection(asyncio.Protocol):
    """One connection, for as long as its requests are plain."""

    def __init__(self, front: ShortWay) -> None:
        self._front = front
        self._answer = front.reader.answer
        self._transport: asyncio.Transport | None = None
        self.gone: asyncio.Future[None] = front.loop.create_future()
        self._peer = ""
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._needed_bytes = 0  # of the request that is not here whole, once its head tells
        self._patience: asyncio.TimerHandle | None = None  # with its other octets
        self._heard = True
        self._untaken_bytes = 0
        self._writable = True
        self._reading = True
        self._busy: asyncio.Task[None] | asyncio.Handle | None = None  # with what goes before

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self._peer = str(address[0]) if isinstance(address, tuple) else ""
        self._front.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._waiting or self._busy is not None or not self._writable:
            self._hold(data)
        else:
            self._take(data)

    def _hold(self, data: bytes) -> None:
        """Until more is here, or what goes before is done."""
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._busy is None and self._writable:
            if self._waiting_bytes >= self._needed_bytes:
                self._next()
        elif self._waiting_bytes > MAX_WAITING_BYTES and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def _next(self) -> None:
        """Go on with what waits."""
        if self._transport is None or self._transport.is_closing():
            return
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = self._needed_bytes = 0
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Answer what is here whole, in its order."""
        octets: list[bytes] = []
        at = 0
        while at < len(data) and self._busy is None:
            taken = self._answer(data, at, self._peer)
            if taken is None:
                break
            said, end = taken
            if said is None:
                self._needed_bytes = end - at
                break
            at = end
            if not isinstance(said, bytes):
                self._busy = self._front.loop.create_task(self._work(said))
                break
            octets.append(said)
            if self._front.draining:
                break
            if len(octets) == TURN:
                self._busy = self._front.loop.call_soon(self._go_on)
        if octets:
            self._say(b"".join(octets))
        if at and self._patience is not None:
            self._wait_no_longer()
        if at < len(data):
            self._keep(data[at:])

    def _keep(self, rest: bytes) -> None:
        """What is not answered: it has to wait, or is not here whole, or is the server's."""
        self._waiting.append(rest)
        self._waiting_bytes = len(rest)
        if self._busy is not None or not self._writable or self._front.draining:
            return
        if self._needed_bytes:
            self._wait_no_longer()
            self._wait(WHOLE_S, self._hand_over)
        elif is_head(rest):
            self._hand_over()
        else:
            self._wait(HEAD_S, self.cut)

    async def _work(self, work: Work) -> None:
        try:
            octets = await work()
        except BaseException:
            self.cut()
            raise
        self._say(octets)
        self._go_on()

    def _say(self, octets: bytes) -> None:
        if self._transport is not None:
            self._transport.write(octets)
            if self._front.draining:
                self._transport.close()

    def _go_on(self) -> None:
        """Once an answer is made, or others had their turn."""
        self._busy = None
        if self._writable:
            self._next()
        if self._front.draining:
            self.close()

    def _wait(self, limit_s: float, end: Callable[[], None]) -> None:
        if self._patience is None:
            self._patience = self._front.loop.call_later(limit_s, end)

    def _wait_no_longer(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _hand_over(self) -> None:
        transport, rest = self._transport, b"".join(self._waiting)
        assert transport is not None
        self.connection_lost(None)
        heir = self._front.server()
        transport.set_protocol(heir)
        heir.connection_made(transport)
        heir.data_received(rest)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._busy is None:
            self._next()

    def look(self) -> None:
        """Once in `IDLE_S`."""
        if self._transport is None or self._busy is not None:
            return
        before, self._untaken_bytes = self._untaken_bytes, self._transport.get_write_buffer_size()
        if not self._heard and before <= self._untaken_bytes:
            self.cut()
        self._heard = False

    def close(self) -> None:
        if self._busy is None and self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.connections.discard(self)
        self._transport = None
        self._wait_no_longer()
        self.gone.set_result(None)
        busy, self._busy = self._busy, None  # its end holds this: no ring of garbage
        if busy is not None:
            busy.cancel()
