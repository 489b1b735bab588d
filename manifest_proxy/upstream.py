"""The origin's manifests, fetched once per version: single flight, freshness, bounded staleness.

Rules
1. A copy is fresh for its `s-maxage` or `max-age`; then it is revalidated by its ETag.
2. While the origin fails, a copy is served for at most `stale_if_error_s` beyond that, and the
   origin is asked again at most once per `RETRY_S`.
3. A copy that has just expired is served once more while the next one is fetched, for at most its
   own lifetime and `stale_while_revalidate_s`.
4. What operators purge is dropped at once, with its right to be served in an outage; who asks
   later gets nothing that the origin was asked for before.
5. What one origin version compiles to is kept with it: a new version forgets it.

Source: manifest-proxy MP-24, MP-31, MP-34, MP-43, MP-44, MP-80; RFC 9111 section 4.2.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from native.hls import PlaylistError
from runtime import metrics
from runtime.clock import Clock
from runtime.fetch import Fetched, Fetcher
from runtime.flight import SingleFlight

from .copies import Copies
from .errors import UpstreamError
from .hls_watermark import is_media
from .origins import Got, Origins
from .urls import Url

RETRY_S = 1.0
MAX_COHORTS = 128  # compiled bodies kept per version
FRESHNESS = re.compile(r"(?:^|[,\s])(s-maxage|max-age)=\"?([0-9]{1,9})")
PASSED_ON = frozenset(
    {400, 404, 410, 425, 503}
)  # what the origin means, a player should hear (O20)

Group = TypeVar("Group")

FETCHES = metrics.counter("proxy_origin_fetches", "requests to the origin", ("outcome",))


@dataclass(slots=True)
class Version:
    """One version of a manifest, and what it compiled to by cohort."""

    body: bytes
    url: Url
    etag: str
    fresh_until_s: float
    lifetime_s: float = 0.0
    retry_at_s: float = 0.0
    compiled: dict[Hashable, Copies] = field(default_factory=dict)
    audiences: WeakValueDictionary[Hashable, Any] = field(
        default_factory=WeakValueDictionary  # they know the version
    )
    media: bool | None = None

    @property
    def until_s(self) -> float:
        """When the origin is to be asked again."""
        return max(self.fresh_until_s, self.retry_at_s)

    @property
    def is_media(self) -> bool:
        """Of a playlist in HLS, whether it is one of segments."""
        if self.media is None:
            try:
                self.media = is_media(self.body)
            except PlaylistError:
                self.media = False  # what is wrong shows when it is compiled
        return self.media

    def audience(self, cohort: Hashable, gather: Callable[[], Group]) -> Group:
        """The viewers of a cohort, gathered once while anybody knows them."""
        found: Group | None = self.audiences.get(cohort)
        if found is None:
            found = self.audiences[cohort] = gather()
        return found

    def compiled_for(self, cohort: Hashable, make: Callable[[], Copies]) -> Copies:
        found = self.compiled.get(cohort)
        if found is None:
            if len(self.compiled) >= MAX_COHORTS:
                del self.compiled[next(iter(self.compiled))]
            found = self.compiled[cohort] = make()
        return found


class Upstream:
    """`target` names a manifest below the origin: path and the query that it depends on."""

    def __init__(
        self,
        fetcher: Fetcher,
        origin_url: str,
        clock: Clock,
        *,
        stale_if_error_s: float,
        blocking_timeout_s: float,
        stale_while_revalidate_s: float = 0.0,
        backup_url: str = "",
        hedge_s: float = 0.3,
        capacity: int,
        capacity_bytes: int,
    ) -> None:
        urls = [origin_url, backup_url] if backup_url else [origin_url]
        self._origins = Origins(fetcher, urls, clock, hedge_s=hedge_s)
        self._origin_url = origin_url
        self._clock = clock
        self._stale_if_error_s = stale_if_error_s
        self._stale_while_revalidate_s = stale_while_revalidate_s
        self._refreshing: dict[str, asyncio.Task[Version]] = {}
        self._blocking_timeout_s = blocking_timeout_s
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._held: OrderedDict[str, Version] = OrderedDict()
        self._held_bytes = 0
        self._flights: SingleFlight[tuple[str, int], Version] = SingleFlight()
        self._purged = 0

    def purge(self, purged: Callable[[str], bool]) -> None:
        """Drop what is held of such targets; what is on its way goes to those who asked for it and
        no further.
        """
        self._purged += 1
        for target in [each for each in self._held if purged(each)]:
            self._held_bytes -= len(self._held.pop(target).body)

    def doubt(self) -> None:
        """Let the origin be asked about every copy before its next use: what it is about to say
        makes none fresh.
        """
        self._purged += 1
        now_s = self._clock.monotonic_s()
        for version in self._held.values():
            asked_s = now_s - self._grace_s(version)
            version.fresh_until_s = min(version.fresh_until_s, asked_s)

    def fresh(self, target: str) -> Version | None:
        """A copy that may be used without asking: fresh, or stale during an outage."""
        version = self._held.get(target)
        now_s = self._clock.monotonic_s()
        if version is None:
            return None
        if now_s >= version.until_s:
            if now_s >= version.fresh_until_s + self._grace_s(version):
                return None
            self._refresh(target)
        self._held.move_to_end(target)
        return version

    def _grace_s(self, version: Version) -> float:
        """For how long one that has expired is served while the next one is fetched."""
        return min(self._stale_while_revalidate_s, version.lifetime_s)

    def _refresh(self, target: str) -> None:
        """Ask behind the viewers' backs; a failure shows when the grace is over."""
        if target not in self._refreshing:
            task = asyncio.create_task(self._asked(target))
            self._refreshing[target] = task
            task.add_done_callback(lambda task: self._refreshed(target, task))

    def _refreshed(self, target: str, task: asyncio.Task[Version]) -> None:
        del self._refreshing[target]
        if not task.cancelled():
            task.exception()

    def last(self, target: str) -> Version | None:
        """The copy that is held, however old."""
        return self._held.get(target)

    def adopt(self, target: str, body: bytes) -> Version:
        """A copy that another node had."""
        version = Version(body, Url.parse(self._origin_url + target), "", 0.0)
        self._hold(target, version)
        return version

    async def get(self, target: str) -> Version:
        """The current version; UpstreamError when there is none to be had."""
        return self.fresh(target) or await self._asked(target)

    async def _asked(self, target: str) -> Version:
        """Of one flight until something is purged, then of another."""
        return await self._flights.do((target, self._purged), lambda: self._ask(target))

    async def _ask(self, target: str) -> Version:
        held = self._held.get(target)
        headers = {"If-None-Match": held.etag} if held and held.etag else {}
        timeout_s = self._blocking_timeout_s if "_HLS_msn=" in target else None
        purged = self._purged
        try:
            got = await self._origins.get(target, headers, timeout_s=timeout_s)
            version = self._judge(got, held if purged == self._purged else copy(held))
        except UpstreamError as failure:
            FETCHES.labels(failure.code).inc()
            held = self._held.get(target)  # no more, if it was purged
            if held is None or not self._may_be_stale(held, failure):
                raise
            held.retry_at_s = self._clock.monotonic_s() + RETRY_S
            return held
        if purged == self._purged:
            self._hold(target, version)
        return version

    def _judge(self, got: Got, held: Version | None) -> Version:
        answer, lifetime_s = got.answer, _lifetime_s(got.answer)
        fresh_until_s = self._clock.monotonic_s() + lifetime_s
        if answer.status == 304 and held is not None:
            FETCHES.labels("not_modified").inc()
            held.fresh_until_s = fresh_until_s
            return held
        if answer.status in PASSED_ON:
            raise UpstreamError("origin_status", f"status {answer.status}", status=answer.status)
        if answer.status != 200:
            raise UpstreamError("origin_failed", f"status {answer.status}")
        FETCHES.labels("ok").inc()
        if held is not None and held.body == answer.body:
            held.fresh_until_s, held.etag = fresh_until_s, answer.headers.get("etag", "")
            return held
        url = Url.parse(self._origin_url + got.target)
        etag = answer.headers.get("etag", "")
        return Version(answer.body, url, etag, fresh_until_s, lifetime_s)

    def _may_be_stale(self, held: Version, failure: UpstreamError) -> bool:
        """A refusal with a meaning is no outage; anything else is one, for a bounded time."""
        if failure.code == "origin_status" and failure.status != 503:
            return False
        return self._clock.monotonic_s() < held.fresh_until_s + self._stale_if_error_s

    def _hold(self, target: str, version: Version) -> None:
        before = self._held.pop(target, None)
        self._held_bytes += len(version.body) - (len(before.body) if before else 0)
        self._held[target] = version
        while len(self._held) > self._capacity or self._held_bytes > self._capacity_bytes:
            _, dropped = self._held.popitem(last=False)
            self._held_bytes -= len(dropped.body)


def _lifetime_s(answer: Fetched) -> int:
    """Seconds for which a shared cache may use the answer (RFC 9111 section 4.2.1)."""
    control = answer.headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return 0
    found: dict[str, str] = dict(FRESHNESS.findall(control))
    age = answer.headers.get("age", "0")
    lifetime_s = int(found.get("s-maxage", found.get("max-age", "0")))
    return max(0, lifetime_s - (int(age) if age.isdigit() and len(age) < 10 else 0))
