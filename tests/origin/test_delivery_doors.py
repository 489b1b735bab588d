"""Who may ask the delivery port of a running origin (specs/origin-http.md O14, O28 to O31)."""

import itertools
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from origin.delivery import g2o

V, A = "/ingest/{}/Streams(v.cmfv)", "/ingest/{}/Streams(a.cmfa)"
KEY, OLD, NEW, TOKEN = (
    "g2o-key-of-the-edge",
    "old-origin-secret",
    "new-origin-secret",
    "bearer-token",
)
GRID = {"segment_s": "48/25"}
CHANNELS = {
    "demo": GRID,
    "signed": GRID | {"access": {"g2o": {"keys": {"n1": KEY}}}},
    "free": GRID | {"access": {}},
    "far": GRID | {"access": {"allow": ["192.0.2.0/24"]}},
}
unique = itertools.count()


@pytest.fixture
def origin(
    start: Callable[..., Any], video_media: Any, audio_media: Any, now_number: int
) -> Iterator[Any]:
    access = {"secrets": [OLD, NEW], "bearer": [TOKEN]}
    running = start(access=access, channels=CHANNELS, early_status=425, hold_s=0)
    for name in CHANNELS:
        for path, media in ((V, video_media), (A, audio_media)):
            assert running.push(path.format(name), media.header).status == 200
        for number in range(now_number, now_number + 4):
            for path, media in ((V, video_media), (A, audio_media)):
                assert running.push(path.format(name), media.segment(number)).status == 200
    running.number = now_number
    yield running


def ghost(
    target: str, *, ahead_s: float = 0, key: str = KEY, nonce: str = "n1", version: int = 5
) -> dict[str, str]:
    """What Akamai's edge sends with a request for this target."""
    epoch = int(time.time() + ahead_s)
    data = f"{version}, 192.0.2.1, 198.51.100.7, {epoch}, id-{next(unique)}, {nonce}"
    return {g2o.DATA_HEADER: data, g2o.SIGN_HEADER: g2o.sign(version, key.encode(), data, target)}


def key_of(secret: str, token: str = TOKEN) -> dict[str, str]:
    return {"X-Origin-Secret": secret, "Authorization": f"Bearer {token}"}


def check_refused(answered: Any, code: str) -> None:
    assert (answered.status, answered.json) == (403, {"error": code})
    assert answered.headers["cache-control"] == "max-age=1"
    assert answered.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (key_of(OLD), None),
        (key_of(NEW), None),
        (key_of("wrong"), "secret_denied"),
        ({"Authorization": f"Bearer {TOKEN}"}, "secret_denied"),
        ({}, "secret_denied"),
        ({"X-Origin-Secret": NEW}, "bearer_denied"),
        (key_of(NEW, "wrong"), "bearer_denied"),
    ],
)
def test_every_path_of_the_origin_wants_its_secrets(
    origin: Any, headers: dict[str, str], code: str | None
) -> None:
    """O14: wrong, old, new, missing; hot objects, cold ones, the clock and what is not there"""
    base = "/live/demo"
    for path in (
        *(
            f"{base}/v/{origin.number}.m4s",
            f"{base}/master.m3u8",
            f"{base}/v/media.m3u8?_HLS_msn={origin.number}",
        ),
        *("/time", "/live/nobody/master.m3u8", "/vod/none/master.m3u8", "/rec/none/master.m3u8"),
        *("/", f"{base}/master.m3u8?start=1920&end=1924", f"/live/%64emo/v/{origin.number}.m4s"),
    ):
        for method in ("GET", "HEAD"):
            answered = origin.get(path, method, **headers)
            if code is None:
                assert answered.status != 403, path
            elif method == "HEAD":
                assert (answered.status, answered.body) == (403, b"")
            else:
                check_refused(answered, code)
        assert origin.get(path, "OPTIONS").status == 204


def test_a_channel_may_have_a_door_of_its_own(origin: Any) -> None:
    """O14: instead of the origin's, for its recordings too"""
    assert origin.get(f"/live/free/v/{origin.number}.m4s").status == 200
    check_refused(origin.get(f"/live/far/v/{origin.number}.m4s", **key_of(NEW)), "address_denied")
    spec = {"id": "r1", "channel": "signed", "start": origin.number * 1.92, "end": time.time()}
    assert origin.push("/recordings", json.dumps(spec).encode(), "POST").status == 201
    target = "/rec/r1/master.m3u8"
    check_refused(origin.get(target, **key_of(NEW)), "g2o_missing")
    assert origin.get(target, **ghost(target)).status == 200


def test_akamais_edge_signs_what_it_asks_for(origin: Any) -> None:
    """O28, O29, O30: version 5 over path and query as received; each failure has its reason"""
    target = f"/live/signed/v/{origin.number}.m4s?CMCD=br%3D100&x"
    assert origin.get(target, **ghost(target)).status == 200
    again = ghost("/live/signed/v/media.m3u8")
    assert origin.get("/live/signed/v/media.m3u8", **again).status == 200
    check_refused(origin.get("/live/signed/v/media.m3u8", **again), "g2o_replay")
    check_refused(origin.get(target), "g2o_missing")
    check_refused(
        origin.get(target, **ghost(f"/live/signed/v/{origin.number + 1}.m4s")), "g2o_signature"
    )
    check_refused(origin.get(target, **ghost(target.replace("%3D", "="))), "g2o_signature")
    check_refused(origin.get(target, **ghost(target, key="wrong")), "g2o_signature")
    check_refused(origin.get(target, **ghost(target, nonce="n2")), "g2o_key")
    check_refused(origin.get(target, **ghost(target, version=3)), "g2o_version")
    check_refused(origin.get(target, **ghost(target, ahead_s=-100)), "g2o_time")
    check_refused(origin.get(target, **ghost(target, ahead_s=100)), "g2o_time")
    assert origin.get(target, **ghost(target, ahead_s=-20)).status == 200


def test_refusals_and_skew_are_metrics_without_secrets(origin: Any) -> None:
    """O31; an edge that failed is let in as soon as it signs right"""
    target = f"/live/signed/v/{origin.number}.m4s"
    again = ghost(target, ahead_s=20)
    for _ in range(3):
        origin.get(target, **again)
    denied = 'headwater_origin_access_denied_total{channel="signed",code="g2o_replay"}'
    assert origin.metric(denied) == 2
    assert 15 < origin.metric('headwater_origin_g2o_skew_seconds{channel="signed"}') <= 20
    assert origin.metric('headwater_origin_g2o_overflows_total{channel="signed"}') == 0
    origin.get("/time", **key_of("wrong-secret-of-a-stranger"))
    assert origin.get("/time", **key_of(NEW)).status == 200
    with urllib.request.urlopen(f"http://127.0.0.1:{origin.admin_port}/metrics") as response:
        text = response.read().decode()
    for secret in (KEY, OLD, NEW, TOKEN, "wrong-secret-of-a-stranger", again[g2o.SIGN_HEADER]):
        assert secret not in text
