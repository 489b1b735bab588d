"""Player models on a clock of their own: start-up, buffer, edge, variants, errors, seeks."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe.world import T0, World

from bench.players import (
    Answer,
    Buffer,
    LivePlayer,
    LowLatencyPlayer,
    Throughput,
    Variant,
    VodPlayer,
    choose,
)
from bench.players.report import Kind, cause

ROOT = "http://origin"


@dataclass(frozen=True)
class Bulk:
    """A track of nothing but size, in bits per second."""

    bps: int
    timescale: int = 1000
    header: bytes = b"h" * 700

    def chunk(self, number: int, index: int) -> bytes:
        return bytes(self.bps // 8 // 5)


class Net:
    """A world behind a line of some bits per second and a delay; it moves the world's clock."""

    def __init__(self, bps: float = 50e6, delay_s: float = 0.01) -> None:
        self.world = World({"v1": Bulk(900_000), "v2": Bulk(500_000), "a1": Bulk(64_000)})  # type: ignore[dict-item]
        self.bps, self.delay_s = bps, delay_s
        self.asked: list[str] = []
        self.broken: dict[str, int] = {}

    def fetch(self, url: str, kind: Kind, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        self.asked.append(url.removeprefix(ROOT))
        self.world.now_s += self.delay_s
        if self.broken.get(parts.path, 0) > 0:
            self.broken[parts.path] -= 1
            return Answer(404)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        reply = self.world.reply(parts.path, query)
        tag = f'"{hash(reply.body)}"'
        if headers.get("if-none-match") == tag:
            return Answer(304, {"etag": tag})
        self.world.now_s += 8 * len(reply.body) / self.bps
        return Answer(reply.status, {"etag": tag}, reply.body)

    def clock(self) -> float:
        return self.world.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.world.now_s += seconds


def test_a_live_player_stays_three_targets_behind() -> None:
    net = Net()
    report = LivePlayer(net.fetch, net.clock, net.sleep).watch(f"{ROOT}/live/master.m3u8", 60)
    assert report.startups_s and report.startups_s[0] < 0.5
    assert report.stalls_s == [] and not report.errors
    assert report.played_s == pytest.approx(60, abs=1)
    assert min(report.latencies_s) > 2.5 and max(report.latencies_s) < 4.6
    segments = [url for url in net.asked if url.endswith(".m4s")]
    assert len(segments) == len(set(segments))
    playlists = [url for url in net.asked if "media.m3u8" in url]
    assert len(playlists) < 2 * 62 + 10, "a playlist is asked for about once a target duration"


def test_a_low_latency_player_blocks_and_stays_near_the_edge() -> None:
    net = Net()
    player = LowLatencyPlayer(net.fetch, net.clock, net.sleep)
    report = player.watch(f"{ROOT}/live/master.m3u8", 30)
    assert report.stalls_s == [] and not report.errors
    assert min(report.latencies_s) > 0.6, "PART-HOLD-BACK"
    assert max(report.latencies_s) < 1.6
    assert any("_HLS_part=" in url for url in net.asked)
    assert any("_HLS_skip=YES" in url for url in net.asked)
    parts = [url for url in net.asked if url.count(".") == 2 and url.endswith(".m4s")]
    assert len(parts) > 2 * 25 * 5
    assert len(parts) == len(set(parts))


def test_the_variant_follows_the_line() -> None:
    net = Net(bps=5e6)
    player = LivePlayer(net.fetch, net.clock, net.sleep)
    assert player.start(f"{ROOT}/live/master.m3u8")
    player.play(T0 + 15)
    assert net.asked[-1].startswith(("/live/v1", "/live/a1"))
    net.bps = 0.9e6
    player.play(T0 + 60)
    report = player.finish()
    assert report.switches >= 2
    assert any("/v2/" in url for url in net.asked[-8:])


def test_a_line_below_the_lowest_variant_stalls() -> None:
    net = Net(bps=0.3e6)
    report = LivePlayer(net.fetch, net.clock, net.sleep).watch(f"{ROOT}/live/master.m3u8", 60)
    assert report.stalls_s
    assert report.stalled_s > 10
    assert report.played_s + report.stalled_s + report.startups_s[0] == pytest.approx(60, abs=5)


def test_latency_lost_in_a_stall_is_caught_up() -> None:
    net = Net()
    player = LivePlayer(net.fetch, net.clock, net.sleep)
    assert player.start(f"{ROOT}/live/master.m3u8")
    player.play(T0 + 10)
    net.sleep(5)
    player.play(T0 + 18)
    behind_s = player.report.latencies_s[-1]
    player.play(T0 + 80)
    report = player.finish()
    assert len(report.stalls_s) == 1 and behind_s > 5
    assert report.latencies_s[-1] < behind_s - 1


def test_an_unchanged_playlist_is_known_by_its_tag() -> None:
    net = Net()
    player = LivePlayer(net.fetch, net.clock, net.sleep)
    assert player.start(f"{ROOT}/live/master.m3u8")
    track = player._tracks[0]
    before = track.playlist
    assert player._refresh(track)
    assert track.playlist is before and not track.grew
    net.sleep(1)
    assert player._refresh(track)
    assert track.playlist is not before and track.grew


def test_errors_are_counted_by_cause_and_tried_again() -> None:
    net = Net()
    net.broken[f"/live/a1/{T0 + 3}.m4s"] = 2
    report = LivePlayer(net.fetch, net.clock, net.sleep).watch(f"{ROOT}/live/master.m3u8", 20)
    assert report.errors == {"missing": 2}
    assert f"/live/a1/{T0 + 4}.m4s" in net.asked


def test_a_channel_that_is_not_there_never_starts() -> None:
    net = Net()
    report = LivePlayer(net.fetch, net.clock, net.sleep).watch(f"{ROOT}/none.m3u8", 5)
    assert report.errors == {"missing": 1}
    assert report.startups_s == []


def test_a_film_ends_without_a_stall() -> None:
    net = Net()
    player = VodPlayer(net.fetch, net.clock, net.sleep, Random(1))
    report = player.watch(f"{ROOT}/vod/master.m3u8", 60)
    assert report.stalls_s == []
    assert report.played_s == pytest.approx(6, abs=0.1)


def test_a_restless_viewer_starts_and_seeks() -> None:
    net = Net()
    player = VodPlayer(net.fetch, net.clock, net.sleep, Random(3))
    report = player.tour([f"{ROOT}/vod/master.m3u8"], 60, stay_s=2)
    assert len(report.startups_s) > 5 and len(report.seeks_s) > 3
    assert all(0 < s < 1 for s in report.seeks_s)
    assert report.stalls_s == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["v", "a"]),
            st.floats(0.01, 4, allow_nan=False),
            st.floats(0, 4, allow_nan=False),
        ),
        max_size=40,
    )
)
def test_time_is_start_up_play_or_stall(steps: list[tuple[str, float, float]]) -> None:
    buffer, now_s = Buffer(["v", "a"], 0.0, 1.0), 0.0
    for track, wait_s, media_s in steps:
        now_s += wait_s
        buffer.append(now_s, track, media_s)
        assert buffer.played_s <= min(buffer.appended_s.values()) + 1e-6
    buffer.finish(now_s)
    if buffer.startup_s is None:
        assert buffer.played_s == 0 and buffer.stalls_s == []
    else:
        total_s = buffer.startup_s + buffer.played_s + sum(buffer.stalls_s)
        assert total_s == pytest.approx(now_s, abs=1e-6)


def test_an_empty_buffer_is_one_stall_until_enough_is_there() -> None:
    buffer = Buffer(["v"], 0.0, 2.0)
    buffer.append(1.0, "v", 1.0)
    assert not buffer.playing
    buffer.append(2.0, "v", 1.0)
    assert buffer.playing and buffer.startup_s == 2.0
    buffer.advance(5.0)
    assert not buffer.playing and buffer.played_s == 2.0
    buffer.append(6.0, "v", 1.0)
    assert not buffer.playing
    buffer.append(7.0, "v", 1.0)
    assert buffer.stalls_s == [3.0]


def test_the_estimate_is_the_lower_of_two_averages() -> None:
    seen = Throughput()
    assert seen.bps is None
    seen.add(1000, 1)
    assert seen.bps is None, "small answers say nothing"
    for _ in range(20):
        seen.add(1_000_000, 1)
    assert seen.bps == pytest.approx(8e6)
    seen.add(100_000, 2)
    fast, slow = 0.5 ** (2 / 3), 0.5 ** (2 / 9)
    assert slow > fast
    assert seen.bps == pytest.approx(8e6 * fast + 0.4e6 * (1 - fast), rel=0.02)


def test_the_choice_is_cautious() -> None:
    low, high = Variant(500, "low"), Variant(1000, "high")
    assert choose([high, low], None, None) == low
    assert choose([high, low], None, high) == high
    assert choose([high, low], 1250, low) == high
    assert choose([high, low], 1249, high) == low
    assert choose([high, low], 10, high) == low


@pytest.mark.parametrize(
    ("status", "why"),
    [(0, "connection"), (200, None), (206, None), (304, None), (301, "refused"), (403, "refused"),
     (404, "missing"), (410, "gone"), (425, "refused"), (500, "server"), (503, "server")],
)  # fmt: skip
def test_causes(status: int, why: str | None) -> None:
    assert cause(status) == why
