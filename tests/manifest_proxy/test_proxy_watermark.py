"""A/B watermarks: one of two files for each segment, by the viewer's mark (MP-21, HLS-M8)."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cat
from manifest_proxy.asked import Asked, Asking
from manifest_proxy.errors import ManifestError, SessionError
from manifest_proxy.hls_watermark import SIGN, bit, choosing
from manifest_proxy.manifest import Format
from manifest_proxy.policy import Pathway
from manifest_proxy.rulebook import Ruleset, Watermark
from manifest_proxy.session import Chosen, Sessions
from native.holes import Template
from native.http import Answer, Entity, Refusal, Request

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
LIVE = b"""#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=3
#EXT-X-PART-INF:PART-TARGET=1
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="i.mp4"
#EXTINF:2,
7.m4s
#EXT-X-PART:DURATION=1,URI="8.0.m4s"
#EXTINF:2,
x/8.m4s?q=/y
#EXT-X-PART:DURATION=1,URI="9.0.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="9.1.m4s"
"""


def marked(data: bytes, pattern: bytes) -> bytes:
    """The copy of a viewer with that pattern."""
    return Template([choosing(data)]).choosing(SIGN).chosen(pattern, b"a", b"b")


def test_the_bytes_of_a_marked_playlist() -> None:
    """Bits 7, 8 and 9 are 1, 0 and 1; a hint names the file that the part will have (HLS-M25)."""
    out = marked(LIVE, bytes([0b1, 0b01000000, *bytes(30)]))
    assert out.decode() == LIVE.decode().replace("\n7.m4s", "\nb/7.m4s").replace(
        '"8.0', '"a/8.0'
    ).replace("x/8.m4s", "x/a/8.m4s").replace('"9.', '"b/9.')


def test_a_delta_is_refused() -> None:
    with pytest.raises(ManifestError, match="delta"):
        choosing(LIVE + b"#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n")


@given(
    first=st.integers(0, 1 << 40),
    step=st.integers(0, 50),
    pattern=st.binary(min_size=32, max_size=32),
)
def test_a_number_keeps_its_file(first: int, step: int, pattern: bytes) -> None:
    def files(first: int) -> dict[int, str]:
        body = "".join(f"#EXTINF:1,\n{n}.ts\n" for n in range(first, first + 60))
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n{body}"
        found = m3u8.loads(marked(text.encode(), pattern).decode())
        return {first + at: segment.uri for at, segment in enumerate(found.segments)}

    early, late = files(first), files(first + step)
    assert {**early, **late} == {**late, **early}
    bits = "".join(f"{octet:08b}" for octet in pattern)
    assert early == {n: f"{'ab'[int(bits[n % len(bits)])]}/{n}.ts" for n in early}


def test_marks_and_patterns_follow_from_the_secret() -> None:
    one, two, other = Sessions(b"s"), Sessions(b"s"), Sessions(b"t")
    mark = one.mark("viewer")
    assert two.mark("viewer") == mark != one.mark("viewer2")
    assert two.pattern(mark) == one.pattern(mark) != other.pattern(mark)
    assert len(one.pattern(mark)) == 32
    chosen = Chosen("", "", 0, mark)
    assert two.read(one.sign(chosen)) == chosen


# -- over sockets ----------------------------------------------------------------------------------

MEDIA = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n" + "".join(
    f"#EXTINF:1,\n{n}.m4s\n" for n in range(64)
)
PAGES = {
    "/vod/t/master.m3u8": MASTER,
    "/vod/t/v1/media.m3u8": MEDIA.encode(),
    "/vod/t/a/media.m3u8": MEDIA.encode(),
    "/live/t/x.mpd": b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic">
<Period id="1" start="PT0S"><AdaptationSet contentType="video"><SegmentTemplate timescale="1"
 startNumber="0" media="v1/$Number$.m4s"><SegmentTimeline><S t="0" d="2" r="63"/></SegmentTimeline>
</SegmentTemplate><Representation id="v" bandwidth="1"/></AdaptationSet></Period></MPD>""",
    "/live/t/ll.mpd": b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic">
<Period id="1" start="PT0S"><AdaptationSet contentType="video"><SegmentTemplate timescale="1"
 duration="2" media="v1/$Number%05d$.m4s"/><Representation id="v" bandwidth="1"/></AdaptationSet>
</Period></MPD>""",
}
RULES = """[[rules]]
name = "r"
watermark = { playlists = ["*/v?/*"] }
"""


def token(cti: bytes) -> str:
    claims: dict[str | int, object] = {"iss": "h", "exp": int(time.time()) + 900, "cti": cti}
    return cat.issue(claims, KEYS.signer())


@pytest.fixture
async def ask(near: Any) -> AsyncIterator[Callable[..., Awaitable[tuple[int, str]]]]:
    def origin(request: Request) -> Answer:
        body = PAGES.get(request.path)
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body, content_type="text/plain", cache_control="max-age=60")

    base, session = await near(origin, RULES, KEYS, session_secret="s3cret")

    async def get(url: str) -> tuple[int, str]:
        url = url.replace("http://localhost:8003", "")
        url = f"{base}{url}"
        async with session.get(url, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()

    yield get


def letters(text: str) -> str:
    return "".join(re.findall(r"/v1/([ab])/\d+\.m4s", text))


async def test_each_viewer_gets_a_pattern_that_outlives_the_token(ask: Any) -> None:
    seen = {}
    for cti in (b"one", b"two"):
        status, master = await ask(f"/p/CDN-A/cat:{token(cti)}/vod/t/master.m3u8")
        child = master.splitlines()[-1]
        assert status == 200 and "/s:" in child
        status, text = await ask(child)
        assert status == 200 and len(letters(text)) == 64
        seen[cti] = letters(text)
        renewed = re.sub(r"cat:[^/]+", f"cat:{token(b'next')}", child)
        assert letters((await ask(renewed))[1]) == seen[cti]
    assert seen[b"one"] != seen[b"two"] and set(seen[b"one"]) == {"a", "b"}


async def test_each_viewer_of_an_mpd_gets_the_pattern_of_its_playlists(ask: Any) -> None:
    """With the token of a request and of later ones; who asks again is answered the short way."""
    seen = {}
    for cti in (b"one", b"two", b"one"):
        _, text = await ask(f"/p/CDN-A/cat:{token(cti)}/live/t/x.mpd")
        marks = "".join(re.findall('"v1/([ab])/[0-9]+.m4s"', text))
        (place,) = re.findall("<Location>([^<]+)", text)
        for _ in range(3):
            _, again = await ask(re.sub("CAT=[^&]+", f"CAT={token(b'next')}", place))
            assert "".join(re.findall('"v1/([ab])/[0-9]+.m4s"', again)) == marks
        assert len(marks) == 64 and seen.setdefault(cti, marks) == marks
    assert seen[b"one"] != seen[b"two"]
    _, master = await ask(f"/p/CDN-A/cat:{token(b'one')}/vod/t/master.m3u8")
    assert letters((await ask(master.splitlines()[-1]))[1]) == seen[b"one"]


async def test_what_is_still_to_come_is_chosen_when_it_is_asked_for(ask: Any) -> None:
    """The same files as a list names; nobody gets one of another bit (MP-21)."""
    mine = token(b"one")
    _, text = await ask(f"/p/CDN-A/cat:{mine}/live/t/ll.mpd")
    (media,) = re.findall('<Representation[^>]*><SegmentTemplate media="([^"]+)"/>', text)
    session = re.findall("/s:[^/]+", media)[0]
    assert re.fullmatch(
        r"http://localhost:8003/ab/CDN-A/s:[^/]+/cat:[^/]+/live/t/v1/\$Number%05d\$.m4s", media
    )
    places = [await ask(media.replace("$Number%05d$", f"{n:05}")) for n in range(64)]
    assert {status for status, _ in places} == {302}
    pattern = Sessions(b"s3cret").pattern(Sessions(b"s3cret").mark("one"))
    for number, (_, place) in enumerate(places):
        folder = "ab"[bit(pattern, number)]
        assert place == f"http://localhost:8011/cat:{mine}/live/t/v1/{folder}/{number:05}.m4s"
    one = media.replace("$Number%05d$", "00001")
    for url, status in (
        (one.replace("v1/00001", "v10/00001"), 404),
        (one.replace("00001", "init"), 404),
        (one.replace("CDN-A", "CDN-X"), 404),
        (one.replace(session, ""), 403),
        (one.replace(session, "/s:x.y"), 403),
        (re.sub("/cat:[^/]+", "", one), 401),
    ):
        assert (await ask(url))[0] == status, url


async def test_other_playlists_are_not_marked(ask: Any) -> None:
    status, text = await ask(f"/p/CDN-A/cat:{token(b'one')}/vod/t/a/media.m3u8")
    assert status == 200 and letters(text.replace("/t/a/", "/t/v1/")) == ""


def test_who_has_no_id_gets_nothing() -> None:
    ruleset = Ruleset("r", watermark=Watermark())
    asking = Asking({"A": Pathway("A", "https://a.example")}, (ruleset,), b"s")
    found = cat.candidates("/vod/t/v1/media.m3u8", "", {})
    asked = Asked(Format.HLS, (), found.path, found.path, "", ruleset, found, Chosen())
    with pytest.raises(SessionError, match="mark_nobody"):
        asking.marked(asked, "")
    assert asking.marked(asked, "one").chosen.mark
    assert not asking.pattern(asked._replace(kind=Format.PATCH))
