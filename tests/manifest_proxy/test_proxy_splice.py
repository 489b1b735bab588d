"""A bumper before a title, in HLS and DASH (HLS-M6, M11..M19; DASH-M4..M8)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import m3u8
import pytest
from lxml import etree

from manifest_proxy.hls_splice import filler, with_bumper
from manifest_proxy.mpd_splice import with_bumper_mpd
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Answer, Entity, Refusal, Request, serve

TITLE = b"""#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="i.mp4"
#EXT-X-KEY:METHOD=AES-128,URI="k"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z
#EXTINF:4,
1.m4s
#EXTINF:4,
2.m4s
#EXT-X-ENDLIST
"""
CLIP = b"""#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-PROGRAM-DATE-TIME:2020-01-01T00:00:00.000Z
#EXT-X-MAP:URI="i.mp4"
#EXTINF:2,
1.m4s
#EXTINF:1.5,
2.m4s
#EXT-X-ENDLIST
"""


def lead(uri: bytes) -> bytes:
    return b"../bumper/" + uri


def test_the_bytes_of_a_splice() -> None:
    """DISCONTINUITY, KEY with the origin's number as IV, MAP, the content's own clock, one end."""
    assert (
        with_bumper(TITLE, CLIP, lead).decode()
        == """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="../bumper/i.mp4"
#EXTINF:2,
../bumper/1.m4s
#EXTINF:1.5,
../bumper/2.m4s
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000007
#EXT-X-MAP:URI="i.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z
#EXTINF:4,
1.m4s
#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000008
#EXTINF:4,
2.m4s
#EXT-X-ENDLIST
""".replace(
            "#EXT-X-MEDIA-SEQUENCE:7\n",
            "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n",
        )
    )


def test_another_reader_sees_clip_then_title() -> None:
    found = m3u8.loads(with_bumper(TITLE, CLIP, lead).decode()).segments
    assert [s.init_section.uri for s in found] == ["../bumper/i.mp4"] * 2 + ["i.mp4"] * 2
    assert [s.discontinuity for s in found] == [False, False, True, False]
    assert [bool(s.key) for s in found] == [False, False, True, True]
    assert sum(s.duration for s in found) == 11.5


def test_clear_content_after_a_protected_clip_says_so() -> None:
    clip = CLIP.replace(b"#EXT-X-MAP", b'#EXT-X-KEY:METHOD=AES-128,URI="ck",IV=0x1\n#EXT-X-MAP')
    title = TITLE.replace(b'#EXT-X-KEY:METHOD=AES-128,URI="k"\n', b"")
    out = with_bumper(title, clip, lead)
    assert b'URI="../bumper/ck",IV=0x1\n' in out
    assert b'#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI="i.mp4"\n' in out


def test_independence_holds_only_if_it_holds_for_both() -> None:
    clip = CLIP.replace(b"#EXT-X-INDEPENDENT-SEGMENTS\n", b"")
    assert b"INDEPENDENT" not in with_bumper(TITLE, clip, lead)


@pytest.mark.parametrize(
    "title, clip",
    [
        (TITLE, None),
        (TITLE, CLIP.replace(b"#EXTINF:2,", b"#EXTINF:4.5,")),  # HLS-M11
        (TITLE.replace(b"#EXT-X-ENDLIST\n", b""), CLIP),
        (TITLE, b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n"),
    ],
)
def test_what_cannot_be_spliced_is_left_alone(title: bytes, clip: bytes | None) -> None:
    assert with_bumper(title, clip, lead) == title


def test_a_rendition_that_the_clip_lacks_gets_gaps_of_the_same_lengths() -> None:
    """HLS-M16."""
    out = with_bumper(TITLE, filler(CLIP), lead)
    found = m3u8.loads(out.decode()).segments
    assert [s.duration for s in found] == [2, 1.5, 4, 4]
    assert [bool(s.gap_tag) for s in found] == [True, True, False, False]


MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1M">
<Period id="1" start="PT0S"><AdaptationSet/></Period>
<Period id="2" start="PT30S"><AdaptationSet/></Period></MPD>"""
SPOT = b"""<m:MPD xmlns:m="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT3.5S">
<m:Period id="1"><m:AdaptationSet id="c"/></m:Period></m:MPD>"""


def test_a_period_before_a_title() -> None:
    tree = etree.fromstring(with_bumper_mpd(MPD, SPOT, b"/vod/bumper/"))
    periods = tree.findall("{*}Period")
    shown = [(p.get("id"), p.get("start"), p.get("duration")) for p in periods]
    assert shown == [("bumper", "PT0S", "PT3.5S"), ("1", "PT3.5S", None), ("2", "PT33.5S", None)]
    assert tree.get("mediaPresentationDuration") == "PT63.5S"
    assert periods[0].findtext("{*}BaseURL") == "/vod/bumper/"
    assert periods[0].find("{*}AdaptationSet").get("id") == "c"


@pytest.mark.parametrize(
    "title, clip",
    [
        (MPD, None),
        (MPD.replace(b"static", b"dynamic"), SPOT),
        (MPD, SPOT.replace(b' mediaPresentationDuration="PT3.5S"', b"")),
        (MPD.replace(b' mediaPresentationDuration="PT1M"', b""), SPOT),
    ],
)
def test_periods_that_may_not_move_stay(title: bytes, clip: bytes | None) -> None:
    assert with_bumper_mpd(title, clip, b"/vod/bumper/") == title


TEXT = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:8,\n1.vtt\n#EXT-X-ENDLIST\n"
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
PAGES = {
    "/vod/t/master.m3u8": MASTER,
    "/vod/t/v1/media.m3u8": TITLE,
    "/vod/t/s/media.m3u8": TEXT,
    "/vod/t/x.mpd": MPD,
    "/vod/b/v1/media.m3u8": CLIP,
    "/vod/b/x.mpd": SPOT,
    "/vod/slate/master.m3u8": MASTER,
}
RULES = """[[rules]]
name = "r"
bumper = { folder = "/vod/b", reference = "v1/media.m3u8" }
slate = { folder = "/vod/slate" }
"""


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[tuple[int, str]]]]:
    def origin(request: Request) -> Answer:
        if request.path.startswith("/vod/dead"):
            return Refusal(500, "down")
        body = PAGES.get(request.path)
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body, content_type="text/plain", cache_control="max-age=60")

    server = await serve(origin, host="127.0.0.1", port=0)
    (tmp_path / "r.toml").write_text(RULES)
    settings = Settings(
        port=0,
        origin_url=f"http://127.0.0.1:{server.port}",
        steering_url="",
        require_token=False,
        rules_file=tmp_path / "r.toml",
    )
    running = parts(settings, None)
    for part in running:
        await part.start()
    listener = running[-1]
    assert isinstance(listener, Listener)
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{listener.port}/p/CDN-A{path}") as answer:
                return answer.status, await answer.text()

        yield get
    for part in reversed(running):
        await part.stop()
    await server.close()


async def test_a_bumper_through_the_proxy(ask: Any) -> None:
    status, text = await ask("/vod/t/v1/media.m3u8")
    assert status == 200 and "\nhttp://localhost:8011/vod/b/v1/1.m4s\n" in text
    assert 'MAP:URI="http://localhost:8011/vod/t/v1/i.mp4"' in text
    status, text = await ask("/vod/t/s/media.m3u8")
    found = m3u8.loads(text).segments
    assert [(s.duration, bool(s.gap_tag)) for s in found] == [(2, True), (1.5, True), (8, False)]
    status, text = await ask("/vod/t/master.m3u8")
    assert "\nhttp://localhost:8003/p/CDN-A/vod/t/v1/media.m3u8\n" in text
    status, text = await ask("/vod/t/x.mpd")
    assert status == 200 and "<m:BaseURL>../b/</m:BaseURL>" in text


async def test_a_slate_stands_in_for_a_dead_origin(ask: Any) -> None:
    status, text = await ask("/vod/dead/master.m3u8")
    assert status == 200 and "http://localhost:8011/vod/slate/v1/media.m3u8" in text
    assert (await ask("/vod/dead/v1/media.m3u8"))[0] == 502, "numbers may not start anew (HLS-M10)"
    assert (await ask("/vod/dead/x.mpd"))[0] == 502
    assert (await ask("/vod/none/master.m3u8"))[0] == 404
