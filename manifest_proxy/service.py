"""A viewer's request to a personal manifest: path, token, origin version, cohort, one join.

What was answered once is held by `viewers` while the origin's version is fresh, so that the next
viewer of the same URL is answered before a request is cut of its octets.

An answer from memory needs no task; only a miss awaits the origin. A refusal carries a code and an
explicit lifetime. Source: manifest-proxy MP-40..MP-45, CAT-90..CAT-92, CAT-110.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple, get_args

import cat
from native.hls import PlaylistError
from native.http import Answer, Entity, Refusal, Request
from native.mpd import SpanError
from native.personal import Viewers
from runtime import logs, metrics
from runtime.clock import Clock

from .asked import PREFIX, Asked, Asking
from .copies import Copies
from .errors import ProxyError, UpstreamError
from .hls_join import first_playlist, place_to_join
from .ledger import Ledger
from .manifest import CONTENT_TYPES, Format, Spot, compile_manifest, told_by
from .mpd_join import place_to_join_mpd
from .policy import Policy
from .reports import Reports
from .rulebook import ChaosStatus
from .upstream import Upstream, Version
from .urls import Origin

CLOCK_PATH = "/time"
CHAOS_PATH = "/chaos"
PLACES = {Format.HLS: place_to_join, Format.DASH: place_to_join_mpd}
STEERED = {Format.HLS: "hls", Format.DASH: "dash", Format.PATCH: "dash"}
CTI = 7  # label of the token's id (RFC 8392 section 3.1.7)
MAX_VIEWED = 4096  # URLs answered without a request
PLAIN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
OWN_HEADERS = frozenset({"content-type", "cache-control", "access-control-allow-origin"})

Get = Callable[[str], Awaitable[Version]]

log = logs.get("manifest_proxy")
ANSWERS = metrics.Sampled("proxy_answers", "manifests asked for", ("format", "outcome"))


class Wanted(NamedTuple):
    """A request that may be answered: what is asked, its token, its steering session."""

    asked: Asked
    token: bytes
    sid: bytes


class Spots(NamedTuple):
    """The clips that stand in a manifest: before it, or in for a source that is silent."""

    bumper: Spot | None = None
    slate: Spot | None = None

    @property
    def silent(self) -> bool:
        """Whether the manifest changes with the clock alone."""
        shown = self.slate and self.slate.shown
        return shown is not None and shown.end is not None


NO_SPOTS = Spots()


class Denied(Exception):
    """The token's verdict refuses."""

    def __init__(self, verdict: cat.Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


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
        ledger: Ledger | None = None,
        reports: Reports | None = None,
    ) -> None:
        """Without `keys` no token is asked for and none is written. `country_header` is where the
        CDN tells the viewer's country; `ledger` what is known of silent sources; `reports`
        takes what players tell of themselves.
        """
        self._upstream = upstream
        self._asking = asking
        self._origin = Origin(origin_url)
        self._public_url = public_url
        self._steering_url = steering_url
        self._verifier = None if keys is None else cat.Verifier(keys, options)
        self._clock = clock
        self._country_header = country_header.lower()
        self._ledger = ledger or Ledger(clock)
        self._reports = reports
        self._counted: Counter[tuple[str, str]] = Counter()
        self.viewers: Viewers | None = None
        if self._verifier is not None:
            reporting = reports is not None
            self.viewers = Viewers(self._verifier.verify, _session, MAX_VIEWED, reporting)
            asking.changed = self.viewers.clear
        ANSWERS.add(self._counts)

    def _counts(self) -> dict[tuple[str, ...], float]:
        quick = self.viewers.counts() if self.viewers else {}
        return {**(self._counted + Counter(quick))}

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        if request.path == CLOCK_PATH:
            return self._time()
        if request.path.startswith(CHAOS_PATH):
            return _chaotic(request.path)
        try:
            wanted = self._understood(request)
            if wanted is None:
                return Refusal(404, "not_found")
            asked = wanted.asked
            version = self._upstream.fresh(asked.target)
            late = asked.clip[0] or asked.silence[0] or asked.delay_s
            if version is None or late or self._asking.joins(asked):
                return self._after_fetch(wanted, request)
            answer = self._rendered(wanted, version, request)
            self._hold(wanted, version, request)
            return answer
        except Denied as denied:
            self._counted["unknown", denied.verdict.reason] += 1
            return _denied(denied.verdict)
        except ProxyError as error:
            return self._refused(error)

    async def _after_fetch(self, wanted: Wanted, request: Request) -> Answer:
        asked = wanted.asked
        if asked.delay_s:
            await asyncio.sleep(asked.delay_s)
        try:
            version = await (self._kept if asked.silence[0] else self._upstream.get)(asked.target)
            if self._asking.joins(asked):
                asked = await self._joined(asked, version)
                wanted = wanted._replace(asked=asked)
            spot = await self._spot(self._upstream.get, *asked.clip)
            if spot is not None:
                spot = spot._replace(joined_ms=asked.chosen.joined_ms)
            spots = Spots(spot, await self._stand_in(asked, version))
            answer = self._rendered(wanted, version, request, spots)
            self._hold(wanted, version, request, spots)
            return answer
        except UpstreamError as error:
            if error.status < 500 or not asked.slate:
                return self._refused(error, asked.kind)
            return await self._slate(wanted, request, error)
        except ProxyError as error:
            return self._refused(error, asked.kind)

    async def _kept(self, target: str) -> Version:
        """What the origin has; while it is down what this node or another saw last."""
        try:
            version = await self._upstream.get(target)
        except UpstreamError as error:
            if error.status < 500:
                raise
            if (held := self._upstream.last(target)) is not None:
                return held
            if (body := await self._ledger.last(target)) is None:
                raise
            return self._upstream.adopt(target, body)
        self._ledger.keep(target, version.body)
        return version

    async def _stand_in(self, asked: Asked, version: Version) -> Spot | None:
        """The slate for one live manifest, and the numbers that it has taken by now."""
        channel, target, reference = asked.silence
        if not channel or asked.rules is None or asked.rules.slate is None:
            return None
        try:
            clip = await self._spot(self._kept, target, reference)
        except UpstreamError:
            clip = None
        try:
            facts, loop = told_by(asked.kind, version.body, clip and clip.body)
        except (ProxyError, PlaylistError, SpanError):
            return clip  # what is wrong shows when it is compiled
        if clip is None or facts is None or not loop:
            return Spot(b"", version.url)
        patience = asked.rules.slate.after_targets or 0
        return clip._replace(shown=await self._ledger.look(channel, facts, patience, loop))

    async def _joined(self, asked: Asked, version: Version) -> Asked:
        """A viewer of something live, bound to the media that are there now."""
        try:
            body = version.body
            if asked.kind is Format.HLS:
                path = self._origin.public_path(version.url.join(first_playlist(body)))
                if path is None:
                    return asked
                body = (await self._upstream.get(path.decode("latin-1"))).body
            at_ms = PLACES[asked.kind](body)
        except (ProxyError, PlaylistError, SpanError):
            return asked  # what is wrong shows when it is compiled
        return asked if at_ms is None else self._asking.joined(asked, at_ms)

    async def _spot(self, get: Get, target: str, reference: str) -> Spot | None:
        """The clip for one rendition; its reference where it lacks that one (HLS-M16)."""
        if not target:
            return None
        try:
            version = await get(target)
            return Spot(version.body, version.url)
        except UpstreamError as error:
            if error.status != 404 or not reference:
                raise
        version = await get(reference)
        return Spot(version.body, version.url, is_reference=True)

    async def _slate(self, wanted: Wanted, request: Request, error: UpstreamError) -> Answer:
        """A title in place of one whose origin is down; when it is not there either, `error`."""
        try:
            version = await self._upstream.get(wanted.asked.slate)
            as_it_is = wanted._replace(asked=wanted.asked._replace(rules=None))
            return self._rendered(as_it_is, version, request)
        except ProxyError:
            return self._refused(error, wanted.asked.kind)

    def _hold(
        self, wanted: Wanted, version: Version, request: Request, spots: Spots = NO_SPOTS
    ) -> None:
        """Let the next viewer of this URL be answered by `viewers`."""
        asked, life_s = wanted.asked, version.fresh_until_s - self._clock.monotonic_s()
        if self.viewers is None or life_s <= 0 or len(asked.found.tokens) != 1:
            return
        rules = asked.rules
        if asked.clip[0] or asked.opens or asked.replaced or spots.silent:
            return  # a bumper has a life of its own, and viewers join where they come
        if rules is not None and (rules.watermark or rules.blackouts or rules.chaos):
            return
        copies = self._copies(wanted, version, spots)
        self.viewers.hold(
            request.path,
            asked.found.tokens[0],
            request.query,
            copies.copy,
            self._uri(asked.found, asked.path),
            copies.named,
            life_s,
            (asked.kind, "ok"),
        )

    # -- understanding -----------------------------------------------------------------------------

    def _understood(self, request: Request) -> Wanted | None:
        """None for a path that is no manifest of a cohort."""
        asked = self._asking.read(request)
        if asked is None:
            return None
        token, sid = self._admitted(request, asked.found, asked.path)
        if self._reports is not None:
            self._reports.take(request.query, request.headers, self._public_url + asked.path)
        if asked.rules is not None and asked.rules.blackouts:
            country = request.header(self._country_header) if self._country_header else None
            now_s = self._clock.now_ms() / 1000
            if (blackout := asked.rules.blackout(now_s, country or "")) is not None:
                asked = asked.shut(blackout)
        return Wanted(self._asking.marked(asked, sid), token.encode(), sid.encode())

    def _admitted(self, request: Request, found: cat.Found, path: str) -> tuple[str, str]:
        """The accepted token and the session it names; Denied when there is none (CAT-91)."""
        if self._verifier is None:
            return "", ""
        context = cat.Context(
            uri=self._uri(found, path),
            now=self._clock.now_ms() / 1000,
            method=request.method,
            ip=request.peer,
            headers=found.headers,
        )
        for token in found.tokens:
            verdict = self._verifier.verify(token, context)
            if verdict.accept:
                return token.rstrip("="), session_of(verdict.claims.get(CTI))
        raise Denied(self._verifier.verify_any(found.tokens, context))

    def _uri(self, found: cat.Found, path: str) -> str:
        """What tokens are judged against."""
        query = f"?{found.query}" if found.query else ""
        return f"{self._public_url}{path}{query}"

    # -- answering ---------------------------------------------------------------------------------

    def _rendered(
        self, wanted: Wanted, version: Version, request: Request, spots: Spots = NO_SPOTS
    ) -> Answer:
        copies = self._copies(wanted, version, spots)
        self._counted[wanted.asked.kind, "ok"] += 1
        coded = "gzip" in (request.header("accept-encoding") or "")
        return copies.copy(wanted.token, wanted.sid, coded=coded)

    def _copies(self, wanted: Wanted, version: Version, spots: Spots) -> Copies:
        asked, kind = wanted.asked, wanted.asked.kind
        return version.compiled_for(
            (asked.key, spots),
            lambda: Copies(
                compile_manifest(
                    kind,
                    version.body,
                    version.url,
                    self._origin,
                    self._policy(asked),
                    asked.rules,
                    spots.bumper,
                    self._asking.pattern(asked),
                    spots.slate,
                    skips=asked.skips,
                ),
                CONTENT_TYPES[kind],
            ),
        )

    def _policy(self, asked: Asked) -> Policy:
        kind, rules = asked.kind, asked.rules
        names = "~".join(pathway.id for pathway in asked.cohort)
        return Policy(
            asked.cohort,
            steering_url=self._steering_url and f"{self._steering_url}/{STEERED[kind]}?sid=",
            refresh_url=f"{self._public_url}{PREFIX}{names}{asked.session}",
            clock_url=f"{self._public_url}{CLOCK_PATH}",
            tokenised=self._verifier is not None,
            playlists_url=f"{self._public_url}/p" if rules and rules.through else "",
            session=asked.session,
            carrier=rules.carrier if rules else "path",
            chaos_url=f"{self._public_url}{CHAOS_PATH}",
            patches=rules is None or not rules.edits_sets,
        )

    def _time(self) -> Answer:
        """The time source that MPDs name: UTC as ISO 8601 (ISO/IEC 23009-1 section 5.8.4.11)."""
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Entity(
            text.encode(), content_type="text/plain", cache_control="no-store", ranges=False
        )

    def _refused(self, error: ProxyError, kind: Format | None = None) -> Answer:
        log.warning("refused", code=error.code, detail=error.detail, status=error.status)
        self._counted[kind or "unknown", error.code] += 1
        retry = [("Retry-After", "1")] if error.status == 503 else []
        return Refusal(error.status, error.code, headers=retry)


def _chaotic(path: str) -> Answer:
    """The status that a rule gave a segment, as a URL of this proxy says it."""
    status = path.removeprefix(CHAOS_PATH + "/").partition("/")[0]
    known = {str(one): one for one in get_args(ChaosStatus)}
    return Refusal(known[status], "chaos") if status in known else Refusal(404, "not_found")


def _session(verdict: cat.Verdict) -> bytes:
    return session_of(verdict.claims.get(CTI)).encode()


def session_of(cti: object) -> str:
    """The steering session of a token: its id as text when it is a plain name, else as hex."""
    if not isinstance(cti, bytes):
        return ""
    return cti.decode() if PLAIN_ID.fullmatch(cti) else cti.hex()


def _denied(verdict: cat.Verdict) -> Answer:
    """CAT-110: every refusal of a token, never stored."""
    answer = cat.refusal(verdict)
    headers = [pair for pair in answer.headers if pair[0].lower() not in OWN_HEADERS]
    return Entity(
        answer.body,
        content_type="application/json",
        cache_control="no-store",
        headers=headers,
        status=answer.status,
        ranges=False,
    )
