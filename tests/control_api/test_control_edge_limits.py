"""Limits of how often one may ask, and who is counted (CTL-10, CTL-164)."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api import limits
from control_api.issuer import HASHES_AT_ONCE, HASHES_WAITING, Crowded, Passwords
from control_api.route import Deprecated
from control_api.settings import Limits
from runtime import client_address
from runtime.sql import Database
from runtime.store import RedisStore, StoreError

PROXIES = client_address.networks(["10.0.0.0/8"])
DEMO = "demo@headwater.example"
HOUR_MS = 3_600_000


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def shared(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        yield None
        return
    store = RedisStore(request.getfixturevalue("redis_url"), timeout_ms=5_000)
    await store.start()
    await store._quick.flushdb()
    yield store
    await store.stop()


async def sign_in(api: Any, password: str, user: str = DEMO, **headers: str) -> tuple[int, Any]:
    body = {"grant_type": "password", "username": user, "password": password}
    async with api.client.post(f"{api.url}/v1/auth/token", json=body, headers=headers) as answer:
        return answer.status, answer.headers.get("Retry-After")


@pytest.fixture
async def file_database(tmp_path: Any) -> Any:
    async with Database(f"sqlite:///{tmp_path / 'limits.sqlite'}", timeout_ms=10_000) as database:
        yield database


@pytest.fixture
async def lone_api(file_database: Any, make_api: Any) -> Any:
    return await make_api(file_database)


@pytest.fixture
async def file_api(file_database: Any, shared: Any, make_api: Any) -> Any:
    return await make_api(file_database, store=shared)


async def test_guessing_passwords_is_slowed_down_however_it_is_spelt(file_api: Any) -> None:
    """Neither the spelling of the name nor a header that anybody can send makes a new guesser."""
    tries = [
        (DEMO, {}),
        (DEMO.upper(), {}),
        (DEMO.title(), {"X-Forwarded-For": "192.0.2.1"}),
        (DEMO, {"X-Forwarded-For": "192.0.2.2, 127.0.0.1"}),
        (DEMO, {"x-forwarded-for": "::1", "Forwarded": "for=192.0.2.3"}),
    ]
    for user, headers in tries:
        assert (await sign_in(file_api, "wrong", user, **headers))[0] == 401
    status, after = await sign_in(file_api, "wrong", DEMO.swapcase(), **{"X-Real-IP": "192.0.2.9"})
    assert status == 429 and 1 <= int(after) <= 60
    assert (await sign_in(file_api, "headwater-demo"))[0] == 429, "not even the right one"
    assert (await sign_in(file_api, "wrong", "other@headwater.example"))[0] == 401


async def test_what_the_server_failed_at_is_no_guess(file_api: Any, monkeypatch: Any) -> None:
    """A sign-in that comes too late is answered calmly, and takes no try from who asked."""
    passwords = file_api.services.passwords

    async def late(*_: Any) -> bool:
        raise Crowded("test")

    assert [(await sign_in(file_api, "wrong"))[0] for _ in range(4)] == [401] * 4
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "matches", late)
        assert [await sign_in(file_api, "wrong") for _ in range(40)] == [(503, "1")] * 40
    assert [(await sign_in(file_api, "wrong"))[0] for _ in range(2)] == [401, 429]


@pytest.mark.parametrize(
    ("patience", "found"), [("1", [503] * 5 + [429]), ("9999999", [503] * 6), ("1e3", [503] * 6)]
)
async def test_only_our_own_limit_gives_a_try_back(
    file_api: Any, monkeypatch: Any, patience: str, found: list[int]
) -> None:
    """Who gives up sooner than the server would is counted all the same."""

    async def held(*_: Any) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(file_api.services.passwords, "matches", held)
    timeouts = file_api.settings.timeouts.model_copy(update={"request_ms": 20})
    monkeypatch.setitem(file_api.settings.__dict__, "timeouts", timeouts)
    headers = {"X-Request-Timeout-Ms": patience}
    assert [(await sign_in(file_api, "wrong", **headers))[0] for _ in range(6)] == found


async def test_passwords_wait_in_a_line_with_an_end(monkeypatch: Any) -> None:
    """Two are looked at, some wait, the next is refused; who gave up is never looked at."""
    passwords, free, looked = Passwords(), threading.Event(), []

    def verify(password: str, _: str) -> bool:
        looked.append(password)
        return free.wait(60)

    monkeypatch.setattr(passwords, "_verify", verify)
    room = HASHES_AT_ONCE + HASHES_WAITING
    line = [asyncio.create_task(passwords.matches(f"p{n}", "hash")) for n in range(room)]
    async with asyncio.timeout(60):
        while len(looked) < HASHES_AT_ONCE:
            await asyncio.sleep(0.01)
    with pytest.raises(Crowded):
        await passwords.matches("one too many", "hash")
    for gone in line[HASHES_AT_ONCE:-1]:
        gone.cancel()
    await asyncio.wait(line[HASHES_AT_ONCE:-1])
    free.set()
    assert await line[-1] and await passwords.matches("next", "hash")
    assert sorted(looked) == sorted(["p0", "p1", f"p{room - 1}", "next"])


async def test_signing_in_costs_nothing(lone_api: Any) -> None:
    """What succeeds is forgiven."""
    assert [(await sign_in(lone_api, "headwater-demo"))[0] for _ in range(8)] == [200] * 8


async def test_starts_of_an_account_are_limited_whatever_the_device(file_api: Any) -> None:
    """5 a second and 20 at once, over all shapes and tokens."""
    found = []
    for number in range(40):
        profile = ("", "/tv", "/mobile", "/web")[number % 4]
        status, told = await file_api.start(f"d{number % 3}", channel_id="ch_demo", profile=profile)
        found.append(status)
        if status == 429:
            assert told["code"] == "rate_limited" and told["limit"] == "start"
            break
    assert found[-1] == 429 and len(found) > 20


async def test_looks_without_a_token_are_counted_by_address(
    file_database: Any, make_api: Any, monkeypatch: Any
) -> None:
    """CTL-164: search and suggestions together, the guide and rails for themselves."""
    usual = limits.rules(Limits())
    hourly = {n: replace(rule, limit=1, burst=1, period_ms=HOUR_MS) for n, rule in usual.items()}
    monkeypatch.setattr(limits, "rules", lambda _: hourly)
    api = await make_api(file_database)
    assert (await api.send("GET", "/v1/search?q=a"))[0] == 200
    assert (await api.send("GET", "/v1/epg/now"))[0] == 200
    for path, rule in (
        ("/v1/search?q=b", "search"),
        ("/v1/search/suggest?q=a", "search"),
        ("/v1/epg", "guide"),
        ("/v1/epg/now", "guide"),
        ("/v1/epg/events/evt_x", "guide"),
        ("/v1/epg/live", "guide"),
        ("/v1/genres", "guide"),
        ("/v1/rails", "guide"),
        ("/v1/rails/genre.x", "guide"),
    ):
        status, told = await api.send("GET", path)
        assert (status, told["code"], told["limit"]) == (429, "rate_limited", rule), path


async def test_limits_hold_without_the_store(lone_api: Any, monkeypatch: Any) -> None:
    """CTL-188: each process counts for itself."""

    async def away(*_: Any, **__: Any) -> None:
        raise StoreError("unavailable", "test")

    monkeypatch.setattr(lone_api.services.store, "gcra", away)
    assert [(await sign_in(lone_api, "wrong"))[0] for _ in range(6)] == [401] * 5 + [429]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", ["10.1.1.1"], "192.0.2.7"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.9", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["nobody"], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1, nobody, 10.0.0.3"], "10.0.0.3"),
        ("::ffff:10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("", ["192.0.2.1"], ""),
    ],
)
def test_the_client_is_the_right_most_hop_that_is_not_ours(
    peer: str, forwarded: list[str], address: str
) -> None:
    assert (
        client_address.client(peer, forwarded, client_address.networks(["10.0.0.0/8"])) == address
    )


@given(st.lists(st.text(max_size=40), max_size=4), st.sampled_from(["192.0.2.7", "2001:db8::1"]))
def test_an_unlisted_peer_says_nothing(forwarded: list[str], peer: str) -> None:
    assert client_address.client(peer, forwarded, PROXIES) == peer


def test_a_subscriber_has_one_ipv6_network() -> None:
    assert client_address.counted("2001:db8::1") == client_address.counted("2001:db8::ffff:2")
    assert client_address.counted("2001:db8:0:1::1") != client_address.counted("2001:db8::1")


def test_deprecation_is_told_in_headers() -> None:
    """RFC 9745 section 2.1, RFC 8594 section 3."""
    assert Deprecated(1_688_169_599, 1_767_225_599, "/v2/x").headers == {
        "Deprecation": "@1688169599",
        "Sunset": "Wed, 31 Dec 2025 23:59:59 GMT",
        "Link": '</v2/x>; rel="successor-version"',
    }
