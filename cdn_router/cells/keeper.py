"""The part of the router that keeps its cells: a round every half second, alone or with peers."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from runtime import logs, metrics
from runtime.abreast import ended
from runtime.clock import Clock
from runtime.store import Store, StoreError

from ..policies.face import Circuit
from .circuits import Where
from .exchange import CHANNEL, DEAF_S, Exchange
from .state import State

ROUND_S = 0.5
RETRY_S = 0.5

log = logs.get("cdn_router")
CIRCUITS = metrics.counter("router_circuits", "changes of circuits", ("pathway", "state"))
PEERS = metrics.gauge("router_peers", "router nodes heard of")
LINK = metrics.gauge("router_link_up", "1 while nodes hear each other through the store")


class Keeper:
    """Judges the circuits and exchanges sums. `store` is this part's own: it is started here, again
    and again while it is away, so that a router starts and serves without it.
    """

    name = "cells"

    def __init__(
        self,
        state: State,
        node: str,
        clock: Clock,
        store: Store | None = None,
        changed: Callable[[Where, Circuit], None] = lambda _where, _circuit: None,
    ) -> None:
        self.exchange = Exchange(state, node)
        self._state = state
        self._clock = clock
        self._store = store
        self._changed = changed
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        works = [self._rounds()] if self._store is None else [self._rounds(), self._linked()]
        self._tasks = [asyncio.create_task(work) for work in works]

    def ready(self) -> str | None:
        return None if self._tasks and not any(t.done() for t in self._tasks) else "not running"

    async def watch(self) -> None:
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def drain(self) -> None:
        """Keeps its peers informed to the end."""

    async def stop(self) -> None:
        await ended(*self._tasks)
        if self._store is not None:
            await self._store.stop()

    @property
    def linked(self) -> bool:
        """Whether this node heard itself through the store of late."""
        return self._now_s() - self.exchange.heard_s <= DEAF_S

    def _now_s(self) -> float:
        return self._clock.now_ms() / 1000

    async def _rounds(self) -> None:
        while True:
            for (region, cdn), circuit in self._state.look(self._now_s()):
                pathway = self._state.cdns[cdn].id
                log.warning("circuit", region=region, pathway=pathway, state=circuit)
                CIRCUITS.labels(pathway, circuit).inc()
                self._changed((region, cdn), circuit)
            PEERS.set(len(self._state.peers))
            LINK.set(self.linked)
            await asyncio.sleep(ROUND_S)

    async def _linked(self) -> None:
        """Speak and listen for as long as both work, then try again."""
        assert self._store is not None
        while True:
            try:
                await self._store.start()
                async with self._store.subscribe(CHANNEL) as messages, asyncio.TaskGroup() as group:
                    self.exchange.heard_s = self._now_s()
                    telling = group.create_task(self._tell(self._store))
                    async for body in messages:
                        self.exchange.take(body, self._now_s())
                        await asyncio.sleep(0)  # of what has piled up, one at a time
                    telling.cancel()
            except* (StoreError, OSError, TimeoutError) as error:
                log.info("store_away", reason=str(error.exceptions[0]))
            with suppress(StoreError, OSError):
                await self._store.stop()
            await asyncio.sleep(RETRY_S)

    async def _tell(self, store: Store) -> None:
        await store.publish(CHANNEL, self.exchange.hello())
        while self.linked:
            await self.exchange.tell(store, self._now_s())
            await asyncio.sleep(ROUND_S)
        raise StoreError("deaf", "nothing comes back from the store")
