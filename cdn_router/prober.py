"""Active probes: one small GET per pathway and interval, judged against the limits.

With keys a probe carries a token of its own, so that it takes the way of a viewer's request through
the edge's check and cache, not the short one of a refusal.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import cat
from runtime import logs, metrics
from runtime.clock import Clock
from runtime.fetch import Fetcher, FetchError

from .feeds_cmsd import HEADER, suffers
from .health import Change, Outcome

MAX_PROBE_BYTES = 64 << 10
TOKEN_S = 60
REFUSED = (401, 403)

log = logs.get("cdn_router")
PROBES = metrics.counter("router_probes", "probes of pathways", ("pathway", "outcome"))
DURESS = metrics.counter("router_duress", "probes told of duress by CMSD", ("pathway",))


class Target(NamedTuple):
    pathway_id: str
    url: str


class Judge(Protocol):
    """Who is told of each probe, and may change its mind."""

    def probed(
        self, pathway_id: str, outcome: Outcome, took_ms: float | None, now_s: float, now_ms: int
    ) -> Change | None: ...


class Prober:
    def __init__(
        self,
        judge: Judge,
        fetcher: Fetcher,
        targets: Sequence[Target],
        slow_ms: float,
        clock: Clock,
        *,
        keys: cat.KeySet | None = None,
        issuer: str = "",
    ) -> None:
        self._told = judge
        self._fetcher = fetcher
        self._targets = targets
        self._slow_ms = slow_ms
        self._clock = clock
        self._key = keys.signer() if keys is not None else None
        self._issuer = issuer

    async def round(self) -> None:
        """Probe every pathway at the same time and tell the judge."""
        await asyncio.gather(*(self._probe(target) for target in self._targets))

    async def _probe(self, target: Target) -> None:
        begun_s = self._clock.monotonic_s()
        took_ms: float | None = None
        try:
            answer = await self._fetcher.get(
                target.url, self._token(target.url), max_bytes=MAX_PROBE_BYTES
            )
        except FetchError as error:
            outcome, detail = Outcome.FAILED, error.code
        else:
            took_ms = (self._clock.monotonic_s() - begun_s) * 1000
            outcome, detail = self._judge(answer.status, took_ms), str(answer.status)
            if suffers(answer.headers.get(HEADER, ""), self._slow_ms):
                DURESS.labels(target.pathway_id).inc()
                outcome = Outcome.SLOW if outcome is Outcome.GOOD else outcome
        PROBES.labels(target.pathway_id, outcome).inc()
        now_s, now_ms = self._clock.monotonic_s(), self._clock.now_ms()
        change = self._told.probed(target.pathway_id, outcome, took_ms, now_s, now_ms)
        if change is not None:
            log.warning(
                "pathway_changed",
                pathway=target.pathway_id,
                state=change.state,
                reason=change.reason,
                why=change.why,
                detail=detail,
            )

    def _judge(self, status: int, took_ms: float) -> Outcome:
        """Any answer shows a living edge, save its own failure and a refusal of a good token."""
        if status >= 500 or (self._key is not None and status in REFUSED):
            return Outcome.FAILED
        return Outcome.SLOW if took_ms > self._slow_ms else Outcome.GOOD

    def _token(self, url: str) -> dict[str, str]:
        if self._key is None:
            return {}
        now_s = self._clock.now_ms() // 1000
        claims: dict[str | int, object] = {
            "iss": self._issuer,
            "nbf": now_s - 1,
            "exp": now_s + TOKEN_S,
            "catu": {"path": {"exact": urlsplit(url).path}},
            "catm": ["GET"],
        }
        return {cat.transport.HEADER: cat.issue(claims, self._key)}
