"""Low latency, time shift and failover as viewers have them: real players on a real encoder.

Each plays PLAY_S seconds; HEADWATER_PLAY_S=60 is the long form.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.players_rig import (
    CHUNK_S,
    PLAYERS,
    SEGMENT_S,
    Cinema,
    Encoder,
    Seen,
    Watched,
    cinema,
)
from origin_rigs.running import Origin, until

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(400)]

PLAY_S = int(os.environ.get("HEADWATER_PLAY_S", "15"))
TARGETS_S = [3, 2] if PLAY_S >= 60 else [2]  # of latency; the long form has the easier too
SETTLE_S = 8
SLACK_S = 0.5  # that the median may be beside the target
WINDOW_S, PAST_S, BACK_S = 90, 80, 30


@pytest.fixture(scope="module")
def seats() -> Iterator[Cinema]:
    with cinema() as found:
        yield found


@pytest.fixture(scope="module", params=TARGETS_S, ids=lambda target_s: f"{target_s}s")
def near(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Origin, int]]:
    """A target latency in seconds, and an origin that is pushed to and tells it."""
    folder = tmp_path_factory.mktemp("near")
    settings = {"latency_s": request.param, "window_s": 30}
    with running(folder, **settings) as origin, Encoder(origin.ingest_port):
        ready(origin, "#EXT-X-PART:")
        yield origin, request.param


class running:
    """An origin for a while."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._origin = Origin(folder, **settings)

    def __enter__(self) -> Origin:
        return self._origin.start()

    def __exit__(self, *_: object) -> None:
        assert self._origin.process is not None
        if self._origin.process.poll() is None:
            self._origin.stop()


def ready(origin: Origin, what: str, count: int = 1) -> None:
    path = "/live/demo/v/media.m3u8"
    until(lambda: origin.get(path).text.count(what) >= count, what, 60)
    until(lambda: origin.get("/live/demo/ll.mpd").status == 200, "ll.mpd", 30)


def manifest(origin: Origin, player: str, near: bool = True) -> str:
    leaf = "master.m3u8" if player == "hls.js" else "ll.mpd" if near else "manifest.mpd"
    return f"http://127.0.0.1:{origin.delivery_port}/live/demo/{leaf}"


@pytest.mark.parametrize("player", PLAYERS)
def test_a_player_keeps_to_the_target_and_never_stalls(
    near: tuple[Origin, int], seats: Cinema, player: str, tell: Callable[[str], None]
) -> None:
    """HLS-14..HLS-17, HLS-34, L2, L6, L11."""
    origin, target_s = near
    with seats.seat(player) as seat:
        seat.play(player, manifest(origin, player), near=target_s)
        seat.settle(SETTLE_S)
        seen = seat.watch(PLAY_S)
    tell(f"{player} at {target_s} s: {seen}")
    smooth(seen)
    assert seen.median_s <= target_s + SLACK_S
    if player == "hls.js":
        assert seen.requests["m4s"] >= 1.5 * PLAY_S / CHUNK_S, "it plays parts, of both tracks"


@pytest.mark.parametrize("player", ["dash.js", "Shaka"])
def test_a_player_follows_patches_of_the_regular_form(
    near: tuple[Origin, int], seats: Cinema, player: str, tell: Callable[[str], None]
) -> None:
    """P3 as players understand it: timelines are patched, and the whole MPD is asked for once."""
    origin, _ = near
    with seats.seat(player) as seat:
        seat.play(player, manifest(origin, player, near=False))
        seat.settle(2)
        seen = seat.watch(PLAY_S)
    tell(f"{player} by patches: {seen}")
    smooth(seen)
    assert seen.requests["mpd"] <= 2
    assert seen.requests["mpp"] >= PLAY_S / SEGMENT_S / 2


@pytest.mark.parametrize("player", PLAYERS)
def test_a_player_parked_in_the_past_goes_on(
    seats: Cinema, tmp_path: Path, player: str, tell: Callable[[str], None]
) -> None:
    """Half a minute back in the window: it plays on from there and stays there."""
    with running(tmp_path, window_s=WINDOW_S, retention_s=3 * WINDOW_S) as origin:
        encoder = Encoder(origin.ingest_port, behind_s=PAST_S)
        with encoder, seats.seat(player) as seat:
            ready(origin, "#EXTINF:", int(PAST_S / SEGMENT_S) - 4)
            seat.play(player, manifest(origin, player, near=False))
            seat.settle(2)
            seat.page.evaluate(f"() => {{ video.currentTime -= {BACK_S}; }}")
            seat.page.wait_for_function(
                "!video.seeking && video.readyState >= 3", timeout=20_000, polling=50
            )
            seat.settle(2)
            seen = seat.watch(PLAY_S)
    tell(f"{player} in the past: {seen}")
    smooth(seen)
    assert min(seen.behind_s) >= BACK_S
    assert max(seen.behind_s) - min(seen.behind_s) < 1, "parked, not creeping to the edge"


@pytest.mark.parametrize("player", PLAYERS)
def test_a_viewer_does_not_notice_that_an_encoder_dies(
    seats: Cinema, tmp_path: Path, player: str, tell: Callable[[str], None]
) -> None:
    """AB2, AB3: A and B push the same epoch; A is killed, B completes what A began."""
    with running(tmp_path, window_s=60) as origin:
        a = Encoder(origin.ingest_port, source="A")
        with a, Encoder(origin.ingest_port, source="B", begin_s=a.begin_s):
            ready(origin, "#EXTINF:", 3)
            with seats.seat(player) as seat:
                seat.play(player, manifest(origin, player), near=3)
                seat.settle(SETTLE_S)
                seen = switched(seat, a)
        listed = [origin.get(f"/live/demo/{t}/media.m3u8").text.splitlines() for t in "va"]
    tell(f"{player} across the switch: {seen}")
    smooth(seen)
    for lines in listed:
        assert "#EXT-X-GAP" not in lines and "#EXT-X-DISCONTINUITY" not in lines


def switched(seat: Watched, dies: Encoder) -> Seen:
    """What is seen from just before an encoder dies."""
    before = seat.watch(2)
    dies.kill()
    after = seat.watch(PLAY_S)
    return Seen(
        [*before.behind_s, *after.behind_s],
        [*before.waits, *after.waits],
        after.errors,
        after.requests,
    )


def smooth(seen: Seen) -> None:
    assert list(seen.errors) == []
    assert list(seen.waits) == []


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def say(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}")

    return say
