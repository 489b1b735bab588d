"""The proxy over what our own origin writes: every child leads where the origin serves it."""

from fractions import Fraction
from urllib.parse import urljoin

import m3u8
import pytest
from lxml import etree

from manifest_proxy.manifest import Format, compile_manifest
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.urls import Origin, Url
from origin import dash, hls
from origin.tracks import Rendition, Segment

ORIGIN_URL = "http://127.0.0.1:8001"
BASES = {"CDN-A": "http://localhost:8011/cat:TOK", "CDN-B": "http://localhost:8012/cat:TOK"}
POLICY = Policy(
    (Pathway("CDN-B", "http://localhost:8012"), Pathway("CDN-A", "http://localhost:8011")),
    steering_url="http://localhost:8004/steer/x?sid=",
    refresh_url="http://localhost:8003/p/CDN-B~CDN-A",
    clock_url="http://localhost:8003/time",
)
NS = "{urn:mpeg:dash:schema:mpd:2011}"

VIDEO = [
    Rendition(f"v{h}", "video", "avc1.64001f", 90_000, bandwidth=h * 1000, width=h * 2, height=h)
    for h in (360, 720)
]
AUDIO = [
    Rendition(
        f"a_{code}", "audio", "mp4a.40.2", 48_000, code, 128_000, channels=2, sample_rate=48_000
    )
    for code in ("en", "de")
]
SEGMENTS = [Segment(n, n * 180_000, 180_000, 1000) for n in range(100, 106)]


def through(kind: Format, text: str, path: str) -> bytes:
    url = Url.parse(ORIGIN_URL + path)
    compiled = compile_manifest(kind, text.encode(), url, Origin(ORIGIN_URL), POLICY)
    return compiled.render(b"TOK", b"ses_1")


def test_the_multivariant_playlist() -> None:
    text = hls.multivariant([*VIDEO, *AUDIO])
    before = m3u8.loads(text)
    after = m3u8.loads(through(Format.HLS, text, "/live/demo/master.m3u8").decode())
    order = [playlist.stream_info.pathway_id for playlist in after.playlists]
    assert order == ["CDN-B"] * 2 + ["CDN-A"] * 2
    for name, base in BASES.items():
        mine = [p for p in after.playlists if p.stream_info.pathway_id == name]
        assert [p.uri for p in mine] == [f"{base}/live/demo/{p.uri}" for p in before.playlists]
        groups = [media for media in after.media if media.group_id.endswith(f"@{name}")]
        assert [media.uri for media in groups] == [
            f"{base}/live/demo/{media.uri}" for media in before.media
        ]
        assert {p.stream_info.audio for p in mine} == {media.group_id for media in groups}
        assert [p.stream_info.codecs for p in mine] == [
            p.stream_info.codecs for p in before.playlists
        ]


def test_a_media_playlist() -> None:
    text = hls.media_playlist(SEGMENTS, timescale=90_000, target_duration_s=2, epoch_s=0)
    before = m3u8.loads(text)
    after = m3u8.loads(through(Format.HLS, text, "/live/demo/v360/media.m3u8").decode())
    home = BASES["CDN-B"] + "/live/demo/v360/"
    assert [s.uri for s in after.segments] == [home + (s.uri or "") for s in before.segments]
    assert after.segments[0].init_section.uri == home + "init.mp4"
    assert after.media_sequence == before.media_sequence == 100


def film() -> str:
    timelines = [dash.Timeline(rendition, SEGMENTS) for rendition in VIDEO]
    period = dash.Period("p0", Fraction(0), timelines, Fraction(12))
    return dash.static_mpd(period, min_buffer_s=Fraction(2))


def edition() -> str:
    line = dash.Line()
    for segment in SEGMENTS:
        line.append(segment.number, segment.start, segment.duration)
    shown = tuple(dash.Shown(rendition, line, line.mark()) for rendition in VIDEO)
    span = dash.Span(SEGMENTS[0].number, SEGMENTS[-1].number, shown)
    terms = dash.Terms("demo", "manifest", Fraction(2), 2, 60, "/time", 60)
    return dash.write(terms, dash.Edition(212_000, (span,))).joined()


@pytest.mark.parametrize("live", [True, False])
def test_the_mpd(live: bool) -> None:
    text = edition() if live else film()
    out = through(Format.DASH, text, "/live/demo/manifest.mpd")
    tree = etree.fromstring(out)
    bases = tree.findall(f"{NS}BaseURL")
    assert {b.get("serviceLocation"): b.text for b in bases} == {
        name: f"{base}/live/demo/" for name, base in BASES.items()
    }
    steering = tree.find(f"{NS}ContentSteering")
    assert steering is not None and steering.get("defaultServiceLocation") == "CDN-B"
    for template in tree.iter(f"{NS}SegmentTemplate"):
        for name in ("media", "initialization"):
            reference = template.get(name, "")
            resolved = urljoin(bases[0].text or "", reference)
            assert reference and resolved.startswith(BASES["CDN-B"] + "/live/demo/")
    clock = tree.find(f"{NS}UTCTiming")
    assert (clock is not None and clock.get("value") == "http://localhost:8003/time") is live
    own = (f"{NS}BaseURL", f"{NS}ContentSteering")
    kept = [element.tag for element in tree.iter() if element.tag not in own]
    before = [element.tag for element in etree.fromstring(text.encode()).iter()]
    assert kept == [tag for tag in before if tag != f"{NS}PatchLocation"], "DASH-M15"
