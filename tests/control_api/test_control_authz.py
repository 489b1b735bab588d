"""Who may ask for what: every operation, every scope, every id of somebody else (CTL-4, 8, 9, 162).

`TABLE` says for each operation what it is asked with, and what it answers to a household that names
what belongs to another. A new operation fails here until it has its row.
"""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from control_rigs.recorder import HOUR, Recorder

from control_api import seed
from control_api.issuer import VIEWER_SCOPES
from control_api.route import JSON, MERGE_PATCH
from control_api.routes import ROUTES
from control_api.times import now_ms, utc
from control_api.types import Request
from runtime.sql import Database

PARTNER = frozenset({"webhook:manage"})
READER = "admin:read"
# Whose GETs a reader may ask.
READ = frozenset({"admin", "catalog:write", "rights:write", "session:terminate"})
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
RIGHTS, SERVICE = Row("rights:write"), Row("entitlement:write")
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
    "GET /.well-known/jwks.json": PUBLIC,
    "POST /v1/hooks/{source}": PUBLIC,
    "GET /v1/channels": PUBLIC,
    "GET /v1/catalog/contents": PUBLIC,
    "GET /v1/catalog/contents/{id}": PUBLIC,
    "GET /v1/catalog/contents/{id}/children": PUBLIC,
    "GET /v1/catalog/contents/{id}/related": PUBLIC,
    "GET /v1/genres": PUBLIC,
    "GET /v1/rails": PUBLIC,
    "GET /v1/rails/{id}": PUBLIC,
    "GET /v1/search": PUBLIC,
    "GET /v1/search/suggest": PUBLIC,
    "GET /v1/epg": PUBLIC,
    "GET /v1/epg/now": PUBLIC,
    "GET /v1/epg/events/{id}": PUBLIC,
    "GET /v1/epg/live": PUBLIC,
    "POST /v1/tokens": Row("tokens:issue"),
    "POST /v1/tokens/introspect": Row("tokens:introspect"),
    "POST /v1/entitlements/check": Row(
        CHECK, "/v1/entitlements/check", "content_not_found", _START
    ),
    "POST /v1/entitlements/check-batch": Row(CHECK),
    **_start("/v1/playback/start"),
    **_start("/v1/tv/playback/start"),
    **_start("/v1/mobile/playback/start"),
    **_start("/v1/web/playback/start"),
    "GET /v1/sessions": Row(WATCH),
    "POST /v1/sessions/{id}/heartbeat": _session("/heartbeat", {"position_ms": 1}),
    "POST /v1/sessions/{id}/terminate": _session("/terminate"),
    "POST /v1/sessions/{id}/stop": _session("/stop"),
    "DELETE /v1/sessions/{id}": _session(""),
    "POST /v1/profiles": Row(WATCH),
    "GET /v1/profiles": Row(WATCH),
    "GET /v1/profiles/{id}": _profile(),
    "PATCH /v1/profiles/{id}": _profile({"name": "Mallory"}),
    "DELETE /v1/profiles/{id}": _profile(),
    "PUT /v1/bookmarks/{content}": _of_profile("/v1/bookmarks/cnt_film", MARK),
    "GET /v1/bookmarks/{content}": _of_profile("/v1/bookmarks/cnt_film"),
    "GET /v1/continue-watching": _of_profile("/v1/continue-watching"),
    "GET /v1/watchlist": _of_profile("/v1/watchlist"),
    "PUT /v1/watchlist/{content}": _of_profile("/v1/watchlist/cnt_film"),
    "DELETE /v1/watchlist/{content}": _of_profile("/v1/watchlist/cnt_film"),
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
    "DELETE /v1/recording-rules/{id}": RULE,
    "GET /v1/webhooks": Row(HOOK),
    "POST /v1/webhooks": Row(HOOK),
    "GET /v1/webhooks/{id}": _hook(),
    "PATCH /v1/webhooks/{id}": _hook("", {"topics": ["*"]}),
    "DELETE /v1/webhooks/{id}": _hook(),
    "POST /v1/webhooks/{id}/test": _hook("/test"),
    "POST /v1/webhooks/{id}/rotate": _hook("/rotate"),
    "POST /v1/webhooks/{id}/resume": _hook("/resume"),
    "GET /v1/webhooks/{id}/deliveries": _hook("/deliveries"),
    "POST /v1/webhooks/{id}/replay": _hook("/replay", {}),
    "POST /v1/catalog/contents": EDITOR,
    "PATCH /v1/catalog/contents/{id}": EDITOR,
    "DELETE /v1/catalog/contents/{id}": EDITOR,
    "POST /v1/catalog/contents/{id}/moves": EDITOR,
    "GET /v1/admin/contents": EDITOR,
    "POST /v1/admin/contents/imports": EDITOR,
    "GET /v1/admin/contents/{id}": EDITOR,
    "GET /v1/admin/contents/{id}/versions": EDITOR,
    "GET /v1/admin/contents/{id}/assets": EDITOR,
    "PUT /v1/admin/contents/{id}/assets/{asset}": EDITOR,
    "DELETE /v1/admin/contents/{id}/assets/{asset}": EDITOR,
    "GET /v1/admin/channels": EDITOR,
    "POST /v1/admin/channels": EDITOR,
    "GET /v1/admin/channels/{id}": EDITOR,
    "PATCH /v1/admin/channels/{id}": EDITOR,
    "POST /v1/admin/channels/{id}/moves": EDITOR,
    **_book("package", "POST /v1/admin/packages/{id}/moves"),
    **_book("offer", "POST /v1/admin/offers/{id}/moves"),
    **_book("blackout", "DELETE /v1/admin/blackouts/{id}"),
    "POST /v1/entitlements/explain": SUPPORT,
    "GET /v1/entitlements": Row(CHECK),
    "POST /v1/entitlements": SERVICE,
    "DELETE /v1/entitlements/{id}": SERVICE,
    "GET /v1/admin/entitlements": SUPPORT,
    "GET /v1/admin/keys": ADMIN,
    "POST /v1/admin/keys": ADMIN,
    "GET /v1/admin/keys/{id}": ADMIN,
    "POST /v1/admin/keys/{id}/rotate": ADMIN,
    "DELETE /v1/admin/keys/{id}": ADMIN,
    "GET /v1/admin/epg/sources": EDITOR,
    "GET /v1/admin/epg/imports": EDITOR,
    "GET /v1/admin/sessions": SUPPORT,
    "GET /v1/admin/sessions/{id}": SUPPORT,
    "POST /v1/admin/sessions/{id}/terminate": SUPPORT,
    "GET /v1/admin/recordings": ADMIN,
    "GET /v1/admin/audit": ADMIN,
    "GET /v1/admin/dlq": ADMIN,
    "POST /v1/admin/dlq/{id}/replay": ADMIN,
    "DELETE /v1/admin/dlq/{id}": ADMIN,
    "GET /v1/admin/outbox": ADMIN,
    "GET /v1/events/stream": ADMIN,
}
SCOPES = {row.scope for row in TABLE.values() if row.scope is not None} | {READER}


def test_every_operation_has_its_row() -> None:
    assert {f"{route.method} {route.path}": route.scope for route in ROUTES} == {
        name: row.scope for name, row in TABLE.items()
    }
    assert {name for name, row in TABLE.items() if row.scope in VIEWER_SCOPES | PARTNER} >= {
        name for name, row in TABLE.items() if row.asked
    }
    for name, row in TABLE.items():
        owned = row.scope in VIEWER_SCOPES | PARTNER and "{" in name
        assert bool(row.asked) or not owned, f"{name} takes an id: what of another household's?"


@pytest.fixture
async def file_database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path / 'authz.sqlite'}", timeout_ms=10_000) as database:
        yield database


@pytest.fixture
async def lone_api(file_database: Database, make_api: Any) -> Any:
    return await make_api(file_database)


async def test_all_other_scopes_together_open_nothing(lone_api: Any) -> None:
    """CTL-162: whoever may do all but this, and whoever only reads, is refused by name."""
    for route in ROUTES:
        if route.scope is None:
            continue
        url = lone_api.url + route.path.replace("{", "").replace("}", "")
        reads = route.method == "GET" and route.scope in READ
        wrong = [SCOPES - {route.scope, READER}]
        wrong += [] if reads else [frozenset({READER}), frozenset({route.scope.upper()})]
        for scopes in wrong:
            headers = lone_api.bearer(scopes=frozenset(scopes))
            async with lone_api.client.request(route.method, url, headers=headers) as answer:
                told = json.loads(await answer.read())
            assert (answer.status, told.get("code")) == (403, "forbidden_scope"), (url, scopes)
            assert told["scope"] == route.scope


@pytest.fixture
async def home(kept: Any, make_api: Any) -> Any:
    """A household that owns one of everything; `api.owned` are the ids, by the names of `TABLE`."""
    recorder = Recorder(kept, now_ms=now_ms())
    await recorder.begin(INTRUDER)
    api = await make_api(kept)
    start_ms = now_ms() + HOUR
    event = {"event_id": await recorder.event(start_ms, start_ms + HOUR, series_crid="s")}
    hook = {"url": "https://hooks.example/in", "topics": ["account.*"]}
    made = {
        "recording": await _made(api, "POST", "/v1/recordings", event),
        "rule": await _made(api, "POST", "/v1/recording-rules", event),
        "profile": await _made(api, "POST", "/v1/profiles", {"name": "Ada"}),
        "session": (await api.start("one"))[1]["session_id"],
        "hook": await _made(api, "POST", "/v1/webhooks", hook),
    }
    assert (await api.send("PUT", "/v1/bookmarks/cnt_film", MARK))[0] == 200
    assert (await api.send("PUT", "/v1/watchlist/cnt_film"))[0] == 204
    assert (await api.send("POST", "/v1/profiles", {"name": "Bob"}, account_id=INTRUDER))[0] == 201
    api.owned = made
    return api


def _bearer(api: Any, account_id: str) -> dict[str, str]:
    return dict(api.bearer(account_id, scopes=VIEWER_SCOPES | PARTNER))


async def _made(api: Any, method: str, path: str, body: Any) -> str:
    status, answer = await api.send(method, path, body, headers=_bearer(api, seed.ACCOUNT))
    assert status == 201, answer
    return str(answer.get("endpoint", answer)["id"])


async def _ask(api: Any, name: str, account_id: str) -> tuple[int, Any]:
    """A row's request, by one of the two households."""
    method, row = name.partition(" ")[0], TABLE[name]
    headers = _bearer(api, account_id) | {"If-Match": "*"}
    text = json.dumps(row.body)
    for kind, found in api.owned.items():
        text = text.replace(f"{{{kind}}}", found)
    if row.body is not None:
        headers["Content-Type"] = MERGE_PATCH if method == "PATCH" else JSON
    url = api.url + row.asked.format_map(api.owned)
    data = text if row.body is not None else None
    async with api.client.request(method, url, data=data, headers=headers) as answer:
        raw = await answer.read()
        return answer.status, json.loads(raw) if raw else None


async def _seen(api: Any, account_id: str) -> dict[str, Any]:
    """All that a household is told of its own."""
    lists = [name for name, row in TABLE.items() if name[:4] == "GET " and "{" not in name]
    return {
        name: await api.send("GET", name[4:], headers=_bearer(api, account_id))
        for name in lists
        if TABLE[name].scope in VIEWER_SCOPES | PARTNER
    }


async def test_what_belongs_to_another_does_not_exist(home: Any) -> None:
    """CTL-8, CTL-9: 404 on every operation that takes an id, nothing told, nothing changed."""
    before = await _seen(home, seed.ACCOUNT)
    assert all(status == 200 for status, _ in before.values())
    for kind in ("recording", "rule", "profile", "session", "hook"):
        assert home.owned[kind] in json.dumps(before), f"the owner sees the {kind}"
    for name, row in TABLE.items():
        if row.asked:
            status, told = await _ask(home, name, INTRUDER)
            assert (status, told["code"]) == (404, row.code), name
            assert seed.ACCOUNT not in json.dumps(told)
    theirs = json.dumps(await _seen(home, INTRUDER))
    assert not [kind for kind, found in home.owned.items() if found in theirs]
    assert await _seen(home, seed.ACCOUNT) == before
    for name, row in TABLE.items():
        if row.asked and name.startswith(("GET ", "PATCH ")):
            assert (await _ask(home, name, seed.ACCOUNT))[0] == 200, f"{name} by its owner"


OURS = {  # what only we decide
    *("account_id", "owner_id", "role", "roles", "scope", "scopes", "price", "price_minor"),
    *("status", "version", "created_at", "created_ms", "max_streams", "max_devices", "quota_s"),
    *("npvr_quota_s", "tier", "secret", "hash", "via", "entitled", "is_admin", "state"),
}
SAID = {  # a word of `OURS` that a client may say, and where
    ("HeartbeatRequest", "state"): "of the player",
    ("AssetRequest", "state"): "an editor's",
    ("Availability", "tier"): "an editor's",
    ("Credit", "role"): "in a film",
    ("RecordingsQuery", "state"): "a filter",
    ("EntryPage", "status"): "a filter",
    ("DeliveryQuery", "status"): "a filter",
    ("SessionPage", "account_id"): "a filter of support's",
    ("GrantPage", "account_id"): "a filter of support's",
    ("ExplainRequest", "account_id"): "support's",
    ("GrantRequest", "account_id"): "a service's",
    ("NewKey", "scopes"): "an administrator's",
    ("PackageDocument", "tier"): "an operator's",
    ("OfferDocument", "price_minor"): "an operator's",
}


def _structs(shape: Any) -> Iterator[type[msgspec.Struct]]:
    """A request's type and those inside it."""
    known: set[Any] = set()
    waiting: list[Any] = [msgspec.inspect.type_info(shape)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in known:
                continue
            known.add(info.cls)
            yield info.cls
            waiting += [field.type for field in info.fields]
        for name in ("item_type", "value_type", "types"):
            inner = getattr(info, name, ())
            waiting += inner if isinstance(inner, tuple) else [inner]


def test_requests_hold_nothing_that_we_decide() -> None:
    """Mass assignment, by type: unknown members are refused, and none known is one of ours."""
    asked = [shape for route in ROUTES for shape in (route.body, route.query) if shape]
    shapes = {each for shape in asked if shape is not bytes for each in _structs(shape)}
    assert len(shapes) > 30 and all(issubclass(shape, Request) for shape in shapes)
    assert all(shape.__struct_config__.forbid_unknown_fields for shape in shapes)
    assert SAID.keys() == {
        (shape.__name__, name) for shape in shapes for name in OURS & {*shape.__struct_fields__}
    }


async def test_members_that_we_decide_are_refused_by_name(lone_api: Any) -> None:
    """Mass assignment, by request: each body is good until it says one thing too many."""
    every = {scope for scope in SCOPES if scope is not None}
    headers = lone_api.bearer(scopes=frozenset(every))
    at = [utc(now_ms() + hours * HOUR).isoformat() for hours in (1, 2)]
    tape = {"channel_id": "ch_demo", "start_at": at[0], "end_at": at[1]}
    title = {"kind": "movie", "texts": [{"lang": "en", "title": "x"}]}
    for method, path, body, kind in (
        ("POST", "/v1/playback/start", {"device": DEVICE, "channel_id": "ch_demo"}, JSON),
        ("POST", "/v1/entitlements/check", {"device": DEVICE, "channel_id": "ch_demo"}, JSON),
        ("POST", "/v1/profiles", {"name": "Ada"}, JSON),
        ("POST", "/v1/recordings", tape, JSON),
        ("POST", "/v1/recording-rules", {"title": "x"}, JSON),
        ("PUT", "/v1/bookmarks/cnt_film", MARK, JSON),
        ("POST", "/v1/webhooks", {"url": "https://a.example/", "topics": ["*"]}, JSON),
        ("POST", "/v1/catalog/contents", title, JSON),
        ("PATCH", "/v1/catalog/contents/cnt_film", {}, MERGE_PATCH),
        ("PATCH", "/v1/admin/channels/ch_demo", {}, MERGE_PATCH),
    ):
        entry = lone_api.url + path.replace("/catalog/", "/admin/")
        async with lone_api.client.get(entry, headers=headers) as answer:
            tag = answer.headers.get("ETag", "*")
        more = headers | {"Content-Type": kind, "If-Match": tag}
        for name in ("account_id", "roles", "price_minor", "version", None):
            data = json.dumps(body if name is None else body | {name: "acc_b"})
            async with lone_api.client.request(
                method, lone_api.url + path, data=data, headers=more
            ) as answer:
                told = json.loads(await answer.read())
            if name is None:
                assert told.get("code") != "invalid", (path, told)
                continue
            assert (answer.status, told["code"]) == (400, "invalid"), (path, name)
            assert name in told["detail"], "for what was one too many, not for the rest"
