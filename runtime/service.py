"""One process: start its parts in order, serve until told to stop or a part dies, drain, stop,
report an exit code.

Theory of operation
1. `start` runs in the order given. A part may rely on those before it.
2. The first SIGTERM or SIGINT (also during start) begins the drain: every part stops taking new
   work and finishes what is in flight. Drains begin in reverse order and run together, so that no
   listener accepts while another finishes; a draining part must stay usable for the parts above it.
3. `stop` then runs one by one in reverse order and releases what the part holds. Drain and stop
   together end within 10 s (HT-67), whatever the parts do.
4. A second signal skips the rest of the drain.
5. A part that has a `watch` coroutine is watched: when it returns or raises, the part is dead and
   so is the process.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from time import monotonic
from typing import Any, ClassVar, Protocol, runtime_checkable

import uvloop
from aiohttp import web

from runtime import logs, metrics
from runtime.abreast import ended
from runtime.web import Web

__all__ = ["DRAIN_S", "EXIT_FAILURE", "Background", "Part", "Watched", "Web", "run"]

DRAIN_S = 8.0  # parked requests are let go 2 s before the limit (HT-67)
STOP_S = 1.5
ABORT_S = 0.5  # after a second signal
EXIT_FAILURE = 3  # CONTRACT: exit codes

AGAIN_S = 1.0

log = logs.get("runtime")
AGAIN = metrics.counter("background_again", "failures that endless work outlived", ("name",))


class Part(Protocol):
    """Something a process runs. `stop` may follow a `start` that was cancelled half-way."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None:
        """Become usable; raise to refuse."""

    def ready(self) -> str | None:
        """None when ready, else why not, in a few words without secrets."""

    async def drain(self) -> None:
        """Take no new work, finish what is in flight; ends within `DRAIN_S`."""

    async def stop(self) -> None:
        """Release everything."""


@runtime_checkable
class Watched(Protocol):
    """A part that can die by itself."""

    async def watch(self) -> None:
        """Return or raise when the part is dead; cancelled on an ordinary stop."""


class Background:
    """A part that is one endless coroutine, such as a pump or a prober; its end is the part's
    death, save by an error of `outlives`: then it begins again after `AGAIN_S`.
    """

    outlives: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.name = name
        self._work = work
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._forever(), name=self.name)

    async def _forever(self) -> None:
        while True:
            try:
                return await self._work()
            except* self.outlives as failed:
                AGAIN.labels(self.name).inc()
                log.error("background_again", part=self.name, exc_info=failed)
            await asyncio.sleep(AGAIN_S)

    def ready(self) -> str | None:
        return None if self._task is not None and not self._task.done() else "not running"

    async def watch(self) -> None:
        if self._task is not None:
            await asyncio.shield(self._task)

    async def drain(self) -> None:
        """Keeps running: the parts above may still need it."""

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)


def run(name: str, parts: Sequence[Part], *, admin: tuple[str, int] | None = None) -> int:
    """Run a service to its end; returns the process's exit code: 0 stopped as asked, 3 failed.

    `admin` is host and port of a listener of its own for /healthz, /readyz and /metrics.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # CMP-27
        return runner.run(_Service(name, parts, admin).main())


class _Service:
    def __init__(self, name: str, parts: Sequence[Part], admin: tuple[str, int] | None) -> None:
        self._name = name
        self._parts = list(parts)
        if admin is not None:
            host, port = admin
            listener = Web("admin", web.Application(), host=host, port=port, admin_routes=True)
            self._parts.insert(0, listener)
        self._started: list[Part] = []
        self._stopping = asyncio.Event()
        self._abort = asyncio.Event()
        self._failure: str | None = None

    async def main(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        for part in self._parts:
            if isinstance(part, Web):
                part.answer_for(self._not_ready)
        begun = monotonic()
        log.info("service_starting", name=self._name, parts=[p.name for p in self._parts])
        await self._until(self._start(), self._stopping)
        watchers: list[asyncio.Task[None]] = []
        if not self._stopping.is_set():
            log.info("service_started", name=self._name, seconds=round(monotonic() - begun, 3))
            watchers = [
                asyncio.create_task(self._watch(part, part.watch()))
                for part in self._parts
                if isinstance(part, Watched)
            ]
            await self._stopping.wait()
        for watcher in watchers:
            watcher.cancel()
        await self._end()
        if self._failure is None:
            return 0
        print(f"headwater {self._name}: {self._failure}", file=sys.stderr, flush=True)
        return EXIT_FAILURE

    def _on_signal(self, number: signal.Signals) -> None:
        again = self._stopping.is_set()
        if again:
            self._abort.set()
        self._stopping.set()
        log.info("signal", name=self._name, signal=number.name, again=again)

    def _not_ready(self) -> dict[str, str | None]:
        """Each part's reason for not being ready; a stopping process names itself."""
        reasons = {part.name: part.ready() for part in self._parts}
        if self._stopping.is_set():
            reasons["service"] = "stopping"
        return reasons

    def _fail(self, part: Part, error: BaseException | None, what: str) -> None:
        reason = f"{part.name} {what}" + (f": {error or type(error).__name__}" if error else "")
        if self._failure is None:
            self._failure = " ".join(reason.split())
        log.error("part_failed", part=part.name, reason=reason, exc_info=error)
        self._stopping.set()

    async def _start(self) -> None:
        for part in self._parts:
            self._started.append(part)
            begun = monotonic()
            try:
                await part.start()
            except Exception as error:
                self._fail(part, error, "could not start")
                return
            log.info("part_started", part=part.name, seconds=round(monotonic() - begun, 3))

    async def _watch(self, part: Part, life: Awaitable[None]) -> None:
        try:
            await life
        except Exception as error:
            self._fail(part, error, "died")
        else:
            self._fail(part, None, "ended by itself")

    async def _until(self, work: Coroutine[Any, Any, None], event: asyncio.Event) -> None:
        """Run the work to its end, or cancel it as soon as the event is set."""
        task = asyncio.create_task(work)
        waiter = asyncio.create_task(event.wait())
        await asyncio.wait((task, waiter), return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        task.cancel()
        await asyncio.wait((task, waiter))

    async def _end(self) -> None:
        begun = monotonic()
        await self._until(self._drain(), self._abort)
        limit_s = ABORT_S if self._abort.is_set() else STOP_S
        try:
            async with asyncio.timeout(limit_s):
                for part in reversed(self._started):
                    await self._safely(part, part.stop(), "stop")
        except TimeoutError:
            log.warning("stop_cut", name=self._name, limit_s=limit_s)
        if self._abort.is_set() and self._failure is None:
            self._failure = "stopped by a second signal"
        log.info(
            "service_stopped",
            name=self._name,
            seconds=round(monotonic() - begun, 3),
            failure=self._failure,
        )

    async def _drain(self) -> None:
        tasks = [
            asyncio.create_task(self._safely(part, part.drain(), "drain"))
            for part in reversed(self._started)
        ]
        if not tasks:
            return
        try:
            _, late = await asyncio.wait(tasks, timeout=DRAIN_S)
        except asyncio.CancelledError:
            late = set(tasks)
        for task in late:
            task.cancel()
        if late:
            log.warning("drain_cut", name=self._name, late=len(late))
            await asyncio.wait(late, timeout=ABORT_S)

    async def _safely(self, part: Part, work: Awaitable[None], what: str) -> None:
        try:
            await work
        except Exception as error:
            log.error(f"part_{what}_failed", part=part.name, exc_info=error)
