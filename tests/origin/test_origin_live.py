"""Live presentations over real sockets: playlist laws, gaps, restarts, manifests against boxes."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import imageio_ffmpeg
import m3u8
import pytest
from lxml import etree

from native.bmff import parse_chunk

V, A = "/ingest/demo/Streams(v.cmfv)", "/ingest/demo/Streams(a.cmfa)"
GRID = {"channels": {"demo": {"segment_s": "48/25"}}}
LONG = {"channels": {"demo": {"segment_s": "96/5"}}}  # no gap by the clock while a test looks
GRID_S = Fraction(48, 25)
MPD = {"m": "urn:mpeg:dash:schema:mpd:2011"}


class Encoder:
    """Both tracks of the demo channel, one segment a request."""

    def __init__(self, origin: Any, video: Any, audio: Any) -> None:
        self.origin, self.media = origin, {V: video, A: audio}
        for path, media in self.media.items():
            assert origin.push(path, media.header).status == 200

    def push(self, number: int, *paths: str) -> None:
        for path in paths or (V, A):
            assert self.origin.push(path, self.media[path].segment(number)).status == 200


def playlist(origin: Any, track: str) -> Any:
    answer = origin.get(f"/live/demo/{track}/media.m3u8")
    assert answer.status == 200
    found = m3u8.loads(answer.text)
    found.segments[:] = [segment for segment in found.segments if segment.uri]
    return found  # without the segment in the making, which the parser gives no URI


def numbers(text: Any) -> list[int]:
    return [int(s.uri[:-4]) for s in text.segments]


def lawful(older: Any, newer: Any) -> None:
    """HLS-1..4, 8: what one version of a playlist may change about the one before."""
    assert newer.target_duration == older.target_duration
    removed = newer.media_sequence - older.media_sequence
    assert removed >= 0
    gone, kept = older.segments[:removed], older.segments[removed:]
    dropped = sum(s.discontinuity for s in gone)
    if removed <= len(older.segments):
        assert (newer.discontinuity_sequence or 0) == (older.discontinuity_sequence or 0) + dropped
    for before, after in zip(kept, newer.segments, strict=False):
        assert str(before) == str(after), "a listed segment changed"
    for segment in newer.segments:
        assert round(segment.duration) <= newer.target_duration
    assert numbers(newer) == list(
        range(newer.media_sequence, newer.media_sequence + len(newer.segments))
    )


def test_a_sliding_window_obeys_the_playlist_laws(
    start: Callable[..., Any], video_media: Any, audio_media: Any, now_number: int
) -> None:
    """Random losses on both tracks: laws hold and both playlists stay aligned (HLS-9, HLS-10)."""
    origin = start(window_s=16, retention_s=64, **GRID)
    encoder = Encoder(origin, video_media, audio_media)
    dice = random.Random(2)
    last: dict[str, Any] = {}
    for number in range(now_number, now_number + 60):
        for path in (V, A):
            if number <= now_number + 1 or dice.random() > 0.15:
                encoder.push(number, path)
        if number == now_number:
            continue
        for track in "va":
            text = playlist(origin, track)
            if track in last:
                lawful(last[track], text)
            last[track] = text
        v, a = last["v"], last["a"]
        assert (v.media_sequence, len(v.segments)) == (a.media_sequence, len(a.segments))
        assert [s.discontinuity for s in v.segments] == [s.discontinuity for s in a.segments]
        for track in "va":
            for segment in last[track].segments:
                status = origin.get(f"/live/demo/{track}/{segment.uri}").status
                assert status == (404 if segment.gap_tag else 200)
    assert any(s.gap_tag for s in last["v"].segments + last["a"].segments)


def test_an_encoder_that_stops_and_returns_leaves_gaps_and_a_break(
    start: Callable[..., Any], video_media: Any, audio_media: Any, now_number: int
) -> None:
    origin = start(**GRID)
    encoder = Encoder(origin, video_media, audio_media)
    for number in (*range(now_number, now_number + 4), *range(now_number + 7, now_number + 11)):
        encoder.push(number)
    for track in "va":
        text = playlist(origin, track)
        assert numbers(text) == list(range(now_number, now_number + 11))
        gaps = [int(s.uri[:-4]) - now_number for s in text.segments if s.gap_tag]
        breaks = [int(s.uri[:-4]) - now_number for s in text.segments if s.discontinuity]
        assert (gaps, breaks) == ([4, 5, 6], [7])
    root = etree.fromstring(origin.get("/live/demo/manifest.mpd").body)
    first, second = root.findall("m:Period", MPD)
    assert (first.get("id"), second.get("id")) == (f"p{now_number}", f"p{now_number + 7}")
    assert first.get("duration") and not second.get("duration")
    start_s = Fraction(second.get("start")[2:-1])
    assert start_s == (now_number + 7) * GRID_S, "the new Period starts where its media does (D13)"


def test_a_silent_encoder_does_not_stop_the_playlists(
    start: Callable[..., Any],
    wait: Callable[..., Any],
    video_media: Any,
    audio_media: Any,
    now_number: int,
) -> None:
    """HLS-6: gaps keep coming by the clock, survive kill -9, and are gaps for ever (I8)."""
    origin = start(channels={"demo": {"segment_s": "48/25"}})
    encoder = Encoder(origin, video_media, audio_media)
    encoder.push(now_number)
    encoder.push(now_number + 1)
    wait(lambda: len(playlist(origin, "v").segments) >= 3, "a gap by the clock", 30)
    older = playlist(origin, "v")
    origin.kill()
    origin.start()
    lawful(older, playlist(origin, "v"))
    assert len(playlist(origin, "v").segments) >= len(older.segments)
    encoder.push(now_number + 2)
    edge = numbers(playlist(origin, "v"))[-1]
    encoder.push(edge + 1)
    text = playlist(origin, "v")
    assert [bool(s.gap_tag) for s in text.segments][:3] == [False, False, True]
    assert text.segments[-1].discontinuity and not text.segments[-1].gap_tag
    assert numbers(playlist(origin, "a")) == numbers(text)


def test_kill_9_loses_nothing_acknowledged(
    start: Callable[..., Any], video_media: Any, audio_media: Any, now_number: int
) -> None:
    """After each kill -9 every acknowledged segment is byte-equal and the playlist goes on."""
    origin = start(retention_s=600, **GRID)
    encoder = Encoder(origin, video_media, audio_media)
    number = now_number
    older = None
    for _ in range(4):
        for _ in range(5):
            encoder.push(number)
            number += 1
        older = older or playlist(origin, "v")
        served = origin.get("/live/demo/v/media.m3u8")
        origin.kill()
        torn = sorted((origin.data / "origin/live/demo/v").glob("*.cmaf"))[-1]
        with torn.open("ab") as file:
            file.write(video_media.segment(number)[:1000])
        with torn.with_suffix(".index").open("ab") as file:
            file.write(b"\x01" * 31)
        origin.start()
        assert origin.get("/live/demo/v/media.m3u8").body == served.body
        lawful(older, playlist(origin, "v"))
        for old in range(now_number, number):
            for track, media in (("v", video_media), ("a", audio_media)):
                answer = origin.get(f"/live/demo/{track}/{old}.m4s")
                assert (answer.status, answer.body) == (200, media.segment(old)), old
        encoder.push(number)
        assert numbers(playlist(origin, "v"))[-1] == number
        number += 1


def test_mpd_equals_the_boxes(
    start: Callable[..., Any], video_media: Any, audio_media: Any, now_number: int
) -> None:
    """D6: S@t == tfdt and S@d == duration of every segment; D7 holds while the window slides."""
    origin = start(window_s=20, retention_s=120, **GRID)
    encoder = Encoder(origin, video_media, audio_media)
    seen: dict[str, dict[int, int]] = {"v": {}, "a": {}, "v.i": {}}
    for number in range(now_number, now_number + 40):
        encoder.push(number)
        if number == now_number:
            continue
        root = etree.fromstring(origin.get("/live/demo/manifest.mpd").body)
        for representation in root.iterfind(".//m:Representation", MPD):
            name = representation.get("id")
            template = representation.find("m:SegmentTemplate", MPD)
            times = {}
            at, n = 0, int(template.get("startNumber"))
            for s in template.iterfind(".//m:S", MPD):
                at = int(s.get("t", at))
                for _ in range(int(s.get("r", 0)) + 1):
                    times[n] = at
                    at, n = at + int(s.get("d")), n + 1
            assert max(times) == number
            common = times.keys() & seen[name].keys()
            assert all(times[k] == seen[name][k] for k in common)
            seen[name] |= times
    for name, media in (("v", video_media), ("a", audio_media)):
        for number, at in seen[name].items():
            body = origin.get(f"/live/demo/{name}/{number}.m4s").body
            assert parse_chunk(body, media.track).decode_time == at
    assert root.get("availabilityStartTime") == "1970-01-01T00:00:00Z"
    clock = origin.get(root.find("m:UTCTiming", MPD).get("value"))
    told = datetime.fromisoformat(clock.text).timestamp()
    assert abs(told - time.time()) < 60 and clock.headers["cache-control"] == "no-store"


def test_statuses_and_freshness_of_delivery(
    start: Callable[..., Any], long_video: Any, long_audio: Any, long_number: int
) -> None:
    """O1, O2, O5..O8: every refusal says how long it holds."""
    origin = start(window_s=80, retention_s=320, hold_s=0.2, hot_bytes=1 << 20, **LONG)
    encoder = Encoder(origin, long_video, long_audio)
    assert origin.get("/live/demo/master.m3u8").json == {"error": "no_media_yet"}
    edge = long_number + 25
    for number in range(long_number, edge + 1):
        encoder.push(number)
    cases = [
        (f"/live/demo/v/{edge}.m4s", 200, ""),
        (f"/live/demo/v/{edge + 1}.m4s", 404, "too_early"),
        (f"/live/demo/v/{edge + 50}.m4s", 404, "too_early"),
        (f"/live/demo/v/{long_number}.m4s", 410, "gone"),
        ("/live/demo/x/1.m4s", 404, "unknown_track"),
        ("/live/none/v/1.m4s", 404, "unknown_channel"),
        ("/live/demo/v/media.txt", 404, "not_found"),
        ("/nowhere", 404, "not_found"),
    ]
    for path, status, code in cases:
        answer = origin.get(path)
        assert answer.status == status, path
        assert "max-age" in answer.headers["cache-control"]
        assert "set-cookie" not in answer.headers
        if code:
            assert answer.json == {"error": code}
    for leaf in ("master.m3u8", "manifest.mpd", "v/media.m3u8", f"v/{edge}.m4s", "v/init.mp4"):
        plain = origin.get(f"/live/demo/{leaf}")
        assert plain.headers["etag"].startswith('"') and plain.headers["last-modified"]
        assert origin.get(f"/live/demo/{leaf}?CMCD=x").body == plain.body, "O12"


def test_a_segment_asked_for_early_is_held_until_it_is_there(
    start: Callable[..., Any], long_video: Any, long_audio: Any, long_number: int
) -> None:
    """O5: the request arrives first, the segment second, the answer is 200."""
    origin = start(hold_s=13, **LONG)
    encoder = Encoder(origin, long_video, long_audio)
    encoder.push(long_number)
    encoder.push(long_number + 1)
    url = f"http://127.0.0.1:{origin.delivery_port}/live/demo/v/{long_number + 2}.m4s"
    ask = "import urllib.request as u; print('go', flush=True); "
    ask += f"print(len(u.urlopen({url!r}).read()))"
    argv = [sys.executable, "-c", ask]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as player:
        assert player.stdout is not None and player.stdout.readline() == "go\n"
        encoder.push(long_number + 2)
        assert int(player.stdout.readline()) == len(long_video.segment(long_number + 2))


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_ffmpeg_dash_output_comes_back_as_it_went_in(
    start: Callable[..., Any], wait: Callable[..., Any], manifest: str
) -> None:
    """A foreign encoder pushes segment by segment; a foreign player reads every frame back."""
    origin = start()
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    argv += ["-f", "lavfi", "-i", "testsrc2=s=128x72:r=25", "-f", "lavfi", "-i", "sine=r=48000"]
    argv += ["-t", "12", "-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "ultrafast"]
    argv += ["-tune", "zerolatency", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0"]
    argv += ["-c:a", "aac", "-f", "dash", "-seg_duration", "2", "-method", "PUT"]
    argv += [f"http://127.0.0.1:{origin.ingest_port}/ingest/demo/manifest.mpd"]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL, timeout=60)
    wait(lambda: len(playlist(origin, "stream0").segments) >= 5, "segments")
    url = f"http://127.0.0.1:{origin.delivery_port}/live/demo/{manifest}"
    probe = (
        ["ffprobe", "-v", "error", "-live_start_index", "0"]
        if "m3u8" in manifest
        else ["ffprobe", "-v", "error"]
    )
    probe += ["-read_intervals", "%+4", "-select_streams", "v:0", "-show_packets"]
    probe += ["-of", "json", url]
    done = subprocess.run(probe, check=True, capture_output=True, timeout=60)
    times = [float(p["dts_time"]) for p in json.loads(done.stdout)["packets"]]
    assert len(times) >= 75
    steps = {round(b - a, 3) for a, b in pairwise(times)}
    assert steps == {0.04}


@pytest.mark.slow
@pytest.mark.serial
def test_a_player_sees_a_minute_of_live_without_a_gap(
    start: Callable[..., Any], wait: Callable[..., Any]
) -> None:
    """Real time, endless chunked requests from ffmpeg: decode times rise by one frame for 60 s."""
    origin = start()
    begin = (int(time.time() / float(GRID_S)) + 1) * GRID_S
    ingest = f"http://127.0.0.1:{origin.ingest_port}/ingest/demo"
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
    argv += ["-re", "-f", "lavfi", "-i", "testsrc2=s=128x72:r=25"]
    argv += ["-re", "-f", "lavfi", "-i", "sine=r=48000"]
    for index, codec, name in (
        (0, ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "48"], "v"),
        (1, ["-c:a", "aac", "-af", "asetpts=PTS+1024"], "a"),
    ):
        argv += ["-map", str(index), *codec, "-output_ts_offset", f"{float(begin):.2f}"]
        argv += ["-f", "mp4", "-movflags", "+cmaf+frag_discont+skip_trailer"]
        argv += ["-frag_duration", str(int(GRID_S * 10**6)), "-flush_packets", "1"]
        argv += ["-method", "PUT", f"{ingest}/Streams({name}.cmf{name})"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as encoder:
        try:
            wait(lambda: origin.get("/live/demo/master.m3u8").status == 200, "live")
            url = f"http://127.0.0.1:{origin.delivery_port}/live/demo/master.m3u8"
            probe = ["ffprobe", "-v", "error", "-read_intervals", "%+60", "-show_packets"]
            probe += ["-select_streams", "v:0", "-of", "json", url]
            done = subprocess.run(probe, check=True, capture_output=True, timeout=110)
        finally:
            encoder.kill()
    times = [float(p["dts_time"]) for p in json.loads(done.stdout)["packets"]]
    assert times[-1] - times[0] >= 58
    assert {round(after - before, 3) for before, after in pairwise(times)} == {0.04}
    assert not done.stderr
