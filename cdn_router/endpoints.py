"""The router's endpoints: decisions for session starts, steering polls, reports, and who asks.

GET  /steer/{hls,dash}   the steering manifest, whatever the query says
POST /cmcd               players' events; GET one request's CMCD, in its headers or query
POST /v1/decisions       the first decision of a session
GET  /v1/pathways        CDNs as they are; PUT /v1/pathways/{id} drains, kills, enables
GET  /v1/moves           moves of the default order
GET  /v1/sessions/{id}   why a session is where it is, and whether it obeyed
"""

from collections import Counter

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client.core import GaugeMetricFamily

from runtime import client_address, logs, metrics
from runtime.client_address import Networks
from runtime.clock import Clock

from .admin.routes import AdminRoutes
from .bodies import decoded
from .cmcd.decode import carried
from .core import Router, Site, is_session_id
from .errors import Busy, NotFound, RequestError, RouterError, TooLarge, Unsupported
from .inlet import CMCD_HEADERS, CMCD_TYPES
from .intake import MAX_BODY_BYTES, Intake
from .pathways import Admin
from .sessions import Viewer
from .steering import CONTENT_TYPE

MAX_TEXT_CHARS = 256

log = logs.get("cdn_router")
DECISIONS = metrics.counter("router_decisions", "session starts", ("pathway", "reason"))
POLLS = metrics.Sampled("router_polls", "steering polls", ("protocol",))
ISSUES = metrics.counter("router_poll_issues", "faults in steering polls", ("issue",))
RECORDS = metrics.Sampled("router_cmcd_records", "CMCD records by what became of them", ("fate",))
NOTES = metrics.Sampled("router_cmcd_notes", "oddities of CMCD records", ("code",))
GAUGE = GaugeMetricFamily
SHARES = metrics.Sampled("router_sessions", "live sessions told it", ("pathway",), kind=GAUGE)
OPEN = metrics.Sampled(
    "router_circuit", "1: not closed", ("region", "pathway", "state"), kind=GAUGE
)
SCORES = metrics.Sampled("router_qoe", "mean score", ("region", "pathway"), kind=GAUGE)
COST = metrics.Sampled("router_cost_dollars_per_hour", "at this load", ("pathway",), kind=GAUGE)
AGE = metrics.Sampled("router_snapshot_age_seconds", "of the one that decides", kind=GAUGE)
FILL = metrics.Sampled("router_commit_fill", "95th percentile", ("pathway",), kind=GAUGE)

# Steering answers are per session and readable by any player's page (ST-18).
STEER_HEADERS = {
    "Cache-Control": "no-store",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
}
PREFLIGHT_HEADERS = STEER_HEADERS | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


class Start(msgspec.Struct):
    """Body of POST /v1/decisions; members we do not know are a newer caller's."""

    session_id: str = ""
    content: str = ""
    country: str = ""
    device_class: str = ""
    asn: int | None = None
    tenant: str = ""


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """Body of PUT /v1/pathways/{id}."""

    state: Admin


class Endpoints:
    """Handlers over one router; each is a line of `routes`."""

    def __init__(
        self,
        router: Router,
        intake: Intake,
        clock: Clock,
        console_origin: str,
        admin: AdminRoutes,
        proxies: Networks = (),
    ) -> None:
        """Of `proxies` it is believed for whom they ask (RT-22: networks are viewers')."""
        self._router = router
        self._admin = admin
        self._proxies = proxies
        self._intake = intake
        self._clock = clock
        self._console_origin = console_origin
        self.polls: Counter[tuple[str, ...]] = Counter()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._around], client_max_size=1 << 20)
        app.add_routes(
            [
                web.get("/steer/{protocol:hls|dash}", self.steer),
                web.options("/steer/{protocol:hls|dash}", self.preflight),
                web.post("/cmcd", self.cmcd),
                web.get("/cmcd", self.cmcd_carried, allow_head=False),
                web.options("/cmcd", self.cmcd_preflight),
                web.post("/v1/decisions", self.decide),
                web.get("/v1/pathways", self.pathways),
                web.put("/v1/pathways/{id}", self.administer),
                web.get("/v1/moves", self.moves),
                web.get("/v1/sessions/{id}", self.session),
                *self._admin.routes(),
            ]
        )
        screen, now_ms = self._admin.screen, self._clock.now_ms
        ends = [
            POLLS.add(lambda: self.polls),
            RECORDS.add(lambda: self._intake.records),
            NOTES.add(lambda: self._intake.notes),
            SHARES.add(lambda: screen.share_values(now_ms())),
            OPEN.add(screen.circuit_values),
            SCORES.add(screen.quality_values),
            COST.add(screen.cost_values),
            FILL.add(screen.fill_values),
            AGE.add(lambda: screen.age_values(now_ms())),
        ]

        async def end(_: web.Application) -> None:
            for each in ends:
                each()

        app.on_cleanup.append(end)
        return app

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._proxies:
            forwarded = request.headers.getall("X-Forwarded-For", ())
            viewer = client_address.client(request.remote or "", forwarded, self._proxies)
            request = request.clone(remote=viewer)
        try:
            response = await handler(request)
        except RouterError as error:
            response = _refusal(error, request)
        except web.RequestPayloadError:
            response = _refusal(RequestError("bad_body", "not in its Content-Encoding"), request)
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        if request.method == "GET" and "Access-Control-Allow-Origin" not in response.headers:
            response.headers["Access-Control-Allow-Origin"] = self._console_origin
        return response

    async def steer(self, request: web.Request) -> web.Response:
        protocol = request.match_info["protocol"]
        query = request.rel_url.raw_query_string
        body = self.answer(protocol, query)
        return web.Response(body=body, content_type=CONTENT_TYPE, headers=STEER_HEADERS)

    def answer(self, protocol: str, query: str) -> bytes:
        """The steering manifest for a poll: also the short way's. Gone where steering is off."""
        self.polls[protocol,] += 1
        answer = self._router.poll(protocol, query, self._clock.now_ms())
        for issue in answer.issues:
            ISSUES.labels(issue).inc()
        if answer.issues:
            log.info("poll_issues", session_id=answer.session.id, issues=answer.issues)
        return answer.body

    async def preflight(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers=PREFLIGHT_HEADERS)

    async def cmcd(self, request: web.Request) -> web.Response:
        """Events in, 204 out (CM-31). Never 410: it would silence the player's whole session."""
        if request.content_type not in CMCD_TYPES:
            raise Unsupported("content_type", "application/cmcd")
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise TooLarge("too_large", f"at most {MAX_BODY_BYTES} bytes")
        self._intake.take(bytes(body), request.remote or "", self._clock.now_ms())
        return web.Response(status=204, headers=CMCD_HEADERS)

    async def cmcd_carried(self, request: web.Request) -> web.Response:
        """What a player, or an edge for it, tells beside a request (CM-10, CM-11): one record."""
        text = carried(request.headers, request.rel_url.raw_query_string)
        if text is None or "\n" in text:
            raise RequestError("no_record", "neither CMCD headers nor a parameter CMCD")
        body = text.encode(errors="surrogateescape")
        self._intake.take(body, request.remote or "", self._clock.now_ms())
        return web.Response(status=204, headers=CMCD_HEADERS)

    async def cmcd_preflight(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers=CMCD_HEADERS)

    async def decide(self, request: web.Request) -> web.Response:
        start = decoded(await request.read(), Start)
        if start.session_id and not is_session_id(start.session_id):
            raise RequestError("session_id", "at most 64 unreserved characters")
        if (
            max(map(len, (start.content, start.country, start.device_class, start.tenant)))
            > MAX_TEXT_CHARS
        ):
            raise RequestError("too_long", f"at most {MAX_TEXT_CHARS} characters a text")
        now_ms = self._clock.now_ms()
        session, decision = self._router.start(
            start.session_id,
            Viewer(start.content, start.country, start.device_class, start.asn, start.tenant),
            now_ms,
        )
        DECISIONS.labels(decision.ids[0], decision.reason).inc()
        log.info(
            "decision",
            session_id=session.id,
            pathways=list(decision.ids),
            reason=decision.reason,
            snapshot=decision.snapshot_version,
        )
        return web.json_response(
            {
                "session_id": session.id,
                "pathways": [
                    {"id": i, "base_url": self._router.sites[i].pathway.base_url}
                    for i in session.order
                ],
                "reason": decision.reason,
                "sentence": decision.sentence,
                "policy": decision.policy,
                "policy_version": decision.policy_version,
                "snapshot_version": decision.snapshot_version,
                "ttl_s": self._router.ttl_s(decision, session.who, now_ms),
                "steering": {
                    protocol: self._router.steering_url(protocol, session, 0, now_ms)
                    for protocol in ("hls", "dash")
                }
                if self._router.steers(session)
                else None,
            }
        )

    async def pathways(self, _: web.Request) -> web.Response:
        sites = [site_json(site) for site in self._router.sites.values()]
        version = self._router.snapshot().version
        return web.json_response({"snapshot_version": version, "pathways": sites})

    async def administer(self, request: web.Request) -> web.Response:
        self._admin.admit(request)
        change = decoded(await request.read(), Change)
        name = request.match_info["id"]
        site = await self._admin.shared.administer(name, change.state)
        log.info("pathway_administered", pathway=name, state=change.state)
        return web.json_response(site_json(site))

    async def moves(self, _: web.Request) -> web.Response:
        return web.json_response({"moves": self._router.moves.to_json()})

    async def session(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        session = self._router.sessions.get(name) or self._intake.guests.get(name)
        if session is None:
            raise NotFound("session_unknown", "no record of this session")
        return web.json_response(session.to_json(self._clock.now_ms()))


def _refusal(error: RouterError, request: web.Request) -> web.Response:
    body = {"error": error.code, "detail": error.detail}
    response = web.json_response(body, status=error.status)
    if isinstance(error, Busy):
        response.headers["Retry-After"] = "5"
    if request.path == "/cmcd":
        response.headers["Access-Control-Allow-Origin"] = "*"
    if request.path.startswith("/steer/"):
        response.headers.update(STEER_HEADERS)
    return response


def site_json(site: Site) -> dict[str, object]:
    """A pathway for the console: what it is, how it is, since when and why."""
    return {
        "id": site.pathway.id,
        "base_url": site.pathway.base_url,
        "priority": site.pathway.priority,
        "state": site.admin,
        "health": site.health.state,
        "reason": site.reason,
        "why": site.why,
        "since_ms": site.since_ms,
        "probe_ms": None if site.probe_ms is None else round(site.probe_ms, 1),
    }
