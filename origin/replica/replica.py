"""One machine among several: tells what it writes, copies what others write.

Theory of operation
1. Each worker tells of the channels that it writes (publisher.py), into one bounded stream.
2. One worker of a machine, the one that holds the lock COPIER, reads the stream and keeps copies
   (mirror.py). It holds the lock of every channel that it copies, so that its neighbours follow it
   as they follow any writer, and hand pushes to it; it hands them on to the machine that writes.
3. A push for a channel whose lease ran out makes this machine the writer: the copy becomes the
   channel. The machine that lost it finds the lease gone, and copies from then on.
4. Without the store nothing is told. Writers go on, copies are caught up from their peers every
   second, and nobody takes over, because nobody can tell a dead machine from a lost store.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from origin import metrics
from origin.errors import OriginError
from origin.live.shared import SharedChannels
from origin.replica.entry import Entry, pack, unpack_entry
from origin.replica.leases import Leases, Unknown
from origin.replica.mirror import Mirror
from origin.replica.peer import Peer
from origin.replica.publisher import Publisher
from runtime import logs
from runtime.store import Store, StoreError

COPIER = "+copier"  # no channel's name
STREAM = "live:index"
BLOCK_MS = 1000
AGAIN_S = 1.0
FLUSH_S = 0.002  # changes of one channel that come together are told together

log = logs.get("replica")


class Replica:
    """A part of an origin process (runtime.service)."""

    name = "replica"

    def __init__(
        self,
        channels: SharedChannels,
        store: Store,
        peer: Peer,
        *,
        url: str,
        lease_s: float,
        entries: int,
    ) -> None:
        self.leases = Leases(store, url, lease_s)
        self._channels = channels
        self._store = store
        self._peer = peer
        self._entries = entries
        self._lease_s = lease_s
        self._publisher = Publisher(channels.folder, url)
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._mirrors: dict[str, Mirror] = {}
        self._behind: set[str] = set()
        self._connecting = asyncio.Lock()
        self._connected = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._peer.open()
        self._channels.on_write = self._written
        for work in (self._tell, self._keep, self._copy):
            self._tasks.append(asyncio.create_task(self._forever(work)))

    def ready(self) -> str | None:
        """Never a reason: an origin without its peers still serves."""
        return None

    async def drain(self) -> None:
        """Keeps telling: pushes in flight are finished above."""

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in list(self._channels.writers):
            await self.leases.release(channel)
        await self._peer.close()
        await self._store.stop()

    async def writer(self, channel: str) -> str | None:
        """Before a push: None when this machine writes the channel, else the URL of who does."""
        if channel in self._channels.writers:
            return None
        copied = self._channels.copied.get(channel)
        try:
            await self._connect()
            url = await self.leases.acquire(channel)
        except (OriginError, StoreError) as error:
            if copied is None and self._channels.owners.owner(channel) is None:
                raise Unknown(str(error)) from None
            return copied  # None: a neighbour has it, as writer or as copy
        if url is None and copied is not None:
            log.warning("replica_takes_over", channel=channel, lost=copied)
            self._let_go(channel)
        return url

    def _written(self, channel: str) -> None:
        self._changed[channel] = None
        self._wake.set()

    async def _forever(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await work()
            except (StoreError, OriginError, OSError) as error:
                metrics.REPLICA_ERRORS.labels(work.__name__.strip("_")).inc()
                log.warning("replica_waits", work=work.__name__, error=str(error))
                await asyncio.sleep(AGAIN_S)

    async def _connect(self) -> None:
        async with self._connecting:
            if not self._connected:
                await self._store.start()
                self._connected = True

    async def _tell(self) -> None:
        """Publish what this process wrote."""
        await self._wake.wait()
        await asyncio.sleep(FLUSH_S)
        await self._connect()
        self._wake.clear()
        while self._changed:
            channel = next(iter(self._changed))
            del self._changed[channel]
            if channel in self._channels.writers:
                await self._append(channel)

    async def _append(self, channel: str) -> None:
        entry = self._publisher.entry(channel)
        try:
            await self._store.append(STREAM, pack(entry), max_len=self._entries)
        except StoreError:
            self._publisher.forget(channel)  # the next entry tells that there was more
            self._written(channel)
            raise

    async def _keep(self) -> None:
        """Renew the leases of what this process writes, and give up what it lost."""
        await asyncio.sleep(self._lease_s / 3)
        await self._connect()
        for channel in list(self._channels.writers):
            if not await self.leases.keep(channel):
                log.warning("lease_lost", channel=channel)
                self._publisher.forget(channel)
                self._channels.release(channel)

    async def _copy(self) -> None:
        """Read what others tell; without the store, ask them."""
        if not self._channels.owners.take(COPIER):
            await asyncio.sleep(AGAIN_S)
            return
        try:
            await self._connect()
            group = self.leases.url
            messages = await self._store.read(STREAM, group, group, block_ms=BLOCK_MS)
        except StoreError:
            self._behind |= self._channels.copied.keys()
            await self._catch_up()
            raise
        entries: dict[str, list[Entry]] = {}
        for message in messages:
            entry = unpack_entry(message.body)
            if entry.url != self.leases.url:
                entries.setdefault(entry.channel, []).append(entry)
        await asyncio.gather(*(self._take(name, told) for name, told in entries.items()))
        await self._catch_up()
        if messages:
            await self._store.ack(STREAM, group, [message.id for message in messages])

    async def _take(self, channel: str, entries: list[Entry]) -> None:
        url = entries[-1].url
        mirror = self._mirror(channel, url)
        if mirror is None:
            return
        try:
            for entry in entries:
                began = any(rows.first == 0 for rows in entry.rows)  # others may have left
                if channel not in self._behind and (not await mirror.apply(entry) or began):
                    self._behind.add(channel)
        except OriginError as error:
            metrics.REPLICA_ERRORS.labels("apply").inc()
            log.warning("replica_entry_refused", channel=channel, error=str(error))
            self._behind.add(channel)
        self._channels.copy_changed(channel)

    async def _catch_up(self) -> None:
        for channel in list(self._behind):
            url = self._channels.copied.get(channel)
            if url is None:
                self._behind.discard(channel)
                continue
            try:
                await self._mirrors[channel].catch_up(await self._peer.listing(url, channel))
                self._behind.discard(channel)
            except OriginError as error:
                metrics.REPLICA_ERRORS.labels("catch_up").inc()
                log.warning("replica_behind", channel=channel, error=str(error))
            self._channels.copy_changed(channel)

    def _mirror(self, channel: str, url: str) -> Mirror | None:
        """The copy of a channel that is written at `url`; None when a process here writes it."""
        if self._channels.copied.get(channel) != url:
            if not self._channels.copy(channel, url):
                return None
            fetch = partial(self._peer.fetch, url, channel)
            reset = partial(self._channels.forget, channel)
            self._mirrors[channel] = Mirror(self._channels.folder / channel, fetch, reset)
            self._behind.add(channel)
        return self._mirrors[channel]

    def _let_go(self, channel: str) -> None:
        self._mirrors.pop(channel, None)
        self._behind.discard(channel)
        self._channels.let_go(channel)
