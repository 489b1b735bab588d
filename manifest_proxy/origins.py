"""One answer out of two origins that serve the same: hedged, with a breaker each.

Rules
1. The first origin is asked. When it fails, or has said nothing for `hedge_s`, the second is asked
   too and the first good answer counts. A held playlist is hedged by failure only.
2. An origin that keeps failing is left alone until its breaker probes it.
3. A redirect is followed within the origin that sent it, at most MAX_REDIRECTS times.

Source: manifest-proxy MP-23, MP-31, MP-83; HLS-M3.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urljoin

from runtime.breaker import Breaker, BreakerOpen
from runtime.clock import Clock
from runtime.fetch import Fetched, Fetcher, FetchError

from .errors import UpstreamError

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
DOWN = frozenset({500, 502, 504})  # says that the origin does not work; 503 asks for patience
OUTAGES = frozenset({"refused", "unreachable", "timeout"})
FAILURES = 5
OPEN_S = 2.0


class Down(Exception):
    """The origin does not work."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(str(error))
        self.error = error


class Got(NamedTuple):
    answer: Fetched
    target: str  # after redirects


class Origins:
    def __init__(
        self, fetcher: Fetcher, urls: Sequence[str], clock: Clock, *, hedge_s: float
    ) -> None:
        self._fetcher = fetcher
        self._hedge_s = hedge_s
        self._origins = [
            (
                url,
                Breaker(
                    f"proxy-origin-{at}",
                    failures=FAILURES,
                    open_s=OPEN_S,
                    counts=(Down,),
                    clock=clock,
                ),
            )
            for at, url in enumerate(urls)
        ]

    async def get(self, target: str, headers: Mapping[str, str], *, timeout_s: float | None) -> Got:
        """UpstreamError when no origin has an answer; of several failures the first."""
        waiting = sorted(self._origins, key=lambda one: one[1].state == "open")
        asked: set[asyncio.Task[Got]] = set()
        failures: list[UpstreamError] = []
        try:
            while waiting or asked:
                if waiting:
                    url, breaker = waiting.pop(0)
                    work = self._guarded(url, breaker, target, headers, timeout_s)
                    asked.add(asyncio.create_task(work))
                patience_s = self._hedge_s if waiting and timeout_s is None else None
                done, asked = await asyncio.wait(
                    asked, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    error = task.exception()
                    if error is None:
                        return task.result()
                    if not isinstance(error, UpstreamError):
                        raise error
                    failures.append(error)
            raise failures[0]
        finally:
            for task in asked:
                task.cancel()

    async def _guarded(
        self,
        url: str,
        breaker: Breaker,
        target: str,
        headers: Mapping[str, str],
        timeout_s: float | None,
    ) -> Got:
        try:
            return await breaker.call(lambda: self._ask(url, target, headers, timeout_s))
        except Down as down:
            raise down.error from None
        except BreakerOpen:
            raise UpstreamError("origin_breaker_open", "the origin keeps failing") from None

    async def _ask(
        self, url: str, target: str, headers: Mapping[str, str], timeout_s: float | None
    ) -> Got:
        for _ in range(MAX_REDIRECTS + 1):
            try:
                answer = await self._fetcher.get(url + target, headers, timeout_s=timeout_s)
            except FetchError as error:
                failure = _failure(error)
                raise (Down(failure) if error.code in OUTAGES else failure) from None
            if answer.status in DOWN:
                raise Down(UpstreamError("origin_failed", f"status {answer.status}"))
            if answer.status not in REDIRECTS:
                return Got(answer, target)
            there = urljoin(url + target, answer.headers.get("location", ""))
            if not there.startswith(url + "/") or there == url + target:
                raise UpstreamError("origin_redirect", "a redirect away from the origin")
            target = there[len(url) :]
        raise UpstreamError("origin_redirect", f"more than {MAX_REDIRECTS} redirects")


def _failure(error: FetchError) -> UpstreamError:
    status = 504 if error.code == "timeout" else 502
    return UpstreamError(f"origin_{error.code}", "the origin gave no manifest", status=status)
