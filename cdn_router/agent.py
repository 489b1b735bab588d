"""An agent of one region: a round of probes, told to every router (RT-8)."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec

from runtime import logs
from runtime.clock import SYSTEM, Clock
from runtime.fetch import Fetcher, FetchError

from .agents import PATH, Probe, Probes
from .health import Outcome
from .prober import Prober, Target

TIMEOUT_S = 5.0

log = logs.get("cdn_router")


class Agent:
    """Use with `async with`. A router that cannot be told is told again next time."""

    def __init__(
        self,
        region: str,
        routers: Sequence[str],
        targets: Sequence[Target],
        slow_ms: float,
        token: str = "",
        clock: Clock = SYSTEM,
    ) -> None:
        self._region = region
        self._routers = [router.rstrip("/") for router in routers]
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._found: list[Probe] = []
        self._probes = Fetcher([target.url for target in targets], timeout_s=TIMEOUT_S)
        self._tells = Fetcher(self._routers, timeout_s=TIMEOUT_S)
        self._prober = Prober(self, self._probes, targets, slow_ms, clock)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Agent":
        await self._open.enter_async_context(self._probes)
        await self._open.enter_async_context(self._tells)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def probed(
        self, pathway_id: str, outcome: Outcome, took_ms: float | None, now_s: float, now_ms: int
    ) -> None:
        """Note a probe: the routers judge."""
        self._found.append(Probe(pathway_id, outcome))

    async def round(self) -> int:
        """Probe all, tell all; how many routers know."""
        self._found = []
        await self._prober.round()
        body = msgspec.json.encode(Probes(self._region, self._found))
        knowing = 0
        for router in self._routers:
            try:
                answer = await self._tells.post(router + PATH, body, self._headers)
            except FetchError as error:
                log.warning("router_not_told", router=router, reason=error.code)
                continue
            knowing += answer.status == 204
            if answer.status != 204:
                log.warning("router_not_told", router=router, status=answer.status)
        return knowing
