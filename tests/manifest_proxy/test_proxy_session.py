"""Sessions in URLs, token carriers, rule sets and their reload, over sockets (MP-38..MP-45)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

import cat
from manifest_proxy.errors import FilterError, SessionError
from manifest_proxy.rulebook import Ruleset
from manifest_proxy.server import Listener, parts
from manifest_proxy.session import Chosen, Sessions, canonical, narrowed, overlay
from manifest_proxy.settings import Settings
from native.http import Entity, Refusal, Request, serve
from native.http.entity import Answer

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
MASTER = b"""#EXTM3U
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="key"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="de",LANGUAGE="de",URI="de/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,AUDIO="a"
v360/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1280x720,AUDIO="a"
v720/media.m3u8
"""
MEDIA = b'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI="i.mp4?v=1"\n#EXTINF:1,\n1.m4s\n'
MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"><Period id="0">
<AdaptationSet contentType="video"><SegmentTemplate media="$Number$.m4s"/>
<Representation id="a" bandwidth="1" height="360"/>
<Representation id="b" bandwidth="2" height="720"/>
</AdaptationSet></Period></MPD>"""
PAGES = {"/live/d/master.m3u8": MASTER, "/live/d/v360/media.m3u8": MEDIA, "/live/d/x.mpd": MPD}


def origin(request: Request) -> Answer:
    body = PAGES.get(request.path)
    if body is None:
        return Refusal(404, "not_found")
    return Entity(body, content_type="text/plain", cache_control="max-age=60")


def token(cti: bytes = b"one") -> str:
    claims: dict[str | int, object] = {
        "iss": "h",
        "exp": int(time.time()) + 900,
        "cti": cti,
        "catu": {"path": {"prefix": "/live/"}},
    }
    return cat.issue(claims, KEYS.signer())


@asynccontextmanager
async def node(
    rules: Path | None = None, secret: str = "s3cret", *, shared: bool = False
) -> AsyncIterator["Node"]:
    server = await serve(origin, host="127.0.0.1", port=0)
    settings = Settings(
        port=0,
        origin_url=f"http://127.0.0.1:{server.port}",
        steering_url="",
        rules_file=rules,
        session_secret=secret,  # type: ignore[arg-type]
        shared_copies=shared,
    )
    running = parts(settings, KEYS, issuers=("h",))
    for part in running:
        await part.start()
    listener = running[-1]
    assert isinstance(listener, Listener)
    try:
        async with aiohttp.ClientSession() as session:
            yield Node(session, f"http://127.0.0.1:{listener.port}")
    finally:
        for part in reversed(running):
            await part.drain()
            await part.stop()
        await server.close()


class Node:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.text()


def rule_file(folder: Path, text: str) -> Path:
    file = folder / "rules.toml"
    file.write_text('[[rules]]\nname = "r"\n' + text)
    return file


async def test_choices_bind_at_the_first_request(tmp_path: Path) -> None:
    """The filter holds for every later URL, whatever those ask for (DASH-M2, MP-38)."""
    file = rule_file(tmp_path, 'playlists = "proxy"\n')
    mine = token()
    async with node(file) as one, node(file) as other:
        path = f"/p/CDN-A~CDN-B/live/d/master.m3u8?filter=video.height%3D..400&CAT={mine}"
        status, text = await one.get(path)
        assert status == 200 and "v720" not in text
        assert (status, text) == await other.get(path), "nodes write the same bytes"
        child = re.search(r"^http\S+v360/media.m3u8$", text, re.M)
        assert child and re.match(r"http://localhost:8003/p/CDN-A/s:[\w-]+\.[\w-]+/cat:", child[0])
        assert f'URI="http://localhost:8011/cat:{mine}/live/d/key"' in text
        later = child[0].removeprefix("http://localhost:8003")
        status, text = await other.get(later)
        assert status == 200 and f"\nhttp://localhost:8011/cat:{mine}/live/d/v360/1.m4s\n" in text
        session = later.split("/")[3]
        again = f"/p/CDN-A/{session}/live/d/master.m3u8?filter=video.height%3D700..&CAT={mine}"
        assert "v720" not in (await one.get(again))[1]


async def test_an_mpd_tells_its_session_where_to_refresh() -> None:
    async with node() as one:
        mine = token()
        path = f"/p/CDN-A/live/d/x.mpd?filter=video.height=720&CAT={mine}"
        status, text = await one.get(path)
        assert status == 200 and 'id="a"' not in text and 'id="b"' in text
        location = re.search("<Location>http://localhost:8003(.*)</Location>", text)
        assert location and location[1].endswith(f"/live/d/x.mpd?CAT={mine}")
        assert (await one.get(location[1]))[1] == text


@pytest.mark.parametrize(
    "path, status, code",
    [
        ("/p/CDN-A/s:abc.def/live/d/x.mpd", 403, "session_malformed"),
        ("/p/CDN-A/s:WyIiLCIiXQ.AAAAAAAAAAAAAAAAAAAAAA/live/d/x.mpd", 403, "session_signature"),
        ("/p/CDN-A/live/d/x.mpd?filter=nonsense", 400, "filter_malformed"),
        ("/p/CDN-A/live/d/x.mpd?filter=video.hight%3D1", 400, "filter_malformed"),
        ("/p/CDN-A/live/d/x.mpd?filter=video.dynamic_range%3Dpq", 404, "filter_empty"),
        ("/p/CDN-A/live/d/x.mpd?cohort=a%20b", 400, "cohort_malformed"),
    ],
)
async def test_bad_choices_are_refused(path: str, status: int, code: str) -> None:
    async with node() as one:
        mark = "&" if "?" in path else "?"
        got, text = await one.get(f"{path}{mark}CAT={token()}")
        assert (got, code in text) == (status, True), text


async def test_without_a_secret_nobody_chooses() -> None:
    async with node(secret="") as one:
        got, text = await one.get(f"/p/CDN-A/live/d/x.mpd?filter=video.height%3D1&CAT={token()}")
        assert got == 403 and "session_unsigned" in text
        assert (await one.get(f"/p/CDN-A/live/d/x.mpd?CAT={token()}"))[0] == 200


async def test_define_gives_all_viewers_the_same_bytes(tmp_path: Path) -> None:
    """MP-42: the player puts its own query in; version 11 (HLS-M6)."""
    async with node(rule_file(tmp_path, 'carrier = "define"\n')) as one:
        texts = set()
        for cti in (b"one", b"two"):
            texts.add((await one.get(f"/p/CDN-A/live/d/v360/media.m3u8?CAT={token(cti)}"))[1])
        assert len(texts) == 1
        text = texts.pop()
        assert text.startswith('#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-DEFINE:QUERYPARAM="CAT"\n')
        assert 'URI="http://localhost:8011/live/d/v360/i.mp4?v=1&CAT={$CAT}"' in text
        assert text.endswith("http://localhost:8011/live/d/v360/1.m4s?CAT={$CAT}\n")
        _, text = await one.get(f"/p/CDN-A/live/d/master.m3u8?CAT={token()}")
        assert "\nhttp://localhost:8003/p/CDN-A/live/d/v360/media.m3u8?CAT={$CAT}\n" in text
        _, text = await one.get(f"/p/CDN-A/live/d/x.mpd?CAT={token()}")
        assert 'queryTemplate="$querypart$" useMPDUrlQuery="true"/>' in text
        assert ">http://localhost:8011/live/d/</BaseURL>" in text


@pytest.mark.parametrize(
    ("rules", "shared", "wanted"),
    [
        ('carrier = "define"', True, "public, max-age="),
        ('carrier = "define"', False, "private, no-store"),
        ('carrier = "query"', True, "private, no-store"),
        (
            'carrier = "define"\nblackouts = [{ start = 2000-01-01T00:00:00Z,'
            " end = 2000-01-02T00:00:00Z }]",
            True,
            "private, no-store",
        ),
    ],
)
async def test_cdns_may_hold_what_is_the_same_for_all(
    tmp_path: Path, rules: str, shared: bool, wanted: str
) -> None:
    """MP-39, MP-41: where the operator says that the CDN may."""
    async with node(rule_file(tmp_path, rules + "\n"), shared=shared) as one:
        for leaf in ("master.m3u8", "v360/media.m3u8", "x.mpd"):
            url = f"{one.url}/p/CDN-A/live/d/{leaf}?CAT={token()}"
            async with one.session.get(url) as answer:
                assert answer.status == 200, leaf
                assert answer.headers["Cache-Control"].startswith(wanted), leaf
        async with one.session.get(f"{one.url}/p/CDN-A/live/d/x.mpd?CAT=x") as answer:
            assert answer.status == 401 and "public" not in answer.headers["Cache-Control"]


async def test_a_token_in_the_query(tmp_path: Path) -> None:
    async with node(rule_file(tmp_path, 'carrier = "query"\n')) as one:
        mine = token()
        _, text = await one.get(f"/p/CDN-A/live/d/v360/media.m3u8?CAT={mine}")
        assert f'URI="http://localhost:8011/live/d/v360/i.mp4?v=1&CAT={mine}"' in text
        _, text = await one.get(f"/p/CDN-A/live/d/x.mpd?CAT={mine}")
        assert f'queryString="CAT={mine}"/></EssentialProperty>' in text


async def test_rules_are_read_again_and_kept_when_they_break(tmp_path: Path) -> None:
    file = rule_file(tmp_path, 'video = { height = "360" }\n')
    async with node(file) as one:
        path = f"/p/CDN-A/live/d/master.m3u8?CAT={token()}"

        async def shows(name: str) -> bool:
            return f"{name}/media" in (await one.get(path))[1]

        assert await shows("v360") and not await shows("v720")
        rule_file(tmp_path, "video = 3\n")
        await asyncio.sleep(0)
        assert await shows("v360")
        rule_file(tmp_path, 'video = { height = "720" }\n')
        deadline = time.monotonic() + 60
        while await shows("v360"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert await shows("v720")


def test_filters_have_one_spelling() -> None:
    assert canonical(" Video.Height=..720 ;audio.languages=DE|en;") == (
        "audio.languages=de|en;video.height=..720"
    )
    for bad in ("video", "video.height", "x.y=1", "video.keep=1", "video.height=9..1", "a" * 1025):
        with pytest.raises(FilterError) as caught:
            canonical(bad)
        assert caught.value.status == 400
    with pytest.raises(FilterError):
        canonical("video.height=1;video.height=2")


def test_a_session_holds_what_was_signed_and_nothing_else() -> None:
    sessions = Sessions(b"k")
    chosen = Chosen("phone", "video.height=..720")
    segment = sessions.sign(chosen)
    assert sessions.read(segment) == chosen and len(segment) < 120
    assert Sessions(b"k").sign(chosen) == segment
    for at in range(2, len(segment)):
        forged = segment[:at] + ("A" if segment[at] != "A" else "B") + segment[at + 1 :]
        with pytest.raises(SessionError):
            Sessions(b"k").read(forged)
    with pytest.raises(SessionError):
        Sessions(b"other").read(segment)


def test_a_viewer_narrows_a_copy_of_the_rules() -> None:
    rules = Ruleset("r", order="descending")
    digest = rules.digest
    mine = narrowed(rules, overlay("video.height=..720;video.trick_play=false"))
    assert mine.order == "descending" and mine.video and not mine.video.trick_play
    assert mine.digest != digest == rules.digest
