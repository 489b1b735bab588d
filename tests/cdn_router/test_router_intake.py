"""POST /cmcd: what is taken, refused and bounded, and where it shows (CM-12, CM-15, CM-31)."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from msgspec.structs import replace
from yarl import URL

from cdn_router.admin.plan import CloneSpec, Plan
from cdn_router.cmcd.notes import REFUSED
from cdn_router.errors import Busy, RequestError, TooLarge
from cdn_router.intake import MAX_BODY_BYTES, MAX_RECORDS, Intake
from cdn_router.rules.rule import Rule
from cdn_router.server import build, build_intake, parts
from cdn_router.settings import Settings
from runtime.service import Web

STALL = "\n".join(
    [
        'e=rr,rc=200,sid="ses_1",sn=0,ts=1000,ttlb=50,url="http://localhost:8011/1.m4s",v=2',
        'e=ps,mtp=(4200),sid="ses_1",sn=1,sta=r,ts=2000,v=2',
        'e=ps,bl=(900;v),sid="ses_1",sn=2,sta=p,ts=2400,v=2',
    ]
).encode()


@pytest.fixture
def intake() -> Intake:
    settings = Settings(max_sessions=8, cmcd_per_peer=10, cmcd_per_session=1)
    return build_intake(settings, build(settings))


@pytest.mark.parametrize(
    ("query", "headers", "buffer_ms"),
    [
        ("", {"CMCD-Session": 'sid="ses_1"', "cmcd-request": "bl=2100"}, 2_100),
        ("?CMCD=bl%3D2100%2Csid%3D%22ses_1%22", {}, 2_100),
        ("?x=1&CMCD=bl%3D(900%3Bv)%2Csid%3D%22ses_1%22%2Cv%3D2", {}, 900),
        ("?CMCD=bl%3D900", {"CMCD-Session": 'sid="ses_1"', "CMCD-Request": "bl=2100"}, 2_100),
    ],
)
async def test_what_a_request_carries(
    url: str, query: str, headers: dict[str, str], buffer_ms: int
) -> None:
    """CM-10, CM-11, CM-13, CM-15: version 1 and 2, and headers before the query."""
    async with aiohttp.ClientSession() as client:
        async with client.get(URL(f"{url}/cmcd{query}", encoded=True), headers=headers) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        async with client.get(f"{url}/v1/sessions/ses_1") as answer:
            assert (await answer.json())["quality"]["buffer_ms"] == buffer_ms


@pytest.mark.parametrize(
    "query", ["", "?cmcd=bl%3D1", "?CMCD=bl%3D1%0Abl%3D2", "?CMCD=%FF", "?CMCD=(("]
)
async def test_what_carries_no_cmcd(url: str, query: str) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.get(URL(f"{url}/cmcd{query}", encoded=True)) as answer,
    ):
        assert answer.status == 400 and (await answer.json())["error"] == "no_record"


def record(session_id: str = "s", number: int = 0) -> bytes:
    return f'e=t,sid="{session_id}",sn={number},ts=5,v=2'.encode()


def test_the_host_of_a_clone_is_a_cdn_of_its_own() -> None:
    """CM-40: so that whoever was told a clone is seen to obey, and its stalls are nobody else's."""
    settings = Settings()
    router = build(settings)
    intake = build_intake(settings, router)
    stall = STALL.replace(b"localhost:8011", b"C.example:8443")
    told = Plan(
        1,
        clones=(CloneSpec("CDN-A", "CDN-C", "c.example"),),
        rules=(Rule("all", weights={"CDN-C": 1}),),
    )
    for generation, (plan, host) in enumerate([(Plan(), "unknown"), (told, "CDN-C")], 1):
        router.apply(replace(plan, generation=generation), 0)
        session = router.sessions.seen(f"s{generation}", 0)
        router.poll("hls", f"sid={session.id}", 0)
        intake.take(stall.replace(b"ses_1", session.id.encode()), "192.0.2.1", 3_000)
        assert session.quality and session.quality.to_json()["stalls"] == {
            host: {"count": 1, "ms": 400}
        }
    assert session.verdict(20_000)[:2] == (True, "segments")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    *_, listener = parts(Settings(port=0, cmcd_per_peer=10))
    assert isinstance(listener, Web)
    await listener.start()
    yield listener.url
    await listener.drain()
    await listener.stop()


@pytest.mark.parametrize(
    "content_type", ["application/cmcd", "text/cmcd", "text/cmcd; charset=utf-8"]
)
async def test_events_reach_the_session(url: str, content_type: str) -> None:
    headers = {"Content-Type": content_type, "Origin": "http://player.example"}
    async with aiohttp.ClientSession() as client:
        await client.post(f"{url}/v1/decisions", json={"session_id": "ses_1"})
        async with client.post(f"{url}/cmcd", data=STALL, headers=headers) as answer:
            assert answer.status == 204 and await answer.read() == b""
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        async with client.get(f"{url}/v1/sessions/ses_1") as answer:
            seen = await answer.json()
        assert seen["throughput_bps"] == {"CDN-A": 4_200_000}
        assert seen["quality"]["stalls"] == {"CDN-A": {"count": 1, "ms": 400}}
        assert seen["quality"]["buffer_ms"] == 900 and seen["quality"]["reports"] == 3
        async with client.get(f"{url}/metrics") as answer:
            assert 'headwater_router_cmcd_records_total{fate="taken"} 3.0' in await answer.text()


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (STALL, "application/json", 415, "content_type"),
        (b"", "application/cmcd", 400, "no_record"),
        (b"<html>", "application/cmcd", 400, "no_record"),
        (b"\xff", "application/cmcd", 400, "encoding"),
        (b"x" * (MAX_BODY_BYTES + 1), "application/cmcd", 413, "too_large"),
        (b"su\n" * (MAX_RECORDS + 1), "application/cmcd", 413, "too_large"),
        (b"su\n" * 101, "application/cmcd", 429, "rate"),
    ],
)
async def test_refusals(url: str, body: bytes, content_type: str, status: int, code: str) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/cmcd", data=body, headers={"Content-Type": content_type}) as answer,
    ):
        assert answer.status == status and (await answer.json())["error"] == code
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert ("Retry-After" in answer.headers) == (status == 429)


async def test_the_preflight(url: str) -> None:
    """CM-15."""
    async with aiohttp.ClientSession() as client, client.options(f"{url}/cmcd") as answer:
        assert answer.status == 204
        allowed = answer.headers["Access-Control-Allow-Headers"]
        assert "CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session" in allowed
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"


def test_one_bad_line_costs_only_itself(intake: Intake) -> None:
    """CM-30."""
    intake.take(b"=\n" + record() + b"\nbr=(", "peer", 0)
    assert intake.records == {("malformed",): 2, ("taken",): 1}
    assert "malformed" in REFUSED


def test_fates(intake: Intake) -> None:
    intake.take(b"\n".join([record(), record(), b"e=t,ts=5,v=2", record("a/b")]), "peer", 0)
    assert intake.records == {("taken",): 1, ("double",): 1, ("no_session",): 2}
    intake.take(record(number=1) + b"\n", "peer", 0)
    assert intake.notes == {("trailing_lf",): 1}


def test_a_spinning_session_weighs_no_more_than_its_share(intake: Intake) -> None:
    """CM-33."""
    for number in range(50):
        intake.take(record(number=number), f"peer{number}", 0)
    assert intake.records == {("taken",): 30, ("over_weight",): 20}


def test_made_up_sessions_push_out_no_real_one() -> None:
    settings = Settings(max_sessions=8)
    router = build(settings)
    intake = build_intake(settings, router)
    router.sessions.seen("real", 0)
    for number in range(100):
        intake.take(record(f"fake{number}"), "peer", 0)
    intake.take(record("real"), "peer", 0)
    assert len(intake.guests) == 2 and len(router.sessions) == 1
    session = router.sessions.get("real")
    assert session is not None and session.quality is not None and session.quality.reports == 1


def test_bounds_come_before_reading(intake: Intake) -> None:
    with pytest.raises(TooLarge):
        intake.take(b"\n" * (MAX_RECORDS + 1), "peer", 0)
    with pytest.raises(RequestError):
        intake.take(b"\n", "peer", 0)
    with pytest.raises(Busy):
        intake.take(b"\n".join([record()] * 101), "peer", 0)
    assert not intake.records


def test_a_batch_is_taken_in_the_order_of_its_times(intake: Intake) -> None:
    intake.take(b"\n".join(reversed(STALL.split(b"\n"))), "peer", 0)
    session = intake.guests.get("ses_1")
    assert session is not None and session.quality is not None
    assert session.quality.to_json()["stalls"] == {"CDN-A": {"count": 1, "ms": 400}}


def test_version_1_counts_too(intake: Intake) -> None:
    intake.take(b'bl=700,mtp=2500,sid="s",url="x"', "peer", 0)
    session = intake.guests.get("s")
    assert session is not None and session.quality is not None
    assert session.quality.buffer_ms == 700


@pytest.mark.parametrize(("proxies", "status"), [(["127.0.0.0/8"], 204), ([], 429)])
async def test_viewers_behind_a_listed_proxy_are_told_apart(
    proxies: list[str], status: int
) -> None:
    """RT-22, CM-33: rates and networks are viewers'. What they write themselves stands left."""
    *_, listener = parts(Settings(port=0, cmcd_per_peer=1, trusted_proxies=proxies))
    assert isinstance(listener, Web)
    await listener.start()
    async with aiohttp.ClientSession() as client:
        for viewer, expected in [("192.0.2.1", 204), ("192.0.2.1", 429), ("192.0.2.2", status)]:
            headers = {
                "Content-Type": "application/cmcd",
                "X-Forwarded-For": f"198.51.100.7, {viewer}",
            }
            batch = b"\n".join([record()] * 8)
            async with client.post(f"{listener.url}/cmcd", data=batch, headers=headers) as answer:
                assert answer.status == expected, viewer
        for told, expected in (
            (headers, 403),
            ({"X-Forwarded-For": "127.0.0.1"}, 403),
            ({}, 200),
        ):
            plan = client.put(f"{listener.url}/v1/plan", json={"generation": 1}, headers=told)
            async with plan as answer:
                here = "without a token the operator is on this machine, and no proxy"
                assert answer.status == expected, here
    await listener.drain()
    await listener.stop()


def test_a_proxy_that_is_no_network() -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(trusted_proxies=["proxy.example"])
