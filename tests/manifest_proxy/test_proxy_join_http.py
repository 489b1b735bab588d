"""Joining something live with a bumper, over sockets and two nodes (MP-38, MP-45, HLS-M8..M16)."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import m3u8
import pytest
from lxml import etree

from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Answer, Entity, Refusal, Request, serve

Get = Callable[..., Awaitable[tuple[int, str]]]
MASTER = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="de",LANGUAGE="de",URI="s/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES="s"
v1/media.m3u8
"""
CLIP = b"""#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="i.mp4"
#EXTINF:2,
1.m4s
#EXTINF:1,
2.m4s
#EXT-X-ENDLIST
"""
CLIP_MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT3S">
<Period id="1"><AdaptationSet id="c"/></Period></MPD>"""
RULES = """[[rules]]
name = "r"
bumper = { folder = "/vod/b", reference = "v1/media.m3u8" }
"""
ZERO_S = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def media(first: int, name: str = "m4s") -> bytes:
    head = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
    body = "".join(
        f"#EXT-X-PROGRAM-DATE-TIME:{datetime.fromtimestamp(ZERO_S + 2 * n, UTC).isoformat()}\n"
        f"#EXTINF:2,\n{n}.{name}\n"
        for n in range(first, first + 8)
    )
    return (head + body).encode()


def mpd(first: int) -> bytes:
    return f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"
 availabilityStartTime="2026-01-01T00:00:00Z"><Period id="p" start="PT0S"><AdaptationSet id="1">
<SegmentTemplate startNumber="{first}" media="$Number$"><SegmentTimeline>
<S t="{2 * first}" d="2" r="7"/></SegmentTimeline></SegmentTemplate></AdaptationSet></Period>
</MPD>""".encode()


class Origin:
    first = 100

    def __call__(self, request: Request) -> Answer:
        pages = {
            "/live/c/master.m3u8": MASTER,
            "/live/c/v1/media.m3u8": media(self.first),
            "/live/c/s/media.m3u8": media(self.first, "vtt"),
            "/live/c/x.mpd": mpd(self.first),
            "/live/odd/master.m3u8": MASTER,
            "/live/odd/v1/media.m3u8": b"no playlist",
            "/vod/b/v1/media.m3u8": CLIP,
            "/vod/b/x.mpd": CLIP_MPD,
        }
        body = pages.get(request.path)
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body, content_type="text/plain", cache_control="max-age=0")


@pytest.fixture
async def two_nodes(tmp_path: Path) -> AsyncIterator[tuple[Origin, Get, Get]]:
    """The same origin, rules and secret; each node with memory of its own."""
    origin = Origin()
    (tmp_path / "r.toml").write_text(RULES)
    async with AsyncExitStack() as stack:
        server = await serve(origin, host="127.0.0.1", port=0)
        stack.push_async_callback(server.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        gets: list[Get] = []
        for _ in range(2):
            settings = Settings(
                port=0,
                origin_url=f"http://127.0.0.1:{server.port}",
                steering_url="",
                require_token=False,
                rules_file=tmp_path / "r.toml",
                session_secret="s3cret",  # type: ignore[arg-type]
            )
            running = parts(settings, None)
            for part in running:
                await part.start()
                stack.push_async_callback(part.stop)
            listener = running[-1]
            assert isinstance(listener, Listener)

            async def get(url: str, port: int = listener.port) -> tuple[int, str]:
                url = url.replace("http://localhost:8003", f"http://127.0.0.1:{port}")
                url = url if url.startswith("http") else f"http://127.0.0.1:{port}{url}"
                async with session.get(url) as answer:
                    return answer.status, await answer.text()

            gets.append(get)
        yield origin, gets[0], gets[1]


def told(text: str) -> list[tuple[int, str]]:
    found = m3u8.loads(text)
    first = found.media_sequence
    return [(first + at, segment.uri) for at, segment in enumerate(found.segments)]


async def test_nodes_agree_on_every_byte_of_a_join(two_nodes: Any) -> None:
    """MP-45, MP-46: a viewer who changes the node meets the same numbers."""
    origin, one, two = two_nodes
    status, master = await one("/p/CDN-A/live/c/master.m3u8")
    video, subtitles = re.findall(r"http://localhost:8003/p/CDN-A/s:[^\"\n]+", master)[::-1]
    assert status == 200 and video.endswith("/live/c/v1/media.m3u8")
    first = await one(video)
    assert first == await two(video) and first[0] == 200
    assert [(n, uri.rpartition("/")[2]) for n, uri in told(first[1])] == [
        (103, "1.m4s"),
        (104, "2.m4s"),
        (105, "105.m4s"),
        (106, "106.m4s"),
        (107, "107.m4s"),
    ]
    text = (await two(subtitles))[1]
    gaps = [bool(segment.gap_tag) for segment in m3u8.loads(text).segments]
    assert gaps == [True, True, False, False, False], "a rendition that the clip lacks (HLS-M16)"
    origin.first = 104
    again = await two(video)
    assert again == await one(video)
    assert set(told(first[1])) <= set(told(again[1]))
    origin.first = 106
    text = (await one(video))[1]
    assert "/vod/b/" not in text and "#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in text


async def test_a_viewer_who_comes_later_joins_later(two_nodes: Any) -> None:
    origin, one, _ = two_nodes
    _, early = await one("/p/CDN-A/live/c/master.m3u8")
    assert (await one("/p/CDN-A/live/c/master.m3u8"))[1] == early, "viewers of a segment share"
    origin.first = 101
    assert (await one("/p/CDN-A/live/c/v1/media.m3u8"))[0] == 200
    assert (await one("/p/CDN-A/live/c/master.m3u8"))[1] != early


async def test_an_mpd_names_the_url_that_holds_its_place(two_nodes: Any) -> None:
    """DASH-M1: refreshes at the session's Location move nothing."""
    origin, one, two = two_nodes
    status, text = await one("/p/CDN-A/live/c/x.mpd")
    location = etree.fromstring(text.encode()).findtext("{*}Location")
    assert status == 200 and "/s:" in location
    assert (await two(location))[1] == text
    starts = re.findall(r'<Period[^>]*start="([^"]+)', text)
    assert starts == ["PT210S", "PT213S"]
    origin.first = 103
    assert re.findall(r'<Period[^>]*start="([^"]+)', (await two(location))[1]) == starts
    origin.first = 107
    assert re.findall(r'<Period[^>]*start="([^"]+)', (await one(location))[1]) == ["PT213S"]


async def test_what_cannot_be_joined_is_served_without(two_nodes: Any) -> None:
    _, one, _ = two_nodes
    status, text = await one("/p/CDN-A/live/odd/master.m3u8")
    assert status == 200 and "/s:" not in text
