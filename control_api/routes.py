"""Every operation, once: routing, validation, sign-in and the OpenAPI document read this table."""

from control_api import handlers, shapes, tokens, types
from control_api.accounts.routes import ROUTES as ACCOUNTS
from control_api.api_keys.routes import ROUTES as API_KEYS
from control_api.batches import ROUTES as BATCHES
from control_api.catalogue.routes import ROUTES as CATALOGUE
from control_api.epg.routes import ROUTES as GUIDE_DESK
from control_api.explain import ROUTES as EXPLAIN
from control_api.flags.routes import ROUTES as FLAGS
from control_api.guide.routes import ROUTES as GUIDE
from control_api.identity.routes import ROUTES as IDENTITY
from control_api.jobs.routes import ROUTES as JOBS
from control_api.operators.routes import ROUTES as OPERATORS
from control_api.outbox.routes import ROUTES as OUTBOX
from control_api.recordings.routes import ROUTES as RECORDINGS
from control_api.route import DENIALS, VIEWER, Route, public
from control_api.running import ROUTES as SESSIONS
from control_api.search.routes import ROUTES as SEARCH
from control_api.terms.routes import ROUTES as TERMS
from control_api.viewers.routes import ROUTES as VIEWERS
from control_api.webhooks.routes import ROUTES as WEBHOOKS

STARTS = (*DENIALS, "stream_limit", "token_unavailable")
ENDED = ("session_not_found", "session_terminated", "stream_limit")


def _start(path: str, profile: str) -> Route:
    return Route(
        "POST",
        path,
        handlers.start_playback(profile),
        types.StartAnswer,
        STARTS,
        scope=VIEWER,
        query=shapes.StartQuery,
        body=types.StartRequest,
        status=201,
        decides_access=True,
        limits=("start",),
        flag="starts",
    )


def _stop(method: str, path: str) -> Route:
    return Route(
        method,
        path,
        handlers.stop_session,
        None,
        ("session_not_found",),
        scope=VIEWER,
        status=204,
    )


CORE: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/auth/token",
        handlers.issue_token,
        types.TokenAnswer,
        ("bad_credentials",),
        body=types.TokenRequest,
        limits=("login", "login_address"),
    ),
    public("/.well-known/jwks.json", tokens.key_set, types.KeySet, 300),
    Route(
        "POST",
        "/v1/tokens",
        tokens.issue,
        tokens.IssueAnswer,
        ("token_unavailable",),
        scope=tokens.ISSUE,
        body=tokens.IssueRequest,
        status=201,
    ),
    Route(
        "POST",
        "/v1/tokens/introspect",
        tokens.introspect,
        tokens.IntrospectAnswer,
        ("token_unavailable",),
        scope=tokens.INTROSPECT,
        body=tokens.IntrospectRequest,
    ),
    Route(
        "POST",
        "/v1/entitlements/check",
        handlers.check_access,
        types.CheckAnswer,
        DENIALS,
        scope="entitlement:check",
        body=types.CheckRequest,
        decides_access=True,
    ),
    _start("/v1/playback/start", "web"),
    _start("/v1/sessions", "web"),  # what a start creates, by the name it has from then on
    _start("/v1/tv/playback/start", "tv"),
    _start("/v1/mobile/playback/start", "mobile"),
    _start("/v1/web/playback/start", "web"),
    Route(
        "POST",
        "/v1/sessions/{id}/heartbeat",
        handlers.heartbeat,
        types.HeartbeatAnswer,
        ENDED,
        scope=VIEWER,
        body=types.HeartbeatRequest,
        limits=("heartbeat",),
    ),
    _stop("POST", "/v1/sessions/{id}/stop"),  # a page that unloads can only POST
    _stop("DELETE", "/v1/sessions/{id}"),
)

# One line a folder of the room, each with its own table.
ROUTES: tuple[Route, ...] = (
    *CORE,
    *SESSIONS,
    *CATALOGUE,
    *BATCHES,
    *EXPLAIN,
    *TERMS,
    *API_KEYS,
    *ACCOUNTS,
    *SEARCH,
    *GUIDE,
    *GUIDE_DESK,
    *RECORDINGS,
    *VIEWERS,
    *IDENTITY,
    *WEBHOOKS,
    *OUTBOX,
    *OPERATORS,
    *JOBS,
    *FLAGS,
)
