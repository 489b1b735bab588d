"""Who may ask for what: a row for every operation (control-api CTL-4, 8, 9, 162)."""

from typing import Any, NamedTuple

PARTNER = frozenset({"webhook:manage"})
READER = "admin:read"
# Whose GETs a reader may ask.
READ = frozenset(
    {"admin", "catalog:write", "epg:import", "rights:write", "session:terminate", "webhook:manage"}
)
INTRUDER = "acc_b"
DEVICE = {"id": "tv-b"}
MARK = {"position_ms": 50_000, "duration_ms": 100_000, "updated_at": "2026-01-01T00:00:00Z"}


class Row(NamedTuple):
    """`asked` is a request with another household's ids; without it an operation names nobody's
    things: it is public, of the caller's own account, or of an operator over all accounts.
    """

    scope: str | None
    asked: str = ""
    code: str = ""
    body: Any = None


PUBLIC, CHECK, WATCH = Row(None), "entitlement:check", "playback"
EDITOR, ADMIN, SUPPORT = Row("catalog:write"), Row("admin"), Row("session:terminate")
RIGHTS, SERVICE, GUIDE = Row("rights:write"), Row("entitlement:write"), Row("epg:import")
TAPE, HOOK = "recording", "webhook:manage"
_START = {"device": DEVICE, "recording_id": "{recording}"}


def _start(path: str) -> dict[str, Row]:
    return {f"POST {path}": Row(WATCH, path, "content_not_found", _START)}


def _session(word: str, body: Any = None) -> Row:
    return Row(WATCH, f"/v1/sessions/{{session}}{word}", "session_not_found", body)


def _tape(word: str = "", body: Any = None) -> Row:
    return Row(TAPE, f"/v1/recordings/{{recording}}{word}", "recording_not_found", body)


def _of_profile(path: str, body: Any = None) -> Row:
    return Row(WATCH, f"{path}?profile_id={{profile}}", "profile_not_found", body)


def _profile(body: Any = None) -> Row:
    return Row(WATCH, "/v1/profiles/{profile}", "profile_not_found", body)


def _hook(word: str = "", body: Any = None) -> Row:
    return Row(HOOK, f"/v1/webhooks/{{hook}}{word}", "not_found", body)


def _book(noun: str, *more: str) -> dict[str, Row]:
    path = f"/v1/admin/{noun}s"
    always = (f"GET {path}", f"POST {path}", f"GET {path}/{{id}}", f"PATCH {path}/{{id}}")
    return dict.fromkeys((*always, *more), RIGHTS)


RULE = Row(TAPE, "/v1/recording-rules/{rule}", "rule_not_found")

TABLE: dict[str, Row] = {
    "POST /v1/auth/token": PUBLIC,
    "POST /v1/auth/refresh": PUBLIC,
    "POST /v1/auth/revoke": PUBLIC,
    "POST /v1/auth/device": PUBLIC,
    "POST /v1/auth/device/token": PUBLIC,
    "POST /v1/auth/device/verify": Row(WATCH),
    "GET /.well-known/jwks.json": PUBLIC,
    "POST /v1/hooks/{source}": PUBLIC,
    "GET /v1/channels": PUBLIC,
    "GET /v1/catalog/contents": PUBLIC,
    "GET /v1/catalog/contents/{id}": PUBLIC,
    "GET /v1/catalog/contents/{id}/children": PUBLIC,
    "GET /v1/catalog/contents/{id}/related": PUBLIC,
    "GET /v1/genres": PUBLIC,
    "GET /v1/collections": PUBLIC,
    "GET /v1/collections/{id}": PUBLIC,
    "GET /v1/rails": PUBLIC,
    "GET /v1/rails/{id}": PUBLIC,
    "GET /v1/search": PUBLIC,
    "GET /v1/search/suggest": PUBLIC,
    "GET /v1/epg": PUBLIC,
    "GET /v1/epg/now": PUBLIC,
    "GET /v1/epg/events/{id}": PUBLIC,
    "GET /v1/epg/live": PUBLIC,
    "GET /v1/epg/xmltv": PUBLIC,
    "POST /v1/tokens": Row("tokens:issue"),
    "POST /v1/tokens/introspect": Row("tokens:introspect"),
    "POST /v1/entitlements/check": Row(
        CHECK, "/v1/entitlements/check", "content_not_found", _START
    ),
    "POST /v1/entitlements/check-batch": Row(CHECK),
    **_start("/v1/playback/start"),
    **_start("/v1/sessions"),
    **_start("/v1/tv/playback/start"),
    **_start("/v1/mobile/playback/start"),
    **_start("/v1/web/playback/start"),
    "GET /v1/sessions": Row(WATCH),
    "POST /v1/sessions/{id}/heartbeat": _session("/heartbeat", {"position_ms": 1}),
    "POST /v1/sessions/{id}/terminate": _session("/terminate"),
    "POST /v1/sessions/{id}/stop": _session("/stop"),
    "DELETE /v1/sessions/{id}": _session(""),
    "GET /v1/me": Row(WATCH),
    "POST /v1/profiles": Row(WATCH),
    "GET /v1/profiles": Row(WATCH),
    "GET /v1/profiles/{id}": _profile(),
    "PATCH /v1/profiles/{id}": _profile({"name": "Mallory"}),
    "DELETE /v1/profiles/{id}": _profile(),
    "GET /v1/devices": Row(WATCH),
    "DELETE /v1/devices/{id}": Row(WATCH, "/v1/devices/{device}", "not_found"),
    "PUT /v1/bookmarks/{content}": _of_profile("/v1/bookmarks/cnt_film", MARK),
    "GET /v1/bookmarks/{content}": _of_profile("/v1/bookmarks/cnt_film"),
    "GET /v1/continue-watching": _of_profile("/v1/continue-watching"),
    "GET /v1/watchlist": _of_profile("/v1/watchlist"),
    "PUT /v1/watchlist/{content}": _of_profile("/v1/watchlist/cnt_film"),
    "DELETE /v1/watchlist/{content}": _of_profile("/v1/watchlist/cnt_film"),
    "GET /v1/history": _of_profile("/v1/history"),
    "DELETE /v1/history": _of_profile("/v1/history"),
    "DELETE /v1/history/{content}": _of_profile("/v1/history/cnt_film"),
    "GET /v1/reminders": _of_profile("/v1/reminders"),
    "PUT /v1/reminders/{event}": _of_profile("/v1/reminders/evt_any"),
    "DELETE /v1/reminders/{event}": _of_profile("/v1/reminders/evt_any"),
    "POST /v1/recordings": Row(TAPE),
    "GET /v1/recordings": Row(TAPE),
    "GET /v1/quota": Row(TAPE),
    "GET /v1/recordings/{id}": _tape(),
    "DELETE /v1/recordings/{id}": _tape(),
    "POST /v1/recordings/{id}/restore": _tape("/restore"),
    "POST /v1/recordings/{id}/protect": _tape("/protect", {"protected": True}),
    "POST /v1/recording-rules": Row(TAPE),
    "POST /v1/recording-rules/preview": Row(TAPE),
    "GET /v1/recording-rules": Row(TAPE),
    "GET /v1/recording-rules/{id}": RULE,
    "PATCH /v1/recording-rules/{id}": RULE._replace(body={"keep_n": 1}),
    "DELETE /v1/recording-rules/{id}": RULE,
    "GET /v1/webhooks": Row(HOOK),
    "POST /v1/webhooks": Row(HOOK),
    "GET /v1/webhooks/{id}": _hook(),
    "PATCH /v1/webhooks/{id}": _hook("", {"topics": ["*"]}),
    "DELETE /v1/webhooks/{id}": _hook(),
    "POST /v1/webhooks/{id}/test": _hook("/test"),
    "POST /v1/webhooks/{id}/rotate": _hook("/rotate"),
    "POST /v1/webhooks/{id}/pause": _hook("/pause"),
    "POST /v1/webhooks/{id}/resume": _hook("/resume"),
    "GET /v1/webhooks/{id}/deliveries": _hook("/deliveries"),
    "POST /v1/webhooks/{id}/replay": _hook("/replay", {}),
    "POST /v1/catalog/contents": EDITOR,
    "PATCH /v1/catalog/contents/{id}": EDITOR,
    "DELETE /v1/catalog/contents/{id}": EDITOR,
    "POST /v1/catalog/contents/{id}/moves": EDITOR,
    "POST /v1/catalog/contents/{id}/publish": EDITOR,
    "GET /v1/catalog/contents/{id}/windows": EDITOR,
    "PUT /v1/catalog/contents/{id}/windows": EDITOR,
    "GET /v1/admin/contents": EDITOR,
    "POST /v1/admin/contents/imports": EDITOR,
    "GET /v1/admin/contents/{id}": EDITOR,
    "GET /v1/admin/contents/{id}/versions": EDITOR,
    "GET /v1/admin/contents/{id}/assets": EDITOR,
    "PUT /v1/admin/contents/{id}/assets/{asset}": EDITOR,
    "DELETE /v1/admin/contents/{id}/assets/{asset}": EDITOR,
    "GET /v1/admin/collections": EDITOR,
    "POST /v1/admin/collections": EDITOR,
    "GET /v1/admin/collections/{id}": EDITOR,
    "PATCH /v1/admin/collections/{id}": EDITOR,
    "DELETE /v1/admin/collections/{id}": EDITOR,
    "GET /v1/admin/channels": EDITOR,
    "POST /v1/admin/channels": EDITOR,
    "GET /v1/admin/channels/{id}": EDITOR,
    "PATCH /v1/admin/channels/{id}": EDITOR,
    "POST /v1/admin/channels/{id}/moves": EDITOR,
    **_book("package", "POST /v1/admin/packages/{id}/moves"),
    **_book("offer", "POST /v1/admin/offers/{id}/moves"),
    **_book("blackout", "DELETE /v1/admin/blackouts/{id}"),
    "GET /v1/admin/rights": RIGHTS,
    "POST /v1/entitlements/explain": SUPPORT,
    "GET /v1/entitlements": Row(CHECK),
    "POST /v1/entitlements": SERVICE,
    "DELETE /v1/entitlements/{id}": SERVICE,
    "GET /v1/admin/entitlements": SUPPORT,
    "GET /v1/admin/accounts": ADMIN,
    "POST /v1/admin/accounts": ADMIN,
    "GET /v1/admin/accounts/{id}": ADMIN,
    "PATCH /v1/admin/accounts/{id}": ADMIN,
    "GET /v1/admin/keys": ADMIN,
    "POST /v1/admin/keys": ADMIN,
    "GET /v1/admin/keys/{id}": ADMIN,
    "POST /v1/admin/keys/{id}/rotate": ADMIN,
    "DELETE /v1/admin/keys/{id}": ADMIN,
    "GET /v1/admin/epg/sources": GUIDE,
    "GET /v1/admin/epg/sources/{id}": GUIDE,
    "PUT /v1/admin/epg/sources/{id}": GUIDE,
    "GET /v1/admin/epg/imports": GUIDE,
    "POST /v1/admin/epg/imports": GUIDE,
    "GET /v1/admin/epg/imports/{id}": GUIDE,
    "POST /v1/admin/epg/imports/{id}/apply": GUIDE,
    "GET /v1/admin/sessions": SUPPORT,
    "GET /v1/admin/sessions/{id}": SUPPORT,
    "POST /v1/admin/sessions/{id}/terminate": SUPPORT,
    "GET /v1/admin/recordings": ADMIN,
    "GET /v1/admin/audit": ADMIN,
    "GET /v1/admin/dlq": ADMIN,
    "GET /v1/admin/dlq/{id}": ADMIN,
    "POST /v1/admin/dlq/{id}/replay": ADMIN,
    "DELETE /v1/admin/dlq/{id}": ADMIN,
    "POST /v1/admin/dlq/replay": ADMIN,
    "GET /v1/admin/jobs": ADMIN,
    "GET /v1/admin/jobs/{id}": ADMIN,
    "POST /v1/admin/jobs/{id}/cancel": ADMIN,
    "GET /v1/admin/flags": ADMIN,
    "GET /v1/admin/flags/{name}": ADMIN,
    "PUT /v1/admin/flags/{name}": ADMIN,
    "GET /v1/admin/purge": ADMIN,
    "POST /v1/admin/purge": ADMIN,
    "GET /v1/admin/purge/{id}": ADMIN,
    "POST /v1/admin/purge/{id}/outcomes": ADMIN,
    "GET /v1/admin/outbox": ADMIN,
    "GET /v1/events/stream": ADMIN,
}
SCOPES = {row.scope for row in TABLE.values() if row.scope is not None} | {READER}
