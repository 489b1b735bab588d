"""One row of the route table, asked: sign-in, validation, handler, encoding, problems.

Nothing that a client sends makes a 5xx (CTL-4); every error has a code of `problems.TABLE` (CTL-5).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import msgspec
from yarl import URL

from control_api import idempotency, ids, problems
from control_api.api_keys.door import Door
from control_api.api_keys.secrets import MARK
from control_api.calls import JSON, Call, Rendered, Reply, Services, Stream
from control_api.idempotency import Claim, Claims
from control_api.issuer import BadToken, Caller, Crowded
from control_api.limits import Limiter
from control_api.problems import Problem
from control_api.route import VIEWER, Route
from control_api.seen_tokens import SeenTokens
from control_api.times import now_ms
from runtime import client_address, logs, metrics, trace
from runtime.deadlines import Deadlines
from runtime.plain import Answer, Plain
from runtime.sql import SqlError

log = logs.get("control")
PROBLEMS = metrics.counter("control_problems", "answers that were problems", ("code",))
KEPT_HEADERS = ("ETag", "Location")


class Shared(NamedTuple):
    """What all endpoints look at."""

    seen: SeenTokens
    keys: Door
    claims: Claims
    limiter: Limiter
    proxies: client_address.Networks
    deadlines: Deadlines


@dataclass(frozen=True, slots=True)
class Endpoint:
    route: Route
    services: Services
    shared: Shared

    @property
    def max_bytes(self) -> int:
        """Of a body."""
        return self.route.max_bytes or self.services.settings.max_body_bytes

    async def answer(self, request: Plain) -> Answer | Stream:
        """What the request gets, whatever becomes of it."""
        try:
            return await self._handled(request)
        except Problem as problem:
            return told(problem, request.request_id)
        except Exception:
            log.exception("unexpected", path=request.path)
            return told(Problem("internal"), request.request_id)

    async def _handled(self, request: Plain) -> Answer | Stream:
        caller = await self._caller(request, self.route.scope)
        path, query = _names(request), _query(request, self.route.query)
        if self.route.personal and query.profile_id is not None:
            caller = await self._caller(request, VIEWER)
        call = Call(
            services=self.services,
            now_ms=now_ms(),
            caller=caller,
            path=path,
            query=query,
            body=await self._body(request),
            headers=request.headers,
            address=client_address.client(
                request.peer, request.headers.getall("X-Forwarded-For", ()), self.shared.proxies
            ),
            budget_ms=_patience_ms(request),
        )
        by_key = ("key",) if call.caller is not None and call.caller.key_id else ()
        await self.shared.limiter.admit((*by_key, *self.route.limited), call)
        if self.route.flag is not None:
            subject = call.caller.account_id if call.caller is not None else call.address
            self.services.flags.admit(self.route.flag, subject)
        claim = await self._claim(request, call)
        if claim is None:
            return await self._asked(request, call)
        return await self._once(request, call._replace(claim=claim), claim)

    async def _claim(self, request: Plain, call: Call[Any]) -> Claim | None:
        """The request's idempotency key (CTL-156). Without a database a start goes without: it is
        such as may be repeated.
        """
        if not self.route.idempotent:
            return None
        key = idempotency.read_key(request.headers.get(idempotency.HEADER))
        if key is None:
            if self.route.keyed:
                raise Problem("idempotency_required")
            return None
        claims = self.shared.claims
        said = claims.fingerprint(request.method, request.path, call.query, call.body)
        try:
            return await claims.begin(call.caller.account_id, key, said, call.now_ms)
        except SqlError as error:
            log.warning("key_unread", path=self.route.path, error=str(error))
            if self.route.decides_access:
                return None
            raise Problem("unavailable", headers={"Retry-After": "1"}) from None

    async def _once(self, request: Plain, call: Call[Any], claim: Claim) -> Answer | Stream:
        """The answer of an earlier request, or this one's, which is kept unless it may change."""
        if claim.replay is not None:
            return _replayed(claim.replay)
        kept: Answer | None = None
        answered = False
        try:
            answer = await self._asked(request, call)
            answered = claim.settled
            if not answered:
                kept = _kept(answer)
        except Problem as problem:
            if problem.status < 500 and problem.code != "rate_limited":
                said = msgspec.json.encode(problem.body(request.request_id))
                kept = Answer(problem.status, problems.MEDIA_TYPE, problem.headers, said)
            raise
        finally:
            try:
                if kept is not None:
                    await self.shared.claims.keep(claim, kept)
                elif not answered:  # settled or not: the commit may have failed
                    await self.shared.claims.release(claim)
            except (SqlError, Problem) as error:
                log.warning("answer_unkept", path=self.route.path, error=str(error))
        return answer

    async def _asked(self, request: Plain, call: Call[Any]) -> Answer | Stream:
        limit_ms = self.services.settings.timeouts.request_ms
        budget_ms = min(limit_ms, call.budget_ms)
        try:
            with self.shared.deadlines.within(budget_ms / 1_000):
                result = await self.route.handler(call)
        except (TimeoutError, SqlError) as error:
            code = "entitlement_unavailable" if self.route.decides_access else "unavailable"
            log.warning("late", path=self.route.path, error=str(error) or "request timeout")
            if isinstance(error, Crowded | SqlError) or budget_ms == limit_ms:
                await self.shared.limiter.refund(self.route.limits, call)
            raise Problem(code, headers={"Retry-After": "1"}) from None
        await self.shared.limiter.forgive(self.route.limits, call)
        return result if isinstance(result, Stream) else self._rendered(request, call, result)

    async def _caller(self, request: Plain, scope: str | None) -> Caller | None:
        if scope is None:
            return None
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        challenge = {"WWW-Authenticate": "Bearer"}  # RFC 6750 section 3
        if scheme.lower() != "bearer" or not token:
            raise Problem("unauthenticated", headers=challenge)
        try:
            caller = await self._known(token.strip())
        except BadToken as error:
            log.info("bad_token", reason=str(error))
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Problem("unauthenticated", headers=challenge) from None
        if not self.route.open_to(caller.scopes) and scope not in caller.scopes:
            raise Problem("forbidden_scope", scope=scope)
        return Caller(caller.account_id, caller.scopes, caller.key_id, self._country(request))

    def _country(self, request: Plain) -> str:
        """Where the caller is: a listed proxy's word, else the setting's (CTL-10)."""
        settings = self.services.settings
        told = request.headers.get(settings.country_header, "") if settings.country_header else ""
        found = client_address.country(request.peer, told, self.shared.proxies)
        return found or settings.default_country

    async def _known(self, token: str) -> Caller:
        """Whose token this is, an API key or an access token; raises BadToken."""
        if token.startswith(MARK):
            try:
                return await self.shared.keys.find(token, now_ms())
            except SqlError:
                raise Problem("unavailable", headers={"Retry-After": "1"}) from None
        now_s = now_ms() // 1_000
        caller = self.shared.seen.find(token, now_s)
        if caller is None:
            caller = self.services.issuer.verify(token, now_s)
            self.shared.seen.keep(token, caller, now_s)
        return caller

    async def _body(self, request: Plain) -> Any:
        if self.route.body is None:
            return None
        if request.media_type not in self.route.media:
            raise Problem("unsupported_media_type")
        raw = await request.read(self.max_bytes)
        if self.route.body is bytes:
            return raw
        try:
            return msgspec.json.decode(raw, type=self.route.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Problem("invalid", str(error)) from None

    def _rendered(self, request: Plain, call: Call[Any], result: Any) -> Answer:
        reply = result if isinstance(result, Reply) else Reply(result)
        headers = dict(reply.headers)
        if self.route.deprecated is not None:
            headers |= self.route.deprecated.headers
        if reply.value is None:
            return Answer(204, "", headers | {"Cache-Control": "no-store"}, b"")
        raw, tag = _coded(request, reply.value, headers)
        if self.route.cache_s is None or call.caller is not None:
            headers["Cache-Control"] = "private, no-store"  # CTL-7
        else:
            headers |= {
                "Cache-Control": f"public, max-age={self.route.cache_s}",
                "Vary": "Accept-Encoding, Accept-Language",
                "ETag": f'"{tag or hashlib.blake2b(raw, digest_size=12).hexdigest()}"',
            }
            if headers["ETag"] in _tags(request):
                return Answer(304, "", headers, b"")
        return Answer(reply.status or self.route.status, JSON, headers, raw)


def told(problem: Problem, request_id: str) -> Answer:
    """An error as problem details (CTL-5)."""
    PROBLEMS.labels(problem.code).inc()
    log.info("problem", code=problem.code, status=problem.status)
    body = problem.body(request_id)
    if trace_id := trace.trace_id():
        body["trace_id"] = trace_id
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Answer(problem.status, problems.MEDIA_TYPE, headers, msgspec.json.encode(body))


def _kept(answer: Answer | Stream) -> Answer:
    """An answer as it is kept."""
    assert isinstance(answer, Answer)
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    return answer._replace(headers=headers)


def _replayed(answer: Answer) -> Answer:
    """An answer that was given before."""
    headers = {"Cache-Control": "private, no-store", **answer.headers, idempotency.REPLAYED: "true"}
    return answer._replace(headers=headers)


def _coded(request: Plain, value: Any, headers: dict[str, str]) -> tuple[bytes, str]:
    """The body, and its tag where it is known: each coding has one (RFC 9110 section 8.8.3.3)."""
    if not isinstance(value, Rendered):
        return msgspec.json.encode(value), ""
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return value.raw, value.tag
    headers["Content-Encoding"] = "gzip"
    return value.gzipped, f"{value.tag}-gzip"


def _names(request: Plain) -> Mapping[str, str]:
    for value in request.names.values():
        if not ids.VALID.fullmatch(value):
            raise Problem("not_found")
    return request.names


def _patience_ms(request: Plain) -> float:
    """How long the caller waits, as far as it says (CTL-188)."""
    text = request.headers.get("X-Request-Timeout-Ms", "")
    told = text.isascii() and text.isdigit() and len(text) < 10
    return max(int(text), 1) if told else inf


def _query(request: Plain, shape: type[msgspec.Struct] | None) -> Any:
    """The query as the route's type; a name given twice or unknown is refused."""
    if shape is None:
        return None
    pairs = URL.build(query_string=request.query, encoded=True).query
    if len(pairs) != len(set(pairs)):
        raise Problem("invalid", "a parameter is given twice")
    try:
        return msgspec.convert(dict(pairs), shape, strict=False)
    except msgspec.ValidationError as error:
        raise Problem("invalid", str(error)) from None


def _tags(request: Plain) -> list[str]:
    """If-None-Match by weak comparison (RFC 9110 section 13.1.2); `*` gets the full answer."""
    text = request.headers.get("If-None-Match", "")
    return [tag.strip().removeprefix("W/") for tag in text.split(",")]
