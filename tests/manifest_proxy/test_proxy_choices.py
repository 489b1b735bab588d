"""What a first request chooses is bound to its session, in both formats (MP-10, MP-38)."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import cat
from manifest_proxy.choices import NOTHING, bound, chosen, windowed
from manifest_proxy.errors import FilterError, ProxyError, SessionError
from manifest_proxy.hls_stages import staged
from manifest_proxy.rulebook import DrmRule, Ruleset, SessionData
from manifest_proxy.session import Chosen, Sessions
from native.http import Answer, Entity, Refusal, Request

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
WIDEVINE, PLAYREADY = (
    "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",
    "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95",
)
KEY = '#EXT-X-{}KEY:METHOD=SAMPLE-AES,URI="{}",KEYFORMAT="{}"\n'
FPS, WV = "com.apple.streamingkeydelivery", WIDEVINE
MASTER = (
    "#EXTM3U\n"
    + KEY.format("SESSION-", "skd://old.example/7", FPS)
    + KEY.format("SESSION-", "data:w", WV)
    + '#EXT-X-SESSION-DATA:DATA-ID="c.partner",VALUE="origin"\n'
    + "#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
)
MEDIA = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
    + KEY.format("", "skd://old.example/7", FPS)
    + KEY.format("", "data:w", WV)
    + "".join(f"#EXTINF:2,\n{n}.m4s\n" for n in range(5, 25))
)
MPD = f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" timeShiftBufferDepth="PT40S">
<Period id="0" start="PT0S"><AdaptationSet contentType="video">
<ContentProtection schemeIdUri="{WIDEVINE}"/><ContentProtection schemeIdUri="{PLAYREADY}"/>
<SegmentTemplate timescale="1" media="$Number$.m4s"><SegmentTimeline>
<S t="10" d="2"/>{'<S d="2"/>' * 19}</SegmentTimeline></SegmentTemplate>
<Representation id="v" bandwidth="1"/></AdaptationSet></Period>
<SupplementalProperty schemeIdUri="urn:headwater:session-data:c.partner" value="origin"/>
<UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="x"/></MPD>"""
PAGES = {"master.m3u8": MASTER, "v1/media.m3u8": MEDIA, "x.mpd": MPD}
RULES = """[[rules]]
name = "r"
paths = ["/live/*"]
playlists = "proxy"
window_s = 30
drm = { key_uris = { fairplay = ["skd://old.example/", "skd://new.example/k/"] } }
session_data = [
  { id = "c.title", value = "News & more", language = "en" },
  { id = "c.partner", parameter = "data-partner" },
]
"""


def token(**catu: object) -> str:
    claims: dict[str | int, object] = {"iss": "h", "exp": int(time.time()) + 900}
    return cat.issue({**claims, **({"catu": catu} if catu else {})}, KEYS.signer())


class Place:
    def __init__(self, get: Callable[..., Awaitable[tuple[int, str]]], asked: list[str]) -> None:
        self.get, self.asked = get, asked


@pytest.fixture
async def place(near: Any) -> AsyncIterator[Place]:
    asked: list[str] = []

    def origin(request: Request) -> Answer:
        asked.append(f"{request.path}?{request.query}")
        body = PAGES.get(request.path.split("/", 3)[3])
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body.encode(), content_type="text/plain", cache_control="max-age=60")

    base, session = await near(origin, RULES, KEYS, session_secret="s3cret")

    async def get(url: str) -> tuple[int, str]:
        url = url.replace("http://localhost:8003", "")
        async with session.get(f"{base}{url}") as answer:
            return answer.status, await answer.text()

    yield Place(get, asked)


async def test_a_window_of_the_first_request_stays(place: Place) -> None:
    """Whatever later queries say; the origin is asked for the session's (MP-38)."""
    _, master = await place.get(f"/p/CDN-A/cat:{token()}/live/c/master.m3u8?start=100&end=160")
    child = master.splitlines()[-1]
    assert "/s:" in child and "start=" not in child
    for query in ("", "?start=7", "?_HLS_msn=3&end=900"):
        assert (await place.get(child + query))[0] == 200
        told = "_HLS_msn=3&" if "_HLS" in query else ""
        assert place.asked[-1].endswith(f"/v1/media.m3u8?{told}end=160&start=100")
    _, mpd = await place.get(f"/p/CDN-A/cat:{token()}/live/c/x.mpd?start=2026-01-01T00:00:00Z")
    (location,) = re.findall("<Location>([^<]+)", mpd)
    await place.get(location.replace("&amp;", "&") + "&start=9")
    assert place.asked[-1].endswith("/x.mpd?start=2026-01-01T00:00:00Z")


async def test_a_token_is_judged_by_the_window_of_its_session(place: Place) -> None:
    """A session from somebody else opens no window that the token does not."""
    _, master = await place.get(f"/p/CDN-A/cat:{token()}/live/c/master.m3u8?start=100")
    child = master.splitlines()[-1]
    for allowed, status in (("start=100", 200), ("", 403)):
        other = token(query={"exact": allowed})
        assert (await place.get(re.sub("cat:[^/]+", f"cat:{other}", child)))[0] == status, allowed


async def test_less_of_a_window_and_fewer_systems(place: Place) -> None:
    """`window` and `drm` narrow what the rules leave, in media playlists and in MPDs."""
    query = "?window=8&drm=fairplay%7Cwidevine"
    _, master = await place.get(f"/p/CDN-A/cat:{token()}/live/c/master.m3u8{query}")
    assert master.count("EXT-X-SESSION-KEY") == 2
    _, text = await place.get(master.splitlines()[-1] + "?window=20&drm=playready")
    assert text.count("#EXTINF") == 4 and text.count("#EXT-X-KEY") == 2
    wide = await place.get(f"/p/CDN-A/cat:{token()}/live/c/v1/media.m3u8?window=999")
    assert wide[1].count("#EXTINF") == 15, "no more than the rules leave"
    _, mpd = await place.get(f"/p/CDN-A/cat:{token()}/live/c/x.mpd{query}")
    assert WIDEVINE in mpd and PLAYREADY not in mpd
    assert 'timeShiftBufferDepth="PT8S"' in mpd and mpd.count("<S ") == 4
    status, _ = await place.get(f"/p/CDN-A/cat:{token()}/live/c/x.mpd?drm=clearkey")
    assert status == 404


async def test_data_of_the_rules_and_of_the_session(place: Place) -> None:
    """In a master and, as properties, in an MPD; in place of the origin's (HLS-M33)."""
    for query, partner in (("", "origin"), ("?data-partner=a%26b&data-else=no", "a&b")):
        _, master = await place.get(f"/p/CDN-A/cat:{token()}/live/c/master.m3u8{query}")
        assert re.findall('DATA-ID="([^"]+)",VALUE="([^"]*)"', master) in (
            [("c.title", "News & more"), ("c.partner", partner)],
            [("c.title", "News & more"), ("c.partner", partner)][::-1],
        )
        _, mpd = await place.get(f"/p/CDN-A/cat:{token()}/live/c/x.mpd{query}")
        scheme = "urn:headwater:session-data:"
        found = re.findall(f'schemeIdUri="{scheme}([^"]+)" value="([^"]+)"', mpd)
        assert sorted(found) == sorted(
            [("c.title", "News &amp; more"), ("c.partner", partner.replace("&", "&amp;"))]
        )
        assert mpd.index(scheme) > mpd.index("</Period>") and 'xml:lang="en"' in mpd
        assert mpd.rindex(scheme) < mpd.index("<UTCTiming")


async def test_keys_lead_elsewhere(place: Place) -> None:
    _, master = await place.get(f"/p/CDN-A/cat:{token()}/live/c/master.m3u8")
    _, text = await place.get(master.splitlines()[-1])
    for told in (master, text):
        assert 'URI="skd://new.example/k/7"' in told and 'URI="data:w"' in told


def test_keys_that_are_fetched_have_a_prefix_of_their_own() -> None:
    rules = Ruleset("r", drm=DrmRule(key_uris={"identity": ("http://in/", "https://out/")}))
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
    key = '#EXT-X-KEY:METHOD=AES-128,URI="{}k",IV=0x1\n'
    tail = "#EXTINF:1,\n1.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:1,\n2.ts\n"
    for was, now in (("http://in/", "https://out/"), ("http://else/", "http://else/")):
        data = (head + key.format(was) + tail).encode()
        assert staged(data, rules).decode() == head + key.format(now) + tail


# -- without sockets -------------------------------------------------------------------------------

RULESET = Ruleset("r", session_data=(SessionData("i", parameter="data-i"),))


def first(query: str, *, signing: bool = True) -> Chosen:
    return chosen(query, "/live/x", (RULESET,), signing=signing)


def test_choices_in_one_spelling() -> None:
    made = first("drm=Widevine|fairplay&window=60&start=1&data-i=x&data-j=y&cohort=c")
    assert made == Chosen("c", "", 0, "", "1", "", 60, ("fairplay", "widevine"), (("data-i", "x"),))
    one, two = Sessions(b"s"), Sessions(b"s")
    assert two.read(one.sign(made)) == made
    for other in ("", "restart=1", "cohort=&filter=", "data-j=1", "x=drm%3D"):
        assert first(other) is NOTHING, "no session for those who choose nothing"


@pytest.mark.parametrize(
    "query",
    [
        *("window=0", "window=x", "window=123456789", "start=<", "end=" + "1" * 41),
        *("drm=x", 'data-i="', "data-i=" + "x" * 257, "cohort=/", "filter=x"),
    ],
)
def test_what_cannot_be_chosen_is_told(query: str) -> None:
    with pytest.raises(ProxyError) as told:
        first(query)
    assert told.value.status == 400


def test_a_query_has_bounds() -> None:
    with pytest.raises(ProxyError, match="query_too_long"):
        first("&".join(["start=1"] * 65))


def test_without_a_secret_only_the_query_has_a_window() -> None:
    assert first("start=1&end=2", signing=False) == NOTHING
    with pytest.raises(SessionError, match="session_unsigned"):
        first("window=9", signing=False)


def test_nobody_chooses_more_than_is_offered() -> None:
    drm = Ruleset("r", window_s=10, drm=DrmRule(("widevine", "playready")))
    narrow = bound(drm, Chosen(window_s=60, drm=("fairplay", "widevine")))
    assert narrow is not None and narrow.window_s == 10
    assert narrow.drm == DrmRule(("widevine",))
    with pytest.raises(FilterError, match="drm_empty"):
        bound(drm, Chosen(drm=("fairplay",)))
    assert bound(drm, NOTHING) is drm and bound(None, NOTHING) is None
    found: Any = cat.candidates("/x", "start=1&b=2&end=3", {})
    assert windowed(found, Chosen(end="a+b")).query == "b=2&end=a%2Bb"
