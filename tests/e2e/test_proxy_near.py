"""Low latency through the proxy beside the origin itself, and start-over: real players on a real
encoder (HLS-M21..M25, DASH-M15, MP-10). It plays for minutes: HEADWATER_PROXY_LONG=1.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from origin_rigs.players_rig import PLAYERS, SEGMENT_S, Cinema, Encoder, Seen, cinema
from origin_rigs.running import Origin, listening, until
from proxy_rigs.town import KEY, NODE, ROOT
from twins.ports import free_port

pytestmark = [
    pytest.mark.browser,
    pytest.mark.serial,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.environ.get("HEADWATER_PROXY_LONG") != "1",
        reason="the long form: HEADWATER_PROXY_LONG=1",
    ),
]

NEAR_S, SETTLE_S, PLAY_S = 3, 8, 20
MORE_S = 0.1  # that a player may be farther behind through the proxy (issue: "+100 ms")
BACK_S = 20


@pytest.fixture(scope="module")
def seats() -> Iterator[Cinema]:
    with cinema() as found:
        yield found


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    folder = tmp_path_factory.mktemp("near")
    origin = Origin(folder, latency_s=NEAR_S, window_s=60).start()
    try:
        with Encoder(origin.ingest_port):
            path = "/live/demo/v/media.m3u8"
            until(lambda: "#EXT-X-PART:" in origin.get(path).text, "parts", 60)
            until(lambda: origin.get("/live/demo/ll.mpd").status == 200, "ll.mpd", 60)
            yield origin
    finally:
        origin.stop()


@pytest.fixture(scope="module")
def proxied(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the channel is behind a proxy that all playlists come through; media do not."""
    port = free_port()
    rules = tmp_path_factory.mktemp("rules") / "r.toml"
    rules.write_text('[[rules]]\nname = "r"\nplaylists = "proxy"\n')
    direct = f"http://127.0.0.1:{origin.delivery_port}"
    settings = {
        "port": port,
        "origin_url": direct,
        "public_url": f"http://127.0.0.1:{port}",
        "steering_url": "",
        "require_token": False,
        "rules_file": str(rules),
        "pathways": [{"id": "A", "base_url": direct}],
    }
    argv = [sys.executable, "-c", NODE, json.dumps({"settings": settings, "keys": [KEY]})]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT}/token"}
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as node:
        try:
            until(lambda: listening(port), "the proxy to listen", 60)
            yield f"http://127.0.0.1:{port}/p/A/live/demo"
        finally:
            node.kill()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def say(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}")

    return say


def watched(seats: Cinema, player: str, base: str) -> Seen:
    leaf = "master.m3u8" if player == "hls.js" else "ll.mpd"
    with seats.seat(player) as seat:
        seat.play(player, f"{base}/{leaf}", near=NEAR_S)
        seat.settle(SETTLE_S)
        return seat.watch(PLAY_S)


@pytest.mark.parametrize("player", PLAYERS)
def test_the_proxy_costs_no_latency(
    origin: Origin, proxied: str, seats: Cinema, player: str, tell: Callable[[str], None]
) -> None:
    direct = f"http://127.0.0.1:{origin.delivery_port}/live/demo"
    seen = {
        name: watched(seats, player, at) for name, at in (("direct", direct), ("proxy", proxied))
    }
    for name, one in seen.items():
        tell(f"{player} {name}: {one}")
        assert list(one.errors) == [] and list(one.waits) == []
    assert seen["proxy"].median_s <= seen["direct"].median_s + MORE_S


@pytest.mark.parametrize("player", PLAYERS)
def test_start_over_through_the_proxy(
    origin: Origin, proxied: str, seats: Cinema, player: str, tell: Callable[[str], None]
) -> None:
    """The first request says from when on; all later ones keep to it (MP-10)."""
    path = "/live/demo/v/media.m3u8"
    until(lambda: origin.get(path).text.count("#EXTINF:") > 2 * BACK_S / SEGMENT_S, "a past", 90)
    begun_s = int(time.time()) - BACK_S
    leaf = "master.m3u8" if player == "hls.js" else "manifest.mpd"
    with seats.seat(player) as seat:
        seat.play(player, f"{proxied}/{leaf}?start={begun_s}")
        span = seat.page.evaluate("[video.seekable.start(0), video.seekable.end(0)]")
        seat.page.evaluate("video.currentTime = video.seekable.start(0) + 0.5")
        seat.page.wait_for_function("!video.seeking && video.readyState >= 3", timeout=30_000)
        seen = seat.watch(5)
    length_s = span[1] - span[0]
    tell(f"{player} from {BACK_S} s ago: {length_s:.1f} s to seek in, {seen}")
    assert list(seen.errors) == []
    assert BACK_S - 8 < length_s < 1.7 * BACK_S, "not the whole window"
