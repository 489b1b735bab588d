"""A viewer's request to a personal manifest: path, token, origin version, cohort, one join.

An answer from memory needs no task; only a miss awaits the origin. A refusal carries a code and an
explicit lifetime. Source: manifest-proxy MP-40..MP-45, CAT-90..CAT-92, CAT-110.
"""

import re
import zlib
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import cat
from native.http import Answer, Entity, Refusal, Request
from runtime import logs, metrics
from runtime.clock import Clock

from .errors import ProxyError
from .manifest import CONTENT_TYPES, Format, compile_manifest, format_of
from .policy import Pathway, Policy, read_cohort
from .upstream import Upstream, Version
from .urls import Origin, without_dots

PREFIX = "/p/"
CLOCK_PATH = "/time"
PERSONAL = "private, no-store"
KNOWN_PARAMETERS = ("start", "end")  # CONTRACT: nothing else in a query changes bytes
KNOWN_PREFIX = "_HLS_"  # HLS-M21
PATH_SAFE = "/:;@!$&'()*+,=~"
MAX_QUERY_CHARS = 1024
CTI = 7  # label of the token's id (RFC 8392 section 3.1.7)
PLAIN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
GZIP_FROM_BYTES = 1024
OWN_HEADERS = frozenset({"content-type", "cache-control", "access-control-allow-origin"})

log = logs.get("manifest_proxy")
ANSWERS = metrics.counter("proxy_answers", "manifests asked for", ("format", "outcome"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request understood: who (`token`, `session`), what (`target` at the origin), for whom."""

    kind: Format
    cohort: tuple[Pathway, ...]
    target: str
    token: str
    session: str


class Denied(Exception):
    """The token's verdict refuses."""

    def __init__(self, verdict: cat.Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class Service:
    def __init__(
        self,
        upstream: Upstream,
        pathways: Mapping[str, Pathway],
        *,
        origin_url: str,
        public_url: str,
        steering_url: str,
        keys: cat.KeySet | None,
        options: cat.Options,
        clock: Clock,
    ) -> None:
        """Without `keys` no token is asked for and none is written."""
        self._upstream = upstream
        self._pathways = pathways
        self._origin = Origin(origin_url)
        self._public_url = public_url
        self._steering_url = steering_url
        self._verifier = None if keys is None else cat.Verifier(keys, options)
        self._clock = clock

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        if request.path == CLOCK_PATH:
            return self._time()
        try:
            wanted = self._understood(request)
            if wanted is None:
                return Refusal(404, "not_found")
            version = self._upstream.fresh(wanted.target)
            if version is None:
                return self._after_fetch(wanted, request)
            return self._rendered(wanted, version, request)
        except Denied as denied:
            return _denied(denied.verdict)
        except ProxyError as error:
            return self._refused(error)

    async def _after_fetch(self, wanted: Wanted, request: Request) -> Answer:
        try:
            return self._rendered(wanted, await self._upstream.get(wanted.target), request)
        except ProxyError as error:
            return self._refused(error, wanted.kind)

    # -- understanding -----------------------------------------------------------------------------

    def _understood(self, request: Request) -> Wanted | None:
        """None for a path that is no manifest of a cohort."""
        if not request.path.startswith(PREFIX):
            return None
        cohort, slash, rest = request.path[len(PREFIX) :].partition("/")
        found = cat.candidates(slash + rest, request.query, request.headers)
        kind = format_of(found.path)
        if kind is None or without_dots(found.path.encode()) != found.path.encode():
            return None
        pathways = read_cohort(cohort, self._pathways)
        path = quote(found.path, safe=PATH_SAFE)
        token, session = self._admitted(request, found, path)
        return Wanted(kind, pathways, path + directives(found.query), token, session)

    def _admitted(self, request: Request, found: cat.Found, path: str) -> tuple[str, str]:
        """The accepted token and the session it names; Denied when there is none (CAT-91)."""
        if self._verifier is None:
            return "", ""
        query = f"?{found.query}" if found.query else ""
        context = cat.Context(
            uri=f"{self._public_url}{path}{query}",
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

    # -- answering ---------------------------------------------------------------------------------

    def _rendered(self, wanted: Wanted, version: Version, request: Request) -> Answer:
        kind, cohort = wanted.kind, wanted.cohort
        compiled = version.compiled_for(
            cohort,
            lambda: compile_manifest(
                kind, version.body, version.url, self._origin, self._policy(kind, cohort)
            ),
        )
        body = compiled.render(wanted.token.encode(), wanted.session.encode())
        coded = None
        if len(body) >= GZIP_FROM_BYTES and "gzip" in (request.header("accept-encoding") or ""):
            coded = zlib.compress(body, 1, wbits=31)
        ANSWERS.labels(kind, "ok").inc()
        return Entity(
            body,
            content_type=CONTENT_TYPES[kind],
            cache_control=PERSONAL,
            gzip=coded,
            ranges=False,
        )

    def _policy(self, kind: Format, cohort: tuple[Pathway, ...]) -> Policy:
        names = "~".join(pathway.id for pathway in cohort)
        return Policy(
            cohort,
            steering_url=self._steering_url and f"{self._steering_url}/{kind}?sid=",
            refresh_url=f"{self._public_url}{PREFIX}{names}",
            clock_url=f"{self._public_url}{CLOCK_PATH}",
            tokenised=self._verifier is not None,
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
        ANSWERS.labels(kind or "unknown", error.code).inc()
        retry = [("Retry-After", "1")] if error.status == 503 else []
        return Refusal(error.status, error.code, headers=retry)


def directives(query: str) -> str:
    """The part of a query that the origin's answer depends on, in one order, with its mark."""
    if len(query) > MAX_QUERY_CHARS:
        raise ProxyError("query_too_long", "more than 1,024 characters", status=414)
    known = sorted(pair for pair in query.split("&") if _is_known(pair.partition("=")[0]))
    return "?" + "&".join(known) if known else ""


def _is_known(name: str) -> bool:
    return name in KNOWN_PARAMETERS or name.startswith(KNOWN_PREFIX)


def session_of(cti: object) -> str:
    """The steering session of a token: its id as text when it is a plain name, else as hex."""
    if not isinstance(cti, bytes):
        return ""
    return cti.decode() if PLAIN_ID.fullmatch(cti) else cti.hex()


def _denied(verdict: cat.Verdict) -> Answer:
    """CAT-110: every refusal of a token, never stored."""
    ANSWERS.labels("unknown", verdict.reason).inc()
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
