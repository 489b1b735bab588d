"""What the router does beside answering: snapshots and plans, each half second while that is cheap.

Rules of the file
1. Nothing here is awaited by a request; a file that cannot be read or written is logged, and the
   router goes on.
2. The plan file is replaced whole. Its change is seen within a round, so workers and restarts hold
   one plan; a generation that is not newer is not taken.
3. Of a core a `PART` at most goes into this; with many cells rounds come up to `SLOWEST_S` apart.
   What is urgent begins one at once.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from runtime import logs
from runtime.abreast import ended
from runtime.clock import Clock

from .admin.plan import Plan
from .agents import RegionProbes
from .bodies import UNREADABLE
from .cells.commits import Commits
from .cells.state import State
from .core import Router
from .errors import RouterError
from .health import State as HealthState
from .policies.face import Stand
from .tape.recorder import Tape

ROUND_S, SLOWEST_S = 0.5, 1.5
PART = 0.1
MAX_PLAN_BYTES = 1 << 20

log = logs.get("cdn_router")


class Upkeep:
    """A part: keeps a router's snapshot, plan and tape up to date."""

    name = "upkeep"

    def __init__(
        self,
        router: Router,
        cells: State,
        clock: Clock,
        plan_file: Path | None = None,
        tape: Tape | None = None,
        regions: RegionProbes | None = None,
    ) -> None:
        self._router, self._cells, self._clock = router, cells, clock
        self._regions = regions or RegionProbes(router.sites)
        self._plan_file, self._tape = plan_file, tape
        self._commits = Commits(cells.cdns, clock.now_ms() / 1000)
        self._seen_ns = 0
        self._task: asyncio.Task[None] | None = None
        self._urgent = asyncio.Event()
        if tape is not None:
            router.record = tape.record

    async def start(self) -> None:
        self.round()
        self._task = asyncio.create_task(self._forever())

    def ready(self) -> str | None:
        return None if self._task is not None and not self._task.done() else "not running"

    async def watch(self) -> None:
        if self._task is not None:
            await asyncio.shield(self._task)

    async def drain(self) -> None:
        """Goes on until the last answer is given."""

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)
        self._flush()

    def round(self) -> None:
        """Bring everything up to date at once."""
        for _ in self._steps():
            pass

    def hurry(self) -> None:
        """Begin the next round now: what is known changes where sessions must go."""
        self._urgent.set()

    def _steps(self) -> Iterator[None]:
        """The same in steps of a millisecond or two: the next snapshot is planned while the last
        one decides.
        """
        now_ms = self._clock.now_ms()
        self._read_plan(now_ms)
        self._router.tick(now_ms)
        sites = self._router.sites
        names, now_s = list(sites), now_ms / 1000
        down = [site.health.state is HealthState.OUT for site in sites.values()]
        stands = [Stand(site.admin) for site in sites.values()]
        picture = self._cells.snapshot(
            now_ms,
            stands=stands,
            probed_down=lambda region, cdn: (
                down[cdn] or self._regions.down(region, names[cdn], now_s)
            ),
            fill=self._commits.fills,
        )
        self._commits.note([site.load_mbps for site in picture.sites[""]], now_ms / 1000)
        yield
        ready = self._router.upon(picture)
        yield from ready.prepare(self._router.decider)
        before = self._router.decider
        self._router.use(picture, ready)
        self._flush()
        yield from before.retire(self._router.decider)

    def keep(self, plan: Plan) -> None:
        """Write a plan that was accepted to its file."""
        if self._plan_file is None:
            return
        passing = self._plan_file.with_suffix(".new")
        try:
            passing.write_bytes(msgspec.json.encode(plan))
            os.replace(passing, self._plan_file)
            self._seen_ns = self._plan_file.stat().st_mtime_ns
        except OSError as error:
            log.error("plan_not_kept", reason=str(error))

    async def _forever(self) -> None:
        rest_s = ROUND_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._urgent.wait()
            self._urgent.clear()
            spent_s, begun_s = 0.0, self._clock.monotonic_s()
            for _ in self._steps():
                spent_s += self._clock.monotonic_s() - begun_s
                await asyncio.sleep(0)
                begun_s = self._clock.monotonic_s()
            spent_s += self._clock.monotonic_s() - begun_s
            rest_s = min(max(ROUND_S, spent_s / PART), SLOWEST_S)

    def _read_plan(self, now_ms: int) -> None:
        if self._plan_file is None:
            return
        try:
            changed_ns = self._plan_file.stat().st_mtime_ns
            if changed_ns == self._seen_ns:
                return
            self._seen_ns = changed_ns
            with self._plan_file.open("rb") as file:
                plan = msgspec.json.decode(file.read(MAX_PLAN_BYTES), type=Plan)
            if plan.generation > self._router.plans.newest:
                self._router.apply(plan, now_ms)
        except FileNotFoundError:
            return
        except (OSError, *UNREADABLE, RouterError) as error:
            log.error("plan_not_read", reason=str(error))

    def _flush(self) -> None:
        if self._tape is not None:
            self._tape.flush()
