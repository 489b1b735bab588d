"""Manifests of the proxy: compiled once per origin version, rendered once per viewer; one core.

    python -m bench.bench_manifest --json

Microseconds, so a ratio below 1 is a win. Peers: `m3u8` reading the same playlist, lxml reading and
writing the same MPD: the least that a proxy without holes does per viewer. `splice_live`: a live
playlist of 60 segments with a bumper of five and a token, compiled and rendered for a place that
no viewer joined at yet; `splice_live_shared`: for the next viewer who joined there.
`splice_slate` and `splice_slate_shared`: the same while its source is silent, with a slate in the
last 12 numbers.
Source: MP-40, MP-53; HLS-M8 to M17.
"""

import time
from collections.abc import Callable
from functools import partial
from itertools import cycle

import m3u8
from lxml import etree

from bench import harness
from manifest_proxy.manifest import Format, Spot, compile_manifest
from manifest_proxy.outages import Outage, Shown
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.rulebook import Ruleset, Slate
from manifest_proxy.urls import Origin, Url

ROUND_S = 0.1
CALLS = 4  # between two looks at the clock
ORIGIN = Origin("http://127.0.0.1:8001")
HLS_URL = Url.parse("http://127.0.0.1:8001/live/demo/v720/media.m3u8")
DASH_URL = Url.parse("http://127.0.0.1:8001/live/demo/manifest.mpd")
POLICY = Policy(
    (Pathway("CDN-A", "https://a.cdn.example"), Pathway("CDN-B", "https://b.cdn.example")),
    steering_url="https://steer.example/hls?sid=",
    refresh_url="https://proxy.example/p/CDN-A~CDN-B",
    clock_url="https://proxy.example/time",
)
TOKEN = b"t" * 214  # an HS256 token with the claims of a playback session
BEGUN_MS = 1_767_225_600_000  # 2026-01-01, where playlists begin
SESSION = b"0123456789abcdef"


def playlist(segments: int) -> bytes:
    """A live media playlist: an init section, then time, duration and name per segment."""
    head = (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:885000\n"
        '#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI="init_7f3a.mp4"\n'
    )
    body = "".join(
        f"#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:{at // 60 % 60:02}:{at % 60:02}.000Z\n"
        f"#EXTINF:1.00000,\n{885000 + at}.m4s\n"
        for at in range(segments)
    )
    return (head + body).encode()


def mpd(periods: int, rungs: int) -> bytes:
    """A live MPD with one video ladder, two languages and a timeline in each period."""
    representations = "".join(
        f'\n      <Representation id="v{n}" codecs="avc1.64001f" width="{320 * n}" '
        f'height="{180 * n}" bandwidth="{600000 * n}" frameRate="25" sar="1:1"/>'
        for n in range(1, rungs + 1)
    )
    template = (
        '\n      <SegmentTemplate timescale="90000" media="$RepresentationID$/$Time$.m4s" '
        'initialization="$RepresentationID$/init.mp4"><SegmentTimeline>'
        '<S t="159300000" d="180000" r="29"/></SegmentTimeline></SegmentTemplate>'
    )
    audio = "".join(
        f'\n    <AdaptationSet contentType="audio" lang="{lang}" mimeType="audio/mp4" '
        f'segmentAlignment="true">{template}\n      <Representation id="a_{lang}" '
        'codecs="mp4a.40.2" audioSamplingRate="48000" bandwidth="128000"/>\n    </AdaptationSet>'
        for lang in ("de", "en")
    )
    period = (
        '\n    <AdaptationSet contentType="video" mimeType="video/mp4" segmentAlignment="true">'
        f"{template}{representations}\n    </AdaptationSet>{audio}\n  </Period>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'type="dynamic" profiles="urn:mpeg:dash:profile:isoff-live:2011" '
        'availabilityStartTime="1970-01-01T00:00:00Z" minimumUpdatePeriod="PT2S">'
        + "".join(f'\n  <Period id="p{n}" start="PT{n * 60}S">{period}' for n in range(periods))
        + '\n  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>\n</MPD>\n'
    ).encode()


def cost_us(call: Callable[[], object]) -> float:
    """Microseconds of processor time of one call, over a round of at least ROUND_S."""
    calls, begun = 0, time.process_time()
    while (spent := time.process_time() - begun) < ROUND_S:
        for _ in range(CALLS):
            call()
        calls += CALLS
    return spent / calls * 1e6


def round_trip(data: bytes) -> bytes:
    return etree.tostring(etree.fromstring(data))


def splice_live(case: str, silence: int = 0) -> list[str]:
    """A live playlist for viewers who joined it at 40 places; its source has been silent for so
    many segments.
    """
    data, clip = playlist(60), playlist(5) + b"#EXT-X-ENDLIST\n"
    spot = Spot(clip, Url.parse("http://127.0.0.1:8001/vod/bumper/v720/media.m3u8"))
    rules, slate = Ruleset("r", slate=Slate("/vod/slate", "v720/media.m3u8", 2)), None
    if silence:
        outage = Outage(885060, BEGUN_MS, 1000, 0, 5)
        slate = spot._replace(shown=Shown((outage,), 885060 + silence))
    places = cycle(range(BEGUN_MS + 20_000, BEGUN_MS + 60_000, 1000))
    made = partial(compile_manifest, Format.HLS, data, HLS_URL, ORIGIN, POLICY, rules, slate=slate)

    def spliced() -> bytes:
        return made(bumper=spot._replace(joined_ms=next(places))).render(TOKEN, SESSION)

    peer = partial(m3u8.loads, data.decode())
    again = partial(made(bumper=spot._replace(joined_ms=BEGUN_MS + 20_000)).render, TOKEN, SESSION)
    return [
        compare(case, spliced, "m3u8 loads", peer),
        compare(f"{case}_shared", again, "m3u8 loads", peer),
    ]


def compare(case: str, call: Callable[[], object], peer: str, other: Callable[[], object]) -> str:
    ours, theirs = harness.alternate(lambda: cost_us(call), lambda: cost_us(other))
    return harness.line("manifest", case, ours, "us", peer, theirs)


def measure() -> list[str]:
    """One line per case."""
    lines = []
    for segments in (60, 900, 3600):
        data = playlist(segments)
        compiled = partial(compile_manifest, Format.HLS, data, HLS_URL, ORIGIN, POLICY)
        rendered = partial(compiled().render, TOKEN, SESSION)
        peer = partial(m3u8.loads, data.decode())
        lines.append(compare(f"compile_{segments}", compiled, "m3u8 loads", peer))
        lines.append(compare(f"render_{segments}", rendered, "m3u8 loads", peer))
    lines += [*splice_live("splice_live"), *splice_live("splice_slate", 12)]
    for case, data in {"mpd_3KB": mpd(1, 11), "mpd_87KB": mpd(33, 11)}.items():
        compiled = partial(compile_manifest, Format.DASH, data, DASH_URL, ORIGIN, POLICY)
        lines.append(compare(case, compiled, "lxml", partial(round_trip, data)))
    return lines


if __name__ == "__main__":
    harness.main(__doc__, measure, harness.SERVER_CORE)
