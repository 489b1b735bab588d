"""Who may ask for what: every operation, every scope, every id of somebody else (CTL-4, 8, 9, 162).

`TABLE` of `control_rigs.rows` says for each operation what it is asked with, and what it answers to
a household that names what belongs to another. A new operation fails here until it has its row.
"""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from control_rigs.recorder import HOUR, Recorder
from control_rigs.rows import DEVICE, INTRUDER, MARK, PARTNER, READ, READER, SCOPES, TABLE

from control_api import seed
from control_api.issuer import VIEWER_SCOPES
from control_api.rights import device_key
from control_api.route import JSON, MERGE_PATCH
from control_api.routes import ROUTES
from control_api.times import now_ms, utc
from control_api.types import Request
from runtime.sql import Database


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
        wrong = [SCOPES - {route.scope, route.formerly, READER}]
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
        "device": device_key(seed.ACCOUNT, "one"),
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
    for kind in ("recording", "rule", "profile", "session", "device", "hook"):
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
    ("JobPage", "state"): "a filter",
    ("DeliveryQuery", "status"): "a filter",
    ("SessionPage", "account_id"): "a filter of support's",
    ("GrantPage", "account_id"): "a filter of support's",
    ("RecordingPage", "state"): "a filter",
    ("RecordingPage", "account_id"): "a filter of support's",
    ("ExplainRequest", "account_id"): "support's",
    ("GrantRequest", "account_id"): "a service's",
    ("NewKey", "scopes"): "an administrator's",
    ("NewAccount", "max_streams"): "an administrator's",
    ("NewAccount", "max_devices"): "an administrator's",
    ("NewAccount", "npvr_quota_s"): "an administrator's",
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
