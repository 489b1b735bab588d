"""What services say becomes what the console tells."""

from twins.neighbours import MASTER, MEDIA, METRICS

from headwater.console import readings
from headwater.probe.playlist import parse


def test_overview_says_each_thing_that_is_wrong() -> None:
    services = [
        readings.service("origin", {"ready": True, "parts": {"disk": None}}),
        readings.service("proxy", {"ready": False, "parts": {"keys": "no file", "web": None}}),
        readings.service("router", None),
    ]
    screen = {
        "breakers": [{"region": "", "pathway": "CDN-A", "circuit": "open"}],
        "snapshot": {"stale": True},
    }
    told = readings.overview(0.0, services, METRICS, screen)
    assert [(each.id, each.state) for each in told.channels] == [("demo", "ok"), ("arena", "late")]
    assert told.trouble == [
        "proxy is not ready: keys: no file",
        "router is not ready: no answer",
        "channel arena: nothing new for 73 s",
        "CDN-A in every region: breaker open",
        "router: its snapshot is too old, static priority decides",
    ]
    assert readings.overview(0.0, services[:1], None, None).trouble == []


def test_the_timeline_ends_with_the_segment_to_come() -> None:
    """The newest 30, parts where they are listed."""
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PART-INF:PART-TARGET=0.5\n"
    text += "".join(f"#EXTINF:1,\n{number}.m4s\n" for number in range(40))
    part = '#EXT-X-PART:DURATION=0.5,URI="p.m4s"\n'
    text += part * 2 + "#EXTINF:1,\n40.m4s\n" + part
    url = "http://o/live/demo/v/media.m3u8"
    told = readings.live("demo", parse(url, MASTER), parse(url, text.encode()), None)
    assert [each.number for each in told.pieces] == [*range(11, 42)]
    assert [each.parts_s for each in told.pieces[-3:]] == [[], [0.5, 0.5], [0.5]]
    assert told.pieces[-1].at is None and told.pieces[-1].duration_s == 0.5


def test_overview_counts_viewers_bytes_and_faults() -> None:
    """By whoever speaks: the router alone, the origin alone, nobody."""
    calm = {"breakers": [], "snapshot": {"stale": False}}
    screen = calm | {
        "pathways": [{"sessions": 3, "load_mbps": 1.25}, {"sessions": 4, "load_mbps": 2}]
    }
    sent = (1_500_000_000, 1_000, 10)
    for exposition, said, counted in (
        (METRICS, screen, (7, 3.2, *sent)),
        (None, screen, (7, 3.2, None, None, None)),
        (METRICS, None, (None, None, *sent)),
        (None, None, (None,) * 5),
    ):
        told = readings.overview(0.0, [], exposition, said)
        assert told.traffic == readings.Traffic(*counted)


def test_a_channel_tells_window_tracks_gaps_and_encoders() -> None:
    figures = {"stale": 1.0, "lag_seconds": 4.5, "media_rate": 0.5, "bodies": 1}
    told = readings.live(
        "demo",
        parse("http://o/live/demo/master.m3u8", MASTER),
        parse("http://o/live/demo/v/media.m3u8", MEDIA),
        {"v": {"B": figures}},
    )
    assert (told.window_s, told.target_s, told.part_target_s, told.hold_back_s) == (
        9.5,
        2,
        0.5,
        1.5,
    )
    assert told.discontinuities == 1
    assert [(each.at.second if each.at else None, each.duration_s) for each in told.gaps] == [
        (2, 4.0),
        (7, 2.0),
    ]
    assert [
        (each.number, each.at.second if each.at else None, each.duration_s) for each in told.pieces
    ] == [(7, 0, 2), (8, 2, 2), (9, 4, 2), (10, 6, 1.5), (11, 7, 2)]
    assert [each.number for each in told.pieces if each.gap] == [8, 9, 11]
    assert [each.number for each in told.pieces if each.breaks] == [10]
    assert [(each.kind, each.detail) for each in told.tracks] == [
        ("video", "640x360 · 1.50 Mbit/s"),
        ("audio", "en · English"),
    ]
    assert told.inputs == [readings.Input("v", "B", True, 4.5, 0.5)]
