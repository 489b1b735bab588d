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
    assert [(each.kind, each.detail) for each in told.tracks] == [
        ("video", "640x360 · 1.50 Mbit/s"),
        ("audio", "en · English"),
    ]
    assert told.inputs == [readings.Input("v", "B", True, 4.5, 0.5)]
