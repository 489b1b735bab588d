"""From a CDN's log to evidence, over HTTP: who may send it, and what it may weigh (RT-1, RT-22)."""

import gzip
import io
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from pydantic import SecretStr

from cdn_router.cells.state import State
from cdn_router.cmcd.record import Data
from cdn_router.feeds_http import MAX_FEED_BYTES, MAX_LINES
from cdn_router.intake import MAX_LATE_MS, Intake
from cdn_router.logs import Line
from cdn_router.policies.face import Cdn, Cell, Circuit
from cdn_router.server import build, build_intake, parts
from cdn_router.sessions import Viewer
from cdn_router.settings import Settings
from runtime.service import Web

NOW_MS = 1_700_000_000_000
LINE = Line(NOW_MS, "192.0.2.1", 200, "GET", 1_000_000, 10, 810, "DE", 7, {})


@pytest.fixture
def state() -> State:
    return State((Cdn("CDN-A"), Cdn("CDN-B")), NOW_MS / 1000)


@pytest.fixture
def intake(state: State) -> Intake:
    router = build(Settings())
    router.sessions.seen("s1", NOW_MS).viewer = Viewer("film", "FR", "tv", 8)
    return build_intake(Settings(), router, state)


def failures(state: State, intake: Intake, line: Line, *, networks: int, now_ms: int) -> Circuit:
    """How the circuit stands after nine such lines from so many networks."""
    for number in range(9):
        peer = f"192.0.{number % networks}.{number}"
        intake.logged("CDN-A", line._replace(peer=peer), now_ms)
    state.look(now_ms / 1000 + 0.5)
    return state.circuits.circuit("DE", 0)


@pytest.mark.parametrize(
    ("line", "networks", "late_ms", "expected"),
    [
        (LINE._replace(status=503), 3, 0, Circuit.OPEN),
        (LINE._replace(status=503), 3, 5_000, Circuit.OPEN),
        (LINE._replace(status=503), 3, 20_000, Circuit.CLOSED),  # it was so then, not now
        (LINE._replace(status=503), 1, 0, Circuit.CLOSED),
        (LINE._replace(status=404), 3, 0, Circuit.CLOSED),
        (LINE._replace(status=403), 3, 0, Circuit.CLOSED),
        (LINE._replace(status=499), 3, 0, Circuit.CLOSED),
        (LINE._replace(status=0), 3, 0, Circuit.CLOSED),
        (LINE._replace(status=501, method="BREW"), 3, 0, Circuit.CLOSED),
    ],
)
def test_errors_of_the_server_open_the_circuit_and_nothing_a_viewer_can_ask_for(
    state: State,
    intake: Intake,
    line: Line,
    networks: int,
    late_ms: int,
    expected: Circuit,
) -> None:
    found = failures(state, intake, line, networks=networks, now_ms=NOW_MS + late_ms)
    assert found is expected


def test_what_a_player_said_with_its_requests_is_a_sample_of_its_cell(
    state: State, intake: Intake
) -> None:
    said: Data = {"br": [4000], "sid": "s1", "sn": 3}
    for second in range(0, 21, 10):
        at_ms = NOW_MS + second * 1000
        line = LINE._replace(at_ms=at_ms, data=said)
        assert intake.logged("CDN-B", line, at_ms) == "taken"
    evidence = state.snapshot(NOW_MS + 20_000).cells[Cell("FR", "AS8", "", "tv", "film")]
    assert 1.8 < evidence[1].n < 2.0 and evidence[0].n == 0
    session = intake._sessions.get("s1")
    assert session is not None and session.throughput_bps == {"CDN-B": 10_000_000}
    assert session.quality is not None and session.quality.doubles == 0


def test_a_session_weighs_no_more_through_logs(intake: Intake) -> None:
    fates = [intake.logged("CDN-A", LINE._replace(data={"sid": "s1"}), NOW_MS) for _ in range(99)]
    assert fates.count("taken") == 60 and fates.count("over_weight") == 39
    assert intake.logged("CDN-A", LINE._replace(at_ms=NOW_MS - MAX_LATE_MS - 1), NOW_MS) == "late"


async def served(settings: Settings) -> AsyncIterator[str]:
    *_, listener = parts(settings)
    assert isinstance(listener, Web)
    await listener.start()
    yield listener.url
    await listener.drain()
    await listener.stop()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async for each in served(
        Settings(port=0, feed_token=SecretStr("mark-of-a-feed"), feed_per_peer=500)
    ):
        yield each


BEARER = {"Authorization": "Bearer mark-of-a-feed"}


def counted(text: str) -> dict[str, float]:
    """Lines by fate."""
    found = {}
    for line in text.splitlines():
        if line.startswith('headwater_router_log_lines_total{fate="'):
            found[line.split('"')[1]] = float(line.rpartition(" ")[2])
    return found


async def test_a_batch_with_hostile_lines_between(url: str) -> None:
    lines = [
        json.dumps({"time": 4_000_000_000, "status": 503, "client_ip": "192.0.2.1"}),
        json.dumps({"time": 1, "status": 503, "client_ip": "192.0.2.1"}),
        "{" * 5_000,
        "#Software: x",
        "one two",
    ]
    body = "\r\n".join(lines).encode() + b"\n\xff\n"
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{url}/metrics") as answer:
            before = counted(await answer.text())
        async with client.post(f"{url}/logs/CDN-A", data=body, headers=BEARER) as answer:
            assert answer.status == 204
        async with client.get(f"{url}/metrics") as answer:
            after = counted(await answer.text())
    told = {fate: count - before.get(fate, 0) for fate, count in after.items()}
    wanted = {"taken": 1, "late": 1, "json": 1, "fields": 1, "encoding": 1}
    assert {fate: count for fate, count in told.items() if count} == wanted


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "code"),
    [
        ("/logs/CDN-A", {}, b"x", 403, "operator_only"),
        ("/logs/CDN-A", {"Authorization": "Bearer other"}, b"x", 403, "operator_only"),
        ("/logs/CDN-Z", BEARER, b"x", 404, "pathway_unknown"),
        ("/logs/CDN-A", BEARER, b"\r\n\n", 400, "no_record"),
        ("/logs/CDN-A", BEARER, b"x\n" * (MAX_LINES + 1), 413, "too_large"),
        ("/logs/CDN-A", BEARER, b"x" * (MAX_FEED_BYTES + 1), 413, "too_large"),
    ],
)
async def test_refusals(
    url: str, path: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.post(url + path, data=io.BytesIO(body), headers=headers) as answer,
    ):
        assert answer.status == status and (await answer.json())["error"] == code


@pytest.mark.parametrize("path", ["logs/CDN-A", "events", "cmcd"])
async def test_a_body_that_is_not_what_its_coding_says(url: str, path: str) -> None:
    """A refusal: with a 5xx its sender would send it again for ever (CM-31)."""
    coded = BEARER | {"Content-Encoding": "gzip", "Content-Type": "application/cmcd"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/{path}", data=b"plain", headers=coded) as answer,
    ):
        assert answer.status == 400
        assert await answer.json() == {
            "error": "bad_body",
            "detail": "not in its Content-Encoding",
        }


async def test_a_sender_has_its_rate(url: str) -> None:
    async with aiohttp.ClientSession(headers=BEARER) as client:
        for _ in range(40):
            async with client.post(f"{url}/logs/CDN-A", data=b"x\n" * MAX_LINES) as answer:
                if answer.status == 429:
                    break
        assert answer.status == 429 and answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize(("size", "status"), [(1_000, 204), (64 << 20, 413)])
async def test_coded_bodies_are_as_long_as_what_is_in_them(
    url: str, size: int, status: int
) -> None:
    body = gzip.compress(b"x" * size)
    coded = BEARER | {"Content-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/logs/CDN-A", data=body, headers=coded) as answer,
    ):
        assert answer.status == status
