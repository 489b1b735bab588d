"""Heartbeats and metrics of the control API as evidence (RT-1, CTL-106, CTL-171, CTL-173)."""

import json
from datetime import UTC, datetime

import aiohttp
import pytest

from cdn_router.cells.state import State
from cdn_router.feeds import EventError, read
from cdn_router.policies.face import Cdn, Cell, Circuit
from cdn_router.server import build, build_intake, parts
from cdn_router.sessions import Viewer
from cdn_router.settings import Settings
from runtime.service import Web

NOW_MS = 1_700_000_000_000


def event(
    at_ms: int, session: str = "s1", kind: str = "playback.heartbeat", **data: object
) -> bytes:
    """As control_api.events.envelope writes one."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": "evt_1",
            "source": "/headwater/control",
            "type": kind,
            "subject": session,
            "time": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(),
            "datacontenttype": "application/json",
            "dataschema": f"urn:headwater:schema:{kind}:1",
            "data": data,
        }
    ).encode()


def test_heartbeats_become_samples_of_the_cdn_they_name() -> None:
    state = State((Cdn("CDN-A"), Cdn("CDN-B")), NOW_MS / 1000)
    router = build(Settings())
    router.sessions.seen("s1", NOW_MS).viewer = Viewer("film", "DE", "tv", 7)
    intake = build_intake(Settings(), router, state)
    for second in range(0, 61, 30):
        at_ms = NOW_MS + second * 1000
        beat = event(at_ms, position_ms=9, state="playing", bitrate_kbps=4000, cdn="CDN-B")
        assert intake.told(read(beat), "", at_ms) == "taken"
    cell = Cell("DE", "AS7", "", "tv", "film")
    evidence = state.snapshot(NOW_MS + 60_000).cells[cell]
    assert evidence[0].n == 0 and evidence[1].n > 5
    at_ms = NOW_MS + 66_000
    metric = event(at_ms, kind="qoe.metric", stalled_ms=2000, throughput_kbps=9000, cdn="CDN-Z")
    assert intake.told(read(metric), "", at_ms) == "taken"
    session = router.sessions.get("s1")
    assert session is not None and session.quality is not None
    assert session.quality.to_json()["stalls"] == {"CDN-B": {"count": 1, "ms": 2000}}
    assert intake.told(read(event(NOW_MS - 1)), "", NOW_MS + 900_000) == "late"


def test_events_alone_open_no_circuit() -> None:
    state = State((Cdn("CDN-A"), Cdn("CDN-B")), NOW_MS / 1000)
    intake = build_intake(Settings(), build(Settings()), state)
    for number in range(20):
        for kind in ("playing", "failed"):
            told = event(NOW_MS + number, f"s{number}", state=kind, cdn="CDN-A")
            intake.told(read(told), "", NOW_MS + number)
    state.look(NOW_MS / 1000 + 1)
    assert state.circuits.circuit("", 0) is Circuit.CLOSED
    assert state.own.seconds[NOW_MS // 1000]["", 0].failed == 20


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "malformed"),
        (b"\xff", "malformed"),
        (b'{"a":' + b"[" * 9_000, "malformed"),
        (event(NOW_MS, bitrate_kbps=-1), "malformed"),
        (event(NOW_MS, state="flying"), "malformed"),
        (event(NOW_MS, cdn="x" * 65), "malformed"),
        (event(NOW_MS, kind="bookmark.updated"), "other_type"),
        (event(NOW_MS, note="x" * 20_000), "too_long"),
    ],
)
def test_what_is_no_event_of_ours(raw: bytes, code: str) -> None:
    with pytest.raises(EventError, match=code):
        read(raw)


async def test_a_batch_over_http() -> None:
    *_, listener = parts(Settings(port=0))
    assert isinstance(listener, Web)
    await listener.start()
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    body = b"\n".join([event(now_ms, state="playing", buffer_ms=700), b"?", event(1)])
    async with aiohttp.ClientSession() as client:
        async with client.post(f"{listener.url}/events", data=body) as answer:
            assert answer.status == 204
        async with client.get(f"{listener.url}/v1/sessions/s1") as answer:
            assert (await answer.json())["quality"]["buffer_ms"] == 700
        async with client.get(f"{listener.url}/metrics") as answer:
            text = await answer.text()
        for fate in ("taken", "malformed", "late"):
            assert f'headwater_router_feed_events_total{{fate="{fate}"}} 1.0' in text
    await listener.drain()
    await listener.stop()
