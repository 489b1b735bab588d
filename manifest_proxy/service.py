"""A viewer's request to a personal manifest: path, token, origin version, cohort, one join.

What was answered once is held by `viewers` while the origin's version is fresh, so that the next
viewer of the same URL is answered before a request is cut of its octets.

An answer from memory needs no task; only a miss awaits the origin. A refusal carries a code and an
explicit lifetime. Source: manifest-proxy MP-40..MP-45, CAT-90..CAT-92, CAT-110.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import NamedTuple

import cat
from native.http import Answer, Refusal, Request
from runtime import logs, metrics
from runtime.client_address import Networks
from runtime.clock import Clock

from .admission import Admission, Denied, denied
from .asked import Asked, Asking
from .audience import Audience
from .beside import beside
from .errors import ProxyError, UpstreamError
from .ledger import Ledger
from .manifest import Format
from .patches import Patches
from .press import Press
from .reports import Reports
from .segments import Segments
from .spots import FOREVER_S, Clips, Spots
from .upstream import Upstream, Version
from .urls import Origin

log = logs.get("manifest_proxy")
ANSWERS = metrics.Sampled("proxy_answers", "manifests asked for", ("format", "outcome"))


class Wanted(NamedTuple):
    """A request that may be answered: what is asked, its token, its steering session."""

    asked: Asked
    token: bytes
    sid: bytes


class Service:
    def __init__(
        self,
        upstream: Upstream,
        asking: Asking,
        *,
        origin_url: str,
        public_url: str,
        steering_url: str,
        keys: cat.KeySet | None,
        options: cat.Options,
        clock: Clock,
        country_header: str = "",
        proxies: Networks = (),
        ledger: Ledger | None = None,
        reports: Reports | None = None,
        segments: Segments | None = None,
        shares: bool = False,
    ) -> None:
        """Without `keys` no token is asked for and none is written. `country_header` is where
        one of `proxies` tells the viewer's country; `ledger` what is known of silent sources;
        `reports` takes what players tell of themselves; `segments` leads to those that are asked
        here. With `shares` copies that are the same for all may be held by CDNs.
        """
        origin = Origin(origin_url)
        self._upstream = upstream
        self._asking = asking
        self._public_url = public_url
        self._clock = clock
        self._reports = reports
        self._segments = segments
        self._admission = Admission(
            keys, options, public_url, clock, country_header=country_header, proxies=proxies
        )
        self._clips = Clips(upstream, origin, ledger or Ledger(clock), clock)
        self._press = Press(
            asking,
            origin,
            public_url=public_url,
            steering_url=steering_url,
            tokenised=self._admission.asks,
            clock=clock,
            shares=shares,
        )
        self._patches = Patches(upstream, self._press, clock)
        self._counted: Counter[tuple[str, str]] = Counter()
        self.viewers = self._admission.viewers(reporting=reports is not None)
        if self.viewers is not None:
            asking.changed = self.viewers.clear
        ANSWERS.add(self._counts)

    def _counts(self) -> dict[tuple[str, ...], float]:
        quick = self.viewers.counts() if self.viewers else {}
        return {**(self._counted + Counter(quick))}

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        if self._segments is not None and self._segments.has(request.path):
            return self._segments.answer(request, self._admission)
        if (answer := beside(request.path, self._clock.now_ms())) is not None:
            return answer
        try:
            wanted = self._understood(request)
            if wanted is None:
                return Refusal(404, "not_found")
            asked = wanted.asked
            if asked.since_ms:
                return self._patched(wanted, request)
            version = self._upstream.fresh(asked.target)
            late = asked.clip[0] or asked.silence[0] or asked.delay_s
            if version is None or late or self._asking.joins(asked):
                return self._after_fetch(wanted, request)
            return self._answered(wanted, version, request, Spots(), FOREVER_S)
        except Denied as refusal:
            self._counted["unknown", refusal.verdict.reason] += 1
            return denied(refusal.verdict)
        except ProxyError as error:
            return self._refused(error)

    async def _after_fetch(self, wanted: Wanted, request: Request) -> Answer:
        asked = wanted.asked
        if asked.delay_s:
            await asyncio.sleep(asked.delay_s)
        try:
            version = await self._clips.manifest(asked)
            if self._asking.joins(asked):
                place_ms = await self._clips.place(asked, version)
                asked = asked if place_ms is None else self._asking.joined(asked, place_ms)
                wanted = wanted._replace(asked=asked)
            spots, left_s = await self._clips.spots(asked, version)
            return self._answered(wanted, version, request, spots, left_s)
        except UpstreamError as error:
            if error.status < 500 or not asked.slate:
                return self._refused(error, asked.kind)
            return await self._slate(wanted, request, error)
        except ProxyError as error:
            return self._refused(error, asked.kind)

    async def _patched(self, wanted: Wanted, request: Request) -> Answer:
        try:
            copies = await self._patches.copies(wanted.asked)
        except ProxyError as error:
            return self._refused(error, Format.PATCH)
        self._counted[Format.PATCH, "ok"] += 1
        coded = "gzip" in (request.header("accept-encoding") or "")
        return copies.copy(wanted.token, wanted.sid, coded=coded)

    async def _slate(self, wanted: Wanted, request: Request, error: UpstreamError) -> Answer:
        """A title in place of one whose origin is down; when it is not there either, `error`."""
        try:
            version = await self._upstream.get(wanted.asked.slate)
            as_it_is = wanted._replace(asked=wanted.asked.stood_in())
            return self._rendered(as_it_is, version, request, Spots())
        except ProxyError:
            return self._refused(error, wanted.asked.kind)

    def _understood(self, request: Request) -> Wanted | None:
        """None for a path that is no manifest of a cohort."""
        asked = self._asking.read(request)
        if asked is None:
            return None
        token, sid = self._admission.admitted(request, asked.found, asked.path)
        if self._reports is not None:
            self._reports.take(request.query, request.headers, self._public_url + asked.path)
        if asked.rules is not None and asked.rules.blackouts:
            country = self._admission.country(request)
            now_s = self._clock.now_ms() / 1000
            if (blackout := asked.rules.blackout(now_s, country or "")) is not None:
                asked = asked.shut(blackout)
        return Wanted(self._asking.marked(asked, sid), token.encode(), sid.encode())

    def _answered(
        self, wanted: Wanted, version: Version, request: Request, spots: Spots, left_s: float
    ) -> Answer:
        """The viewer's copy; for `left_s` the next ones of this URL come from `viewers`."""
        answer = self._rendered(wanted, version, request, spots)
        self._hold(wanted.asked, version, request, spots, left_s)
        return answer

    def _rendered(self, wanted: Wanted, version: Version, request: Request, spots: Spots) -> Answer:
        asked = wanted.asked
        copies = self._press.copies(asked, version, spots)
        self._counted[asked.kind, "ok"] += 1
        coded = "gzip" in (request.header("accept-encoding") or "")
        pattern = self._asking.pattern(asked)
        left_s = version.fresh_until_s - self._clock.monotonic_s()
        return copies.copy(wanted.token, wanted.sid, coded=coded, pattern=pattern, left_s=left_s)

    def _hold(
        self, asked: Asked, version: Version, request: Request, spots: Spots, left_s: float
    ) -> None:
        """Let the next viewer of this URL, in whatever session, be answered by `viewers`."""
        now_s, rules = self._clock.monotonic_s(), asked.rules
        life_s = version.until_s - now_s
        if (
            self.viewers is None
            or min(life_s, left_s) <= 0
            or len(asked.found.tokens) != 1
            or asked.replaced
        ):
            return
        if rules is not None and (rules.blackouts or rules.chaos):
            return
        audience = version.audience(
            asked.cohort,
            lambda: Audience(asked, version, self._asking, self._press, self._clock),
        )
        audience.know(asked, spots, now_s + left_s)
        self.viewers.hold(
            request.path,
            asked.found.tokens[0],
            request.query,
            audience.copy,
            self._admission.uri(asked.found, asked.path),
            self._press.copies(asked, version, spots).named,
            life_s,
            (asked.kind, "ok"),
        )

    def _refused(self, error: ProxyError, kind: Format | None = None) -> Answer:
        log.warning("refused", code=error.code, detail=error.detail, status=error.status)
        self._counted[kind or "unknown", error.code] += 1
        retry = [("Retry-After", "1")] if error.status == 503 else []
        return Refusal(error.status, error.code, headers=retry)
