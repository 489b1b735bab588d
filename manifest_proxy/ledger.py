"""What this node knows of silent sources, shared with other nodes where there is a store.

No request waits for the store, save the first one for a channel, and those for playlists that the
origin does not give and this node never had. Without a store each node knows what it saw itself.
A purge takes back what the nodes that hear it know to be shared; of a playlist that only a node
knew that has ended, the others may show what it saw for `KEEP_MS` more, while the origin is down.
Source: manifest-proxy MP-45, MP-46, MP-62.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Mapping

import msgspec

from runtime import logs
from runtime.clock import Clock
from runtime.store import Store, StoreError

from .outages import Channel, Shown, Told

KEEP_MS = 24 * 3600 * 1000
SHARE_MS = 1000  # while a source is silent, at most as often
MAX_CHANNELS = 1024

log = logs.get("manifest_proxy")


class Entry:
    """A channel, what was last shared of it and when, and whether that is under way; `learnt` is
    what all of its first requests wait for.
    """

    def __init__(self) -> None:
        self.channel = Channel()
        self.shared = b""
        self.shared_ms = 0
        self.sharing = False
        self.learnt: asyncio.Task[None] | None = None


class Ledger:
    def __init__(self, clock: Clock, store: Store | None = None) -> None:
        self._clock = clock
        self._store = store
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._bodies: dict[str, bytes] = {}  # shared, as far as this node knows, by target
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self, name: str, told: Told, patience: float, loop: int) -> Shown:
        """What viewers of a channel meet now, by one of its playlists (`Channel.look`)."""
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = Entry()
            if len(self._entries) > MAX_CHANNELS:
                self._entries.popitem(last=False)
            entry.learnt = self._begin(self._share(name, entry))
        self._entries.move_to_end(name)
        if entry.learnt is not None and not entry.learnt.done():
            await asyncio.shield(entry.learnt)
        now_ms = self._clock.now_ms()
        shown = entry.channel.look(told, now_ms, patience, loop)
        news = msgspec.json.encode(entry.channel) != entry.shared
        silent = shown.end is not None and now_ms - entry.shared_ms >= SHARE_MS
        if (news or silent) and not entry.sharing:
            self._begin(self._share(name, entry))
        return shown

    def keep(self, target: str, body: bytes) -> None:
        """A playlist for nodes that may need it when the origin has none."""
        if self._store is None or self._bodies.get(target) == body:
            return
        self._note(target, body)
        self._begin(self._put(target, body))

    def _note(self, target: str, body: bytes) -> None:
        if len(self._bodies) >= MAX_CHANNELS:
            self._bodies.clear()
        self._bodies[target] = body

    async def _put(self, target: str, body: bytes) -> None:
        assert self._store is not None
        try:
            await self._store.put(f"proxy:last:{target}", body, KEEP_MS)
        except StoreError as error:
            log.warning("not_shared", code=error.code)

    async def last(self, target: str) -> bytes | None:
        """What some node saw last of a playlist."""
        try:
            body = await self._store.get(f"proxy:last:{target}") if self._store else None
        except StoreError:
            return None
        if body is not None:
            self._note(target, body)
        return body

    def purge(self, purged: Callable[[str], bool]) -> None:
        """Take back what is shared of such targets."""
        gone = {target: body for target, body in self._bodies.items() if purged(target)}
        for target in gone:
            del self._bodies[target]
        if gone:
            self._begin(self._take_back(gone, self._tasks.copy()))

    async def _take_back(
        self, bodies: Mapping[str, bytes], before: Collection[asyncio.Task[None]]
    ) -> None:
        """What came into its place since `before` stays."""
        await asyncio.gather(*before, return_exceptions=True)
        try:
            for target, body in bodies.items():
                assert self._store is not None
                await self._store.release(f"proxy:last:{target}", body)
        except StoreError as error:
            log.warning("not_taken_back", code=error.code)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _share(self, name: str, entry: Entry) -> None:
        """Learn what others know, and tell them what they do not."""
        if self._store is None:
            return
        key = f"proxy:silence:{name}"
        entry.sharing = True
        try:
            theirs = await self._store.get(key)
            if theirs is not None:
                entry.channel.learn(msgspec.json.decode(theirs, type=Channel))
            mine = msgspec.json.encode(entry.channel)
            if mine != theirs and entry.channel.newest >= 0:
                await self._store.put(key, mine, KEEP_MS)
            entry.shared, entry.shared_ms = mine, self._clock.now_ms()
        except (StoreError, ValueError) as error:
            log.warning("not_shared", code=getattr(error, "code", "malformed"))
        finally:
            entry.sharing = False
