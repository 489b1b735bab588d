"""Sources without epoch time: the rules alone, a channel on a clock of its own, and real ffmpeg."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import m3u8
import pytest

from native.bmff import parse_chunk
from native.http import Hot
from origin.errors import BadMedia
from origin.ingest.body import TrackBody
from origin.live.anchor import Anchor, Arrival, Held, epoch_locked, landing
from origin.live.channels import Channels
from origin.settings import Settings

NOW_S = 1_800_000_000
D_S = Fraction(2)


def held(now_s: float, **heads: float) -> Held:
    """A channel whose tracks end there and are published up to there."""
    ends = {name: Fraction(end) for name, end in heads.items()}
    edge_s = max(ends.values(), default=Fraction(0)) // D_S * D_S
    return Held(Fraction(now_s), D_S, int(edge_s / D_S) - 1, edge_s, ends)


def arrival(track: str, start_s: float, *, headed: bool = False) -> Arrival:
    return Arrival(track, Fraction(start_s), Fraction(start_s) + D_S, headed)


@pytest.mark.parametrize(
    ("raw_s", "locked"), [(NOW_S, True), (NOW_S - 43200, True), (NOW_S + 43201, False), (0, False)]
)
def test_media_near_the_clock_is_epoch_time(raw_s: int, locked: bool) -> None:
    assert epoch_locked(Fraction(raw_s), NOW_S, 43200) is locked


def test_a_session_lands_at_the_clock_and_behind_what_is_there() -> None:
    shift_s = landing(0, Fraction(0), Fraction(2), held(NOW_S + 0.5))
    assert shift_s == NOW_S - 2, "the media ends at the last boundary before now"
    for head_s, begin_s in ((20, 20), (20.1, 22), (19.9, 20)):
        shift_s = landing(0, Fraction(0), Fraction(2), held(NOW_S, v=NOW_S + 20, a=NOW_S + head_s))
        assert shift_s == NOW_S + begin_s, "an audio segment may reach over its boundary"
    late = 4 * NOW_S
    shift_s = landing(2 * NOW_S, Fraction(late), Fraction(late + 2), held(NOW_S))
    assert 4 * NOW_S + shift_s == NOW_S - 2, "clocks that run ahead are moved back"


# raw start of a new request of track v, whose session began at raw 0 and has come to raw 100
FOLLOWS = [
    ("the next segment", 100, 0, False, True),
    ("the next one after its header came again", 100, 0, True, True),
    ("a repeat (I6)", 96, 0, False, True),
    ("a repeat from before a cut (I13)", 94, 3, True, True),
    ("the live edge after a lost minute (I13)", 160, 60, True, True),
    ("an encoder that began anew", 0, 0, False, False),
    ("an encoder that began anew after a minute", 0, 60, True, False),
    ("a pause of a minute: its numbers are gaps by now", 100, 60, False, False),
    ("a little back after a minute", 95, 60, False, False),
    ("far ahead of the clock", 400, 0, False, False),
]


@pytest.mark.parametrize(
    ("start_s", "silence_s", "headed", "same"),
    [c[1:] for c in FOLLOWS],
    ids=[c[0] for c in FOLLOWS],
)
def test_which_media_follows(start_s: int, silence_s: int, headed: bool, same: bool) -> None:
    begin_s = NOW_S - 102
    anchor = Anchor(str(begin_s), str(begin_s), {"v": str(begin_s)})
    state = held(NOW_S + silence_s, v=begin_s + 100)
    if silence_s == 60:
        state = held(NOW_S + silence_s, v=begin_s + 100, edge=NOW_S + 50)
    found = anchor.continued(arrival("v", start_s, headed=headed), state)
    assert found == (begin_s if same else None)


def test_an_early_restart_is_known_by_its_header() -> None:
    anchor = Anchor(str(NOW_S), str(NOW_S), {"v": str(NOW_S)})
    state = held(NOW_S + 5, v=NOW_S + 4)
    assert anchor.continued(arrival("v", 0, headed=True), state) is None
    assert anchor.continued(arrival("v", 0), state) == NOW_S


def test_the_other_tracks_join_the_newest_session() -> None:
    old_s, new_s = NOW_S - 100, NOW_S
    anchor = Anchor(str(old_s), str(old_s), {"v": str(old_s), "a": str(old_s)})
    anchor.begin(Fraction(new_s), Fraction(new_s))
    assert anchor.join("v", Fraction(new_s)) and not anchor.join("v", Fraction(new_s))
    state = held(NOW_S + 3, v=NOW_S + 2, a=NOW_S - 10)
    assert anchor.continued(arrival("a", 0), state) == new_s
    later = held(NOW_S + 300, v=NOW_S + 300, a=NOW_S - 10)
    assert anchor.continued(arrival("a", 0), later) is None, "it restarted alone, long after"


class Rig:
    """A channel set on a clock of its own; media is pushed at its raw time."""

    def __init__(self, folder: Path, media: dict[str, Any]) -> None:
        self.folder, self.media = folder, media
        self.now_s = float(NOW_S)
        self.restart()

    def restart(self) -> None:
        self.channels = Channels(self.folder, Settings(), Hot(), lambda: self.now_s)
        self.channels.open()

    def body(self, name: str) -> TrackBody:
        return TrackBody(self.channels, "demo", name, Settings(), lambda: self.now_s)

    def push(self, name: str, data: bytes) -> None:
        body = self.body(name)
        body.feed(data)
        body.finish()

    def headers(self) -> None:
        for name, media in self.media.items():
            self.push(name, media.header)

    def play(self, first: int, last: int) -> None:
        """Both tracks in real time, one segment a request."""
        for number in range(first, last):
            self.now_s += 1.92
            for name, media in self.media.items():
                self.push(name, media.segment(number))

    @property
    def writer(self) -> Any:
        return self.channels.writers["demo"]

    @property
    def channel(self) -> Any:
        return self.channels.presentations["demo"].channel

    def listing(self, name: str) -> list[Any]:
        channel = self.channel
        return channel.listed(channel.tracks[name], channel.kept.first, channel.edge)


@pytest.fixture
def rig(tmp_path: Path, video_media: Any, audio_media: Any) -> Rig:
    return Rig(tmp_path, {"v": video_media, "a": audio_media})


def test_sessions_follow_each_other_without_loss(rig: Rig) -> None:
    """Three encoder lives; the origin restarts in the middle of one; repeats change nothing."""
    rig.headers()
    rig.play(0, 6)
    rig.restart()
    rig.play(6, 10)
    rig.play(8, 10)
    rig.now_s += 30
    for number in (*range(2), *range(2)):
        rig.headers()
        rig.play(number, number + 1)
    rig.play(2, 4)
    video, audio = rig.listing("v"), rig.listing("a")
    real = [s for s in video if not s.gap]
    assert len(real) == len([s for s in audio if not s.gap]) == 10 + 2 + 4
    assert [s.number for s in video] == [s.number for s in audio]
    assert [s.discontinuity for s in video] == [s.discontinuity for s in audio]
    assert sum(s.discontinuity for s in video) == 2
    for v, a in zip(video, audio, strict=True):
        assert v.gap == a.gap
        track = rig.channel.tracks
        apart = Fraction(v.start, track["v"].timescale) - Fraction(a.start, track["a"].timescale)
        assert v.gap or apart == 0, "all tracks of a session have one shift"
    assert abs(rig.channel.edge * 1.92 - rig.now_s) < 10
    assert rig.writer.late_chunks == 0
    again = rig.listing("v")
    rig.restart()
    assert rig.listing("v") == again, "the shifts and what they moved outlive the process"


def test_a_long_absence_costs_no_more_than_a_window(rig: Rig) -> None:
    rig.headers()
    rig.play(0, 4)
    assert len(rig.writer.fill(rig.channel.edge + 10**5)) < 10**4
    rig.now_s += 3 * 10**5
    rig.headers()
    rig.play(0, 4)
    channel = rig.channel
    newest = channel.listed(channel.tracks["v"], channel.edge - 4, channel.edge)
    assert [s.gap for s in newest] == [True, False, False, False, False]
    assert abs(rig.channel.edge * 1.92 - rig.now_s) < 10


def test_raw_media_that_waited_for_the_grid_survives_a_kill_in_between(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.headers()
    rig.now_s += 1.92
    rig.push("a", rig.media["a"].segment(0))
    rig.restart()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("origin.live.track.LiveTrack.settle", die)
        with pytest.raises(KeyboardInterrupt):
            rig.push("v", rig.media["v"].segment(0))
    rig.restart()
    rig.play(1, 4)
    for name in "va":
        found = [s for s in rig.listing(name) if not s.gap]
        assert len(found) == 4, "nothing acknowledged is lost"
        track = rig.channel.tracks[name]
        chunk = parse_chunk(track.read(track.whole(found[0].number)), track.track)
        assert chunk.decode_time == found[0].start


def test_faster_than_time_is_refused_and_an_older_session_ends(rig: Rig) -> None:
    rig.headers()
    with pytest.raises(BadMedia) as caught:
        for number in range(60):
            rig.push("v", rig.media["v"].segment(number))
    assert caught.value.code == "time_in_future"
    rig.now_s += 200
    old = rig.body("v")
    old.feed(rig.media["v"].header + rig.media["v"].segment(200))
    rig.now_s += 20
    rig.headers()
    rig.push("v", rig.media["v"].segment(0))
    with pytest.raises(BadMedia) as caught:
        old.feed(rig.media["v"].segment(201))
    assert caught.value.code == "superseded"


@contextmanager
def encoder(origin: Any) -> Any:
    """ffmpeg as anybody starts it: real time from zero, one endless request a track."""
    ingest = f"http://127.0.0.1:{origin.ingest_port}/ingest/demo"
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
    argv += ["-re", "-f", "lavfi", "-i", "testsrc2=s=128x72:r=25"]
    argv += ["-re", "-f", "lavfi", "-i", "sine=r=48000"]
    for index, codec, name in (
        (0, ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "24"], "v"),
        (1, ["-c:a", "aac"], "a"),
    ):
        argv += ["-map", str(index), *codec, "-f", "mp4", "-frag_duration", "480000"]
        argv += ["-movflags", "+cmaf+skip_trailer", "-flush_packets", "1", "-method", "PUT"]
        argv += [f"{ingest}/Streams({name}.cmf{name})"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def playlist(origin: Any, track: str) -> Any:
    """Without the segment in the making, which the parser gives no URI."""
    found = m3u8.loads(origin.get(f"/live/demo/{track}/media.m3u8").text)
    found.segments[:] = [segment for segment in found.segments if segment.uri]
    return found


def real(origin: Any, track: str) -> int:
    return sum(not s.gap_tag for s in playlist(origin, track).segments)


def test_a_plain_ffmpeg_that_is_killed_in_a_segment_comes_back(
    start: Callable[..., Any], wait: Callable[..., Any]
) -> None:
    origin = start(channels={"demo": {"segment_s": "24/25"}})
    with encoder(origin):
        wait(lambda: real(origin, "v") >= 4, "the first session")
        assert origin.metric("headwater_origin_ingest_chunks_total") >= 8, "counted while open"
        assert origin.metric("headwater_origin_ingest_bytes_total") > 0
    before = playlist(origin, "v")
    count = real(origin, "v")
    with encoder(origin):
        wait(lambda: real(origin, "v") >= count + 5, "the second session", 40)
        url = f"http://127.0.0.1:{origin.delivery_port}/live/demo/master.m3u8"
        probe = ["ffprobe", "-v", "error", "-live_start_index", "-3", "-read_intervals", "%+2"]
        probe += ["-show_packets", "-of", "json", url]
        done = subprocess.run(probe, check=True, capture_output=True, timeout=60)
    packets = json.loads(done.stdout)["packets"]
    times = [float(p["dts_time"]) for p in packets if p["codec_type"] == "video"]
    assert len(times) >= 40 and {round(b - a, 3) for a, b in pairwise(times)} == {0.04}
    starts = {
        kind: min(float(p["pts_time"]) for p in packets if p["codec_type"] == kind)
        for kind in ("video", "audio")
    }
    assert abs(starts["video"] - starts["audio"]) < 0.1
    video, audio = playlist(origin, "v"), playlist(origin, "a")
    assert [s.uri for s in video.segments][: len(before.segments)] == [
        s.uri for s in before.segments
    ]
    assert sum(s.discontinuity for s in video.segments) == 1
    shared = list(zip(video.segments, audio.segments, strict=False))
    assert all(v.uri == a.uri and v.discontinuity == a.discontinuity for v, a in shared)
    for v, a in shared:
        assert abs((v.program_date_time - a.program_date_time).total_seconds()) < 0.1
    last = video.segments[-1].program_date_time
    assert isinstance(last, datetime) and abs(last.timestamp() - time.time()) < 30
    assert origin.metric("headwater_origin_late_chunks_total") == 0
    assert origin.metric("headwater_origin_anchored_sessions_total") == 2
    assert origin.metric("headwater_origin_delivery_requests_total") > 0
    assert origin.metric('headwater_origin_delivery_answers_total{status="200"}') > 0
    assert origin.metric('headwater_origin_delivery_connections_total{fate="accepted"}') > 0
