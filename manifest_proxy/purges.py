"""Purges that operators asked for, heard where the nodes share a store (control-api section 11,
`cdn.purge_requested`).

Rules of the file
1. Events are heard as they are published; what was published while nobody listened is not repeated.
   So every copy is doubted when the listening begins: the origin is asked about it before its next
   use.
2. An event that cannot be read is no purge; nothing that is published ends the listening.
3. A purge is told once for each CDN; it is heard once.
4. What this node shares for outages goes too (`manifest_proxy.ledger`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection

import msgspec

from runtime import logs, metrics
from runtime.service import Background
from runtime.store import Store, StoreError

from .ledger import Ledger
from .upstream import Upstream

LIVE = "evt:live"  # where the control API tells of every event
TYPE = "cdn.purge_requested"
PAUSE_S = 1.0
MAX_HEARD = 256  # purges that are known again

log = logs.get("manifest_proxy")
PURGES = metrics.counter("proxy_purges", "paths that were purged")


class _Data(msgspec.Struct):
    purge_id: str = ""
    paths: list[str] = []


class _Event(msgspec.Struct):
    """What is read of any event."""

    type: str
    data: _Data


_EVENT = msgspec.json.Decoder(_Event)


def below(paths: Collection[str]) -> Callable[[str], bool]:
    """Whether a target is of one of the paths; one that ends in `/` stands for all below it."""
    exact, folders = set(paths), tuple(path for path in paths if path.endswith("/"))

    def purged(target: str) -> bool:
        own = target.partition("?")[0]
        return own in exact or own.startswith(folders)

    return purged


class Purges(Background):
    """`changed` is told after copies went."""

    def __init__(
        self, store: Store, upstream: Upstream, ledger: Ledger, changed: Callable[[], None]
    ) -> None:
        super().__init__("proxy-purges", self._listen)
        self._store = store
        self._upstream = upstream
        self._ledger = ledger
        self._changed = changed
        self._heard: OrderedDict[str, None] = OrderedDict()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._store.subscribe(LIVE) as told:
                    self._upstream.doubt()
                    self._changed()
                    async for raw in told:
                        self.hear(raw)
            except StoreError as error:
                log.warning("purges_unheard", error=str(error))
            await asyncio.sleep(PAUSE_S)

    def hear(self, raw: bytes) -> None:
        """Drop what an event names, if it is a purge."""
        if TYPE.encode() not in raw:
            return
        try:
            event = _EVENT.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("purge_unread", error=str(error))
            return
        if event.type == TYPE and not self._known(event.data.purge_id):
            self._purge(set(event.data.paths))

    def _known(self, purge_id: str) -> bool:
        if not purge_id:
            return False
        known = purge_id in self._heard
        self._heard[purge_id] = None
        if len(self._heard) > MAX_HEARD:
            self._heard.popitem(last=False)
        return known

    def _purge(self, paths: Collection[str]) -> None:
        purged = below(paths)
        self._upstream.purge(purged)
        self._ledger.purge(purged)
        for path in paths:
            log.info("purged", path=path)
        PURGES.inc(len(paths))
        self._changed()
