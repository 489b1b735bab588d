"""Active probes: one small GET per pathway and interval, judged against the limits."""

import asyncio
from collections.abc import Mapping

from runtime import logs, metrics
from runtime.clock import Clock
from runtime.fetch import Fetcher, FetchError

from .core import Router
from .health import Outcome

MAX_PROBE_BYTES = 64 << 10

log = logs.get("cdn_router")
PROBES = metrics.counter("router_probes", "probes of pathways", ("pathway", "outcome"))


async def probe_once(
    router: Router, fetcher: Fetcher, targets: Mapping[str, str], slow_ms: float, clock: Clock
) -> None:
    """Probe every target (pathway id -> URL) at the same time and tell the router."""
    await asyncio.gather(
        *(_probe(router, fetcher, name, url, slow_ms, clock) for name, url in targets.items())
    )


async def _probe(
    router: Router, fetcher: Fetcher, name: str, url: str, slow_ms: float, clock: Clock
) -> None:
    begun_s = clock.monotonic_s()
    took_ms: float | None = None
    try:
        answer = await fetcher.get(url, max_bytes=MAX_PROBE_BYTES)
    except FetchError as error:
        outcome = Outcome.FAILED
        detail = error.code
    else:
        took_ms = (clock.monotonic_s() - begun_s) * 1000
        late = Outcome.SLOW if took_ms > slow_ms else Outcome.GOOD
        outcome = late if answer.status < 400 else Outcome.FAILED
        detail = str(answer.status)
    PROBES.labels(name, outcome).inc()
    change = router.probed(name, outcome, took_ms, clock.monotonic_s(), clock.now_ms())
    if change is not None:
        log.warning(
            "pathway_changed",
            pathway=name,
            state=change.state,
            reason=change.reason,
            why=change.why,
            detail=detail,
        )
