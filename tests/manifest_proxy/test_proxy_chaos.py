"""Faults on purpose, by rung, number and share (MP-22)."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import m3u8
import pytest
from lxml import etree

from manifest_proxy.chaos import spoiled_hls
from manifest_proxy.errors import ManifestError
from manifest_proxy.hls_chaos import is_unlucky
from manifest_proxy.holes import SESSION, TOKEN_MARK, holed, shown
from manifest_proxy.manifest import Format, compile_manifest
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.rulebook import Chaos, Ruleset
from manifest_proxy.selection import Span
from manifest_proxy.urls import Origin, Url
from native.holes import Template
from native.http import Answer, Entity, Refusal, Request

HEAD = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
DASH = Url.parse("http://o:1/live/c/x.mpd")
SET = b"""<AdaptationSet><SegmentTemplate timescale="10" startNumber="%%d"
 media="$RepresentationID$/$Number$.m4s"><SegmentTimeline><S t="%%d" d="10" r="3"/>
</SegmentTimeline></SegmentTemplate><Representation id="%b" bandwidth="1"/></AdaptationSet>"""
MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"><Period id="1" start="PT0S">%b%b
</Period></MPD>""" % (SET % b"v1", (SET % b"v2").replace(b"%d", b"1"))
RULES = """[[rules]]
name = "r"
paths = ["/live/*"]
[[rules.chaos]]
playlists = ["*/v1/*"]
numbers = "3..4"
status = 503
[[rules.chaos]]
playlists = ["*/x.mpd"]
delay_s = 0.2
"""


def media(first: int, count: int = 8) -> bytes:
    body = "".join(f"#EXTINF:1,\r\n{n}.m4s\r\n" for n in range(first, first + count))
    return HEAD + b"#EXT-X-MEDIA-SEQUENCE:%d\n" % first + body.encode()


ORIGIN, HERE = Origin("http://o:1"), Url.parse("http://o:1/live/c/v1/media.m3u8")
POLICY = Policy((Pathway("A", "http://a"),), session="/s:x", chaos_url="http://p/c")


def test_the_bytes_of_a_spoiled_playlist() -> None:
    chaos = [Chaos(numbers=Span(6, 7), status=404), Chaos(numbers=Span(7, 8), status=503)]
    wanted = media(5)
    for number, status in ((6, 404), (7, 404), (8, 503)):
        wanted = wanted.replace(b"\n%d.m4s" % number, b"\nhttp://p/c/%d/%d" % (status, number))
    assert spoiled_hls(media(5), HERE, ORIGIN, chaos, POLICY) == wanted
    for quiet in (Chaos(delay_s=1), Chaos(("*/v2/*",), status=404)):
        assert spoiled_hls(media(5), HERE, ORIGIN, [quiet], POLICY) == media(5)
    with pytest.raises(ManifestError, match="delta"):
        delta = HEAD + b"#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n"
        spoiled_hls(delta, HERE, ORIGIN, chaos, POLICY)


def test_parts_share_the_fate_of_their_segment() -> None:
    """A hint too, which names the file that the part will have (HLS-M25)."""
    parts_ = (
        b'#EXT-X-PART:DURATION=1,URI="13.0.m4s"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="13.1.m4s"\n'
    )
    chaos = [Chaos(numbers=Span(13, 13), segment_delay_s=1)]
    out = spoiled_hls(media(5) + parts_, HERE, ORIGIN, chaos, POLICY)
    late = parts_.replace(b'"13', b'"http://p/c/at-0/A/s:x/cat:%b/live/c/v1/13' % TOKEN_MARK)
    assert out == media(5) + late


@pytest.mark.parametrize(
    ("carrier", "asks", "wanted"),
    [
        ("path", True, "/cat:TOK/x?q"),
        ("query", True, "/x?q&CAT=TOK"),
        ("define", True, "/x?q&CAT={$CAT}"),
        ("query", False, "/x?q"),
    ],
)
def test_late_segments_carry_the_token(carrier: Any, asks: bool, wanted: str) -> None:
    policy = replace(POLICY, carrier=carrier)
    parts_ = [b"<", policy.fault(3, b"/x?q", asks=asks), b">", SESSION]
    template = holed(shown(Template(parts_)))
    text = template.render(b"TOK", b"SID").decode()
    assert text == f"<http://p/c/at-3/A/s:x{wanted}>SID"
    assert policy.fault(3, b"/x?q") == replace(policy, tokenised=True).fault(3, b"/x?q")
    assert replace(policy, tokenised=False).fault(3, b"/x") == b"http://p/c/at-3/A/s:x/x"


def test_segments_of_an_mpd_fail_by_rung_and_number() -> None:
    """The rung by the path of its segments, in every window that lists them (DASH-M1)."""
    chaos = (
        Chaos(("*/v1/*",), Span(3, 3), status=404),
        Chaos(("*/v1/*",), Span(3, 4), throttle_bps=8_000),
    )
    rules = Ruleset("r", chaos=chaos)

    def told(first: int) -> dict[int, str]:
        data = MPD % (first, 10 * first)
        out = compile_manifest(Format.DASH, data, DASH, ORIGIN, POLICY, rules).render(b"T", b"s")
        assert out.count(b"SegmentTemplate") == 2, "the other set keeps its own"
        found = [one.get("media", "") for one in etree.fromstring(out).iter("{*}SegmentURL")]
        return dict(enumerate(found, first))

    assert told(2) == {
        2: "v1/2.m4s",
        3: "http://p/c/404/3",
        4: "http://p/c/at-1/A/s:x/cat:T/live/c/v1/4.m4s",
        5: "v1/5.m4s",
    }
    later = told(4)
    assert later == {**{n: f"v1/{n}.m4s" for n in range(4, 8)}, 4: told(2)[4]}


@pytest.mark.parametrize(
    ("told", "first", "struck"),
    [
        (b'type="static"', b"", 3),
        (b'type="static"', b'startNumber="2"', 2),
        (b'type="dynamic"', b'startNumber="2"', 2),
        (b'type="dynamic"', b'startNumber="3"', 1),
        (b'type="dynamic"', b"", 2),  # its time is 3 of its lengths
    ],
)
def test_segments_named_by_time_fail_by_their_number_too(
    told: bytes, first: bytes, struck: int
) -> None:
    """`startNumber` and on (ISO/IEC 23009-1, 5.3.9.5.3); a live window may tell none."""
    data = (MPD % (1, 20)).replace(b'type="dynamic"', told).replace(b"$Number$", b"$Time$")
    data = data.replace(b'startNumber="1"', first, 1)
    rules = Ruleset("r", chaos=(Chaos(("*/v1/*",), Span(3, 3), status=404),))
    out = compile_manifest(Format.DASH, data, DASH, ORIGIN, POLICY, rules).render(b"T", b"s")
    found = [one.get("media") for one in etree.fromstring(out).iter("{*}SegmentURL")]
    named = [f"v1/{time}.m4s" for time in (20, 30, 40, 50)]
    named[struck - 1] = "http://p/c/404/3"
    assert found == named


def test_a_share_is_drawn_by_seed_alike_everywhere() -> None:
    def drawn(seed: int) -> list[int]:
        chaos = Chaos(share=0.25, seed=seed, status=500)
        return [number for number in range(2000) if is_unlucky(chaos, number)]

    assert 400 < len(drawn(1)) < 600 and drawn(1) == drawn(1) != drawn(2)


@pytest.fixture
async def ask(near: Any) -> AsyncIterator[Callable[..., Awaitable[tuple[int, str]]]]:
    pages = {"master.m3u8": MASTER, "v1/media.m3u8": media(1), "v2/media.m3u8": media(1)}
    pages["x.mpd"] = b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period id="1"/></MPD>'

    def origin(request: Request) -> Answer:
        body = pages.get(request.path.split("/", 3)[3])
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body, content_type="text/plain", cache_control="max-age=60")

    base, session = await near(origin, RULES)

    async def get(path: str) -> tuple[int, str]:
        path = path.replace("http://localhost:8003", "")
        async with session.get(f"{base}{path}") as answer:
            return answer.status, await answer.text()

    yield get


async def test_segments_of_a_rung_fail_with_their_status(ask: Any) -> None:
    _, master = await ask("/p/CDN-A/live/c/master.m3u8")
    _, text = await ask(master.splitlines()[-1])
    uris = [segment.uri for segment in m3u8.loads(text).segments]
    assert [uri.startswith("http://localhost:8003/chaos/503/") for uri in uris] == [
        *[False] * 2,
        *[True] * 2,
        *[False] * 4,
    ]
    assert await ask(uris[2]) == (503, (await ask(uris[3]))[1])
    assert (await ask("/chaos/200/1"))[0] == (await ask("/chaos/x"))[0] == 404
    for path in ("/p/CDN-A/live/c/v2/media.m3u8", "/p/CDN-A/vod/c/v1/media.m3u8"):
        assert "/chaos/" not in (await ask(path))[1], "off where no rule asks for it"


async def test_an_mpd_comes_late(ask: Any) -> None:
    for _ in range(2):
        begun = time.monotonic()
        assert (await ask("/p/CDN-A/live/c/x.mpd"))[0] == 200
        assert time.monotonic() - begun >= 0.2
