"""Start-over, catch-up and recordings over real sockets (CONTRACT: time window on live, /rec/)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import m3u8
import pytest
from lxml import etree

V, A = "/ingest/demo/Streams(v.cmfv)", "/ingest/demo/Streams(a.cmfa)"
GRID_S = Fraction(48, 25)
GRID = {"channels": {"demo": {"segment_s": "48/25"}}}
MPD = {"m": "urn:mpeg:dash:schema:mpd:2011"}
Start = Callable[..., Any]


class Encoder:
    """Both tracks of the demo channel, one segment a request."""

    def __init__(self, origin: Any, video: Any, audio: Any) -> None:
        self.origin, self.media = origin, {V: video, A: audio}
        for path, media in self.media.items():
            assert origin.push(path, media.header).status == 200

    def push(self, *numbers: int, only: str = "") -> None:
        for number in numbers:
            for path in [only] if only else [V, A]:
                assert self.origin.push(path, self.media[path].segment(number)).status == 200


@pytest.fixture
def encoder(start: Start, video_media: Any, audio_media: Any) -> Encoder:
    return Encoder(start(window_s=8, retention_s=120, **GRID), video_media, audio_media)


def epoch(number: int) -> str:
    """The wall clock of a number's start, as a query has it."""
    return f"{float(number * GRID_S):.6f}"


def listed(origin: Any, path: str) -> Any:
    answer = origin.get(path)
    assert answer.status == 200, answer.body
    return m3u8.loads(answer.text)


def numbers(text: Any) -> list[int]:
    return [int(s.uri[:-4]) for s in text.segments]


def record(origin: Any, **asked: Any) -> Any:
    return origin.push("/recordings", json.dumps(asked).encode(), "POST")


def test_start_over_grows_and_ends(encoder: Encoder, now_number: int) -> None:
    """EVENT while it grows, ENDLIST with its last segment, VOD when nobody is left who saw it grow;
    at no step does a listed line change (HLS-3, HLS-M18)."""
    origin, n = encoder.origin, now_number
    encoder.push(*range(n, n + 12))
    query = f"start={epoch(n + 2)}&end={epoch(n + 14)}"
    path = f"/live/demo/v/media.m3u8?{query}"
    before = ""
    for edge in range(n + 11, n + 20):
        encoder.push(*range(edge, edge + 1) if edge > n + 11 else ())
        answer = origin.get(path)
        text = m3u8.loads(answer.text)
        assert numbers(text) == list(range(n + 2, min(edge, n + 13) + 1))
        assert text.is_endlist == (edge >= n + 13)
        settled = edge >= n + 13 + 4
        assert text.playlist_type == ("vod" if settled else "event")
        assert ("#EXT-X-START:TIME-OFFSET=0" in answer.text) != settled
        if not settled:
            assert answer.text.startswith(before.removesuffix("#EXT-X-ENDLIST\n"))
            before = answer.text
        ages = answer.headers["cache-control"]
        assert (ages == "public, max-age=1") != settled
    assert int(ages.removeprefix("public, max-age=")) >= 60
    assert origin.get(path, **{"If-None-Match": answer.headers["etag"]}).status == 304
    for segment in text.segments:
        assert origin.get(f"/live/demo/v/{segment.uri}").status == 200


def test_a_master_hands_its_range_to_its_children(encoder: Encoder, now_number: int) -> None:
    origin, n = encoder.origin, now_number
    encoder.push(*range(n, n + 10))
    begin = datetime.fromtimestamp(float((n + 1) * GRID_S), UTC)
    spelled = begin.isoformat().replace("+00:00", "Z")
    master = origin.get(f"/live/demo/master.m3u8?start={spelled}&end={epoch(n + 4)}&CMCD=bl%3D1")
    plain = origin.get(f"/live/demo/master.m3u8?end={epoch(n + 4)}&start={epoch(n + 1)}")
    assert master.status == 200 and master.body == plain.body, "every spelling is one render"
    text = m3u8.loads(master.text)
    children = [p.uri for p in text.playlists] + [m.uri for m in text.media if m.uri]
    assert len(children) == 2
    for uri in children:
        assert numbers(listed(origin, f"/live/demo/{uri}")) == [n + 1, n + 2, n + 3]
    live = m3u8.loads(origin.get("/live/demo/master.m3u8").text)
    assert all("?" not in p.uri for p in live.playlists)


def test_gaps_are_told_in_both_worlds(encoder: Encoder, now_number: int) -> None:
    """EXT-X-GAP in HLS, no Period over what is missing in DASH (HLS-9, D13)."""
    origin, n = encoder.origin, now_number
    encoder.push(*range(n, n + 4), *range(n + 7, n + 16))
    query = f"start={epoch(n + 1)}&end={epoch(n + 10)}"
    for track in "va":
        text = listed(origin, f"/live/demo/{track}/media.m3u8?{query}")
        assert numbers(text) == list(range(n + 1, n + 10))
        assert [numbers(text)[i] - n for i, s in enumerate(text.segments) if s.gap_tag] == [4, 5, 6]
        breaks = [numbers(text)[i] - n for i, s in enumerate(text.segments) if s.discontinuity]
        assert breaks == [7]
    root = etree.fromstring(origin.get(f"/live/demo/manifest.mpd?{query}").body)
    periods = root.findall("m:Period", MPD)
    assert root.get("type") == "static" and root.get("availabilityStartTime") is None
    spans = [(p.get("id"), seconds(p.get("start")), seconds(p.get("duration"))) for p in periods]
    assert spans == [
        (f"p{n + 1}", 0, 3 * GRID_S),
        (f"p{n + 7}", 6 * GRID_S, 3 * GRID_S),
    ]
    assert seconds(root.get("mediaPresentationDuration")) == 9 * GRID_S
    for period, first in zip(periods, (n + 1, n + 7), strict=True):
        for template in period.iterfind(".//m:SegmentTemplate", MPD):
            scale = int(template.get("timescale"))
            assert int(template.get("startNumber")) == first
            offset = int(template.get("presentationTimeOffset"))
            assert offset == int(first * GRID_S * scale)
            assert abs(int(template.find(".//m:S", MPD).get("t")) - offset) <= scale // 10


def test_a_track_that_is_lost_alone_is_a_gap_of_its_own(encoder: Encoder, now_number: int) -> None:
    """HLS tells it for that track only; nothing can be played together there, so no Period."""
    origin, n = encoder.origin, now_number
    encoder.push(*range(n, n + 4))
    encoder.push(n + 4, only=V)
    encoder.push(*range(n + 5, n + 14))
    query = f"start={epoch(n + 2)}&end={epoch(n + 8)}"
    gaps = {
        track: [
            s.uri
            for s in listed(origin, f"/live/demo/{track}/media.m3u8?{query}").segments
            if s.gap_tag
        ]
        for track in "va"
    }
    assert gaps == {"v": [], "a": [f"{n + 4}.m4s"]}
    root = etree.fromstring(origin.get(f"/live/demo/manifest.mpd?{query}").body)
    periods = [p.get("id") for p in root.findall("m:Period", MPD)]
    assert periods == [f"p{n + 2}", f"p{n + 5}"]


def seconds(text: str) -> Fraction:
    return Fraction(text[2:-1])


def test_an_mpd_grows_and_then_stands_still(encoder: Encoder, now_number: int) -> None:
    """Dynamic to static moves no Period and no time (D2, DASH-M1, DASH-M7, D4)."""
    origin, n = encoder.origin, now_number
    encoder.push(*range(n, n + 6))
    path = f"/live/demo/manifest.mpd?start={epoch(n + 2)}&end={epoch(n + 8)}"
    seen = []
    for edge in range(n + 5, n + 9):
        encoder.push(*[edge] if edge > n + 5 else [])
        root = etree.fromstring(origin.get(path).body)
        (period,) = root.findall("m:Period", MPD)
        counts = [
            sum(int(s.get("r", "0")) + 1 for s in t.iterfind(".//m:S", MPD))
            for t in period.iterfind(".//m:SegmentTimeline", MPD)
        ]
        assert set(counts) == {min(edge, n + 7) - n - 1}
        seen.append((root.get("type"), period.get("id"), period.get("start")))
        if root.get("type") == "dynamic":
            assert root.get("minimumUpdatePeriod") and root.get("timeShiftBufferDepth") is None
            begins = datetime.fromisoformat(root.get("availabilityStartTime")).timestamp()
            assert abs(begins - float((n + 2) * GRID_S)) < 0.002
            assert root.find("m:UTCTiming", MPD) is not None and period.get("duration") is None
        else:
            assert root.get("minimumUpdatePeriod") is None
            assert seconds(root.get("mediaPresentationDuration")) == 6 * GRID_S
    assert seen == [(kind, f"p{n + 2}", "PT0S") for kind in ("dynamic",) * 2 + ("static",) * 2]
    assert origin.get(path).body == origin.get(path.replace("manifest", "ll")).body


def test_refusals_have_codes_and_lifetimes(encoder: Encoder, now_number: int) -> None:
    origin, n = encoder.origin, now_number
    path = "/live/demo/v/media.m3u8"
    assert origin.get(f"{path}?start={epoch(n)}").json == {"error": "range_ahead"}
    encoder.push(*range(n, n + 90))
    for query, status, code in (
        ("start=soon", 400, "bad_time"),
        ("end=5", 400, "range_without_start"),
        (f"start={epoch(n + 9)}&end={epoch(n + 8)}", 400, "range_inverted"),
        (f"start=1&end={epoch(n)}", 400, "range_too_long"),
        (f"start={epoch(n + 200)}", 404, "range_ahead"),
        (f"start={epoch(n - 9)}&end={epoch(n - 8)}", 404, "range_empty"),
        (f"start={epoch(n + 1)}&end={epoch(n + 8)}", 410, "range_gone"),
    ):
        for leaf in (path, "/live/demo/master.m3u8", "/live/demo/manifest.mpd"):
            answer = origin.get(f"{leaf}?{query}")
            assert (answer.status, answer.json["error"]) == (status, code), query
            assert "max-age=" in answer.headers["cache-control"]
    assert origin.get(f"/live/none/master.m3u8?start={epoch(n)}").json["error"] == "unknown_channel"
    assert origin.get(f"/live/demo/x/media.m3u8?start={epoch(n + 80)}").status == 404
    assert origin.get(f"/live/demo/v/{n + 80}.m4s?start=soon").status == 200, "media has no range"


def test_a_recording_outlives_retention_and_restart(encoder: Encoder, now_number: int) -> None:
    """Frozen without a copy: what the live window let go stays, until the recording is deleted."""
    origin, n = encoder.origin, now_number
    encoder.push(*range(n, n + 12))
    asked = {"id": "show", "channel": "demo", "start": epoch(n + 2), "end": epoch(n + 6)}
    answer = record(origin, **asked)
    assert (answer.status, answer.json["state"], answer.json["path"]) == (
        *(201, "complete"),
        "/rec/show/",
    )
    assert record(origin, **asked).status == 200
    encoder.push(*range(n + 12, n + 150))
    origin.kill()
    origin.start()
    assert origin.get(f"/live/demo/v/{n + 60}.m4s").status == 410
    for leaf in ("v/media.m3u8", "a/media.m3u8"):
        text = listed(origin, f"/rec/show/{leaf}")
        assert (numbers(text), text.is_endlist) == (list(range(n + 2, n + 6)), True)
        assert text.playlist_type == "vod"
        for path, media in ((V, "v"), (A, "a")):
            if leaf[0] == media:
                for s in text.segments:
                    body = origin.get(f"/rec/show/{media}/{s.uri}").body
                    assert body == encoder.media[path].segment(int(s.uri[:-4]))
                assert origin.get(f"/rec/show/{media}/init.mp4").body == encoder.media[path].header
    assert origin.get(f"/rec/show/v/{n + 3}.i.m4s").status == 200
    assert origin.get(f"/rec/show/a/{n + 3}.i.m4s").status == 404
    master = m3u8.loads(origin.get("/rec/show/master.m3u8").text)
    assert [p.uri for p in master.playlists] == ["v/media.m3u8"]
    root = etree.fromstring(origin.get("/rec/show/manifest.mpd").body)
    assert root.get("type") == "static"
    assert seconds(root.get("mediaPresentationDuration")) == 4 * GRID_S
    for wrong in (f"v/{n + 6}.m4s", f"v/{n + 1}.m4s", "v/x.m4s", "x/init.mp4", "nothing", ""):
        assert origin.get(f"/rec/show/{wrong}").status == 404
    assert origin.push("/recordings/show", method="DELETE").status == 204
    assert origin.push("/recordings/show", method="DELETE").status == 404
    assert origin.get("/rec/show/master.m3u8").json == {"error": "unknown_recording"}
    encoder.push(n + 150)
    assert origin.get(f"/live/demo/v/{n + 3}.m4s").status == 410, "nothing holds it any more"


def test_a_recording_can_be_played_while_it_grows(encoder: Encoder, now_number: int) -> None:
    origin, n = encoder.origin, now_number
    encoder.push(*range(n, n + 6))
    assert record(origin, id="r", channel="demo", start=epoch(n + 9)).json["state"] == "scheduled"
    assert origin.get("/rec/r/v/media.m3u8").json["error"] == "range_ahead"
    encoder.push(*range(n + 6, n + 12))
    assert origin.push("/recordings/r", method="GET").json["state"] == "recording"
    text = listed(origin, "/rec/r/v/media.m3u8")
    assert (numbers(text), text.is_endlist) == ([n + 9, n + 10, n + 11], False)
    assert origin.get(f"/rec/r/v/{n + 12}.m4s").json["error"] == "too_early"
    closed = record(origin, id="r", channel="demo", start=epoch(n + 9), end=epoch(n + 11))
    assert (closed.status, closed.json["state"]) == (200, "complete")
    text = listed(origin, "/rec/r/v/media.m3u8")
    assert (numbers(text), text.is_endlist) == ([n + 9, n + 10], True)


def test_recordings_are_refused_with_codes(encoder: Encoder, now_number: int) -> None:
    origin, n = encoder.origin, now_number
    encoder.push(*range(n, n + 90))
    good = {"id": "a", "channel": "demo", "start": float(epoch(n + 80)), "end": epoch(n + 85)}
    assert record(origin, **good).status == 201
    for change, status, code in (
        ({"id": "../x"}, 400, "bad_name"),
        ({"channel": "none"}, 404, "unknown_channel"),
        ({"start": "soon"}, 400, "bad_time"),
        ({"start": 1e300}, 400, "bad_time"),
        ({"end": 1}, 400, "range_inverted"),
        ({"more": 1}, 400, "bad_request"),
        ({"id": "b", "start": epoch(n + 1)}, 410, "range_gone"),
        ({"id": "b", "end": "2100-01-01T00:00:00Z"}, 400, "range_too_long"),
        ({"start": epoch(n + 81)}, 409, "conflict"),
    ):
        answer = record(origin, **(good | change))
        assert (answer.status, answer.json["error"]) == (status, code)
    assert origin.push("/recordings", b"{" * 20000, "POST").json["error"] == "bad_request"
    told = origin.push("/recordings", method="GET").json["recordings"]
    assert [each["id"] for each in told] == ["a"]
    assert origin.push("/recordings/none", method="GET").json["error"] == "unknown_recording"
