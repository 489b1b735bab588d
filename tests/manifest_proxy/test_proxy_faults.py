"""Segments that come late or slowly, as a rule says, through HTTP in both formats (MP-22)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import m3u8
import pytest

import cat
from manifest_proxy.asked import Asking
from manifest_proxy.faults import MAX_SLOW, MAX_SLOW_S, STEP_S, Faults, chunk_bytes, reaches
from manifest_proxy.policy import Pathway
from manifest_proxy.rulebook import Chaos, Ruleset
from native.http import Answer, Entity, Refusal, Request, Stream
from runtime.fetch import Fetched, FetchError

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
BODY = bytes(range(256)) * 8
MEDIA = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:1\n" + "".join(
    f"#EXTINF:1,\n{n}.m4s\n" for n in range(1, 6)
)
MPD = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"><Period id="1" start="PT0S">
<AdaptationSet><SegmentTemplate media="v1/$Number$.m4s"><SegmentTimeline><S t="0" d="1" r="4"/>
</SegmentTimeline></SegmentTemplate><Representation id="1" bandwidth="1"/></AdaptationSet>
</Period></MPD>"""
RULES = """[[rules]]
name = "path"
paths = ["/live/c/*"]
[[rules.chaos]]
playlists = ["*/v1/*"]
numbers = "1"
segment_delay_s = 0.1
[[rules.chaos]]
numbers = "2"
segment_delay_s = 0.1
status = 410
[[rules.chaos]]
numbers = "3..4"
throttle_bps = 80_000
[[rules]]
name = "query"
paths = ["/live/q/*"]
carrier = "query"
[[rules.chaos]]
numbers = "1..4"
segment_delay_s = 0.01
[[rules]]
name = "marked"
paths = ["/live/m/*"]
watermark = {}
"""


def token(prefix: str = "/live/") -> str:
    claims: dict[str | int, object] = {"iss": "h", "exp": int(time.time()) + 900}
    return cat.issue({**claims, "catu": {"path": {"prefix": prefix}}}, KEYS.signer())


class Node:
    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self.base, self.session = base, session

    async def get(self, url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        url = url.replace("http://localhost:8003", "").replace("&amp;", "&")
        async with self.session.get(
            self.base + url, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, await answer.read(), {**answer.headers}


@pytest.fixture
async def node(near: Any) -> AsyncIterator[Node]:
    def origin(request: Request) -> Answer:
        leaf = request.path.split("/", 3)[3]
        if leaf.endswith(".m4s"):
            if leaf == "v1/4.m4s":
                return Refusal(404, "not_found")
            return Entity(BODY, content_type="video/iso.segment", cache_control="max-age=60")
        body = {"v1/media.m3u8": MEDIA, "x.mpd": MPD}[leaf].encode()
        return Entity(body, content_type="text/plain", cache_control="max-age=60")

    base, session = await near(origin, RULES, KEYS)
    yield Node(base, session)


async def uris(node: Node, dash: bool, channel: str = "c") -> list[str]:
    leaf = "x.mpd" if dash else "v1/media.m3u8"
    _, body, _ = await node.get(f"/p/CDN-A/cat:{token()}/live/{channel}/{leaf}")
    if dash:
        return re.findall('<SegmentURL media="([^"]+)"', body.decode())
    return [segment.uri or "" for segment in m3u8.loads(body.decode()).segments]


@pytest.mark.parametrize("dash", [False, True], ids=["hls", "dash"])
async def test_each_fault_is_what_its_rule_says(node: Node, dash: bool) -> None:
    late, gone, slow, missing, well = await uris(node, dash)
    assert "/chaos/" not in well
    begun = time.monotonic()
    status, _, headers = await node.get(late + "?CMCD=x")
    place = headers["Location"]
    assert status == 302 and time.monotonic() - begun >= 0.1
    assert re.fullmatch(r"http://localhost:8011/cat:[^/]+/live/c/v1/1.m4s\?CMCD=x", place)
    begun = time.monotonic()
    assert (await node.get(gone))[0] == 410 and time.monotonic() - begun >= 0.1
    begun = time.monotonic()
    status, body, headers = await node.get(slow)
    assert (status, body, headers["Content-Type"]) == (200, BODY, "video/iso.segment")
    assert time.monotonic() - begun >= 0.15, "2,048 bytes at 80 kb/s"
    status, body, headers = await node.get(slow, Range="bytes=2-4")
    assert (status, body, headers["Content-Range"]) == (206, BODY[2:5], "bytes 2-4/2048")
    assert (await node.get(missing))[0] == 404


async def test_tokens_go_where_the_rules_want_them(node: Node) -> None:
    first = (await uris(node, False, "q"))[0]
    path, _, query = first.partition("?")
    status, _, headers = await node.get(first)
    assert status == 302 and query.startswith("CAT=") and "/cat:" not in path
    assert headers["Location"].endswith(f"/live/q/v1/1.m4s?{query}")


async def test_nothing_is_handed_on_that_no_rule_spoils_and_no_token_opens(node: Node) -> None:
    slow = (await uris(node, False))[2]
    assert (await node.get(re.sub("/cat:[^/]+", "", slow)))[0] == 401
    assert (await node.get(re.sub("/cat:[^/]+", f"/cat:{token('/vod/')}", slow)))[0] == 403
    for was, now, status in (
        ("at-2/", "at-3/", 404),
        ("at-2/", "at-x/", 404),
        ("at-2/", "at-99999/", 404),
        ("CDN-A", "CDN-A~CDN-B", 404),
        ("CDN-A", "CDN-X", 404),
        ("CDN-A", "CDN-A/s:x.y", 403),
        ("/live/c/", "/live/other/", 404),
    ):
        changed = slow.replace(was, now)
        assert changed != slow and (await node.get(changed))[0] == status, changed


async def test_manifests_and_what_no_rule_covers_are_not_handed_on(node: Node) -> None:
    """Or who asks here for a manifest would get it past filters, blackouts and watermarks."""
    for place in (
        "chaos/at-0/CDN-A/cat:{}/live/c/v1/media.m3u8",
        "chaos/at-2/CDN-A/cat:{}/live/c/v1/media.m3u8",
        "chaos/at-2/CDN-A/cat:{}/live/c/x.mpd",
        "chaos/at-2/CDN-A/cat:{}/live/c/x-1.mpp",
        "chaos/at-0/CDN-A/cat:{}/live/c/v2/1.m4s",
        "ab/CDN-A/cat:{}/live/m/v1/1.m3u8",
    ):
        assert (await node.get("/" + place.format(token())))[0] == 404, place
    assert (await node.get(f"/chaos/at-0/CDN-A/cat:{token()}/live/c/v1/1.m4s"))[0] == 302


def test_a_rule_for_playlists_reaches_their_segments() -> None:
    for pattern, path, wanted in (
        ("*/v1/*", "/live/c/v1/1.m4s", True),
        ("*/v1/*", "/live/c/v2/1.m4s", False),
        ("*/v1/media.m3u8", "/live/c/v1/1.m4s", True),
        ("*/v1/media.m3u8", "/live/c/v2/1.m4s", False),
        ("*.m3u8", "/live/c/v2/1.m4s", True),
        ("*/x.mpd", "/live/c/v1/1.m4s", False),
    ):
        assert reaches(Chaos((pattern,), status=404), path) == wanted, pattern


class Slow:
    """An origin that answers when told, with what is said."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked = 0
        self.answers: list[Fetched | Exception] = []

    async def get(self, *_: object, **__: object) -> Fetched:
        self.asked += 1
        await self.gate.wait()
        answer = self.answers.pop() if self.answers else Fetched(200, {}, b"x" * 99)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_no_more_are_slow_at_once_than_may_be() -> None:
    """From before the origin is asked, however each ends: place for all again each time."""
    origin = Slow()
    rules = Ruleset("r", chaos=(Chaos(throttle_bps=8_000),))
    asking = Asking({"A": Pathway("A", "http://a")}, (rules,))
    medium = asking.medium("A/live/c/1.m4s", Request("GET", "/chaos/at-0/A/live/c/1.m4s"))
    faults = Faults(origin, "http://o")  # type: ignore[arg-type]

    async def crowd() -> list[asyncio.Task[Answer]]:
        origin.asked = 0
        origin.gate.clear()
        tasks = [
            asyncio.create_task(faults.answer("0", medium, "", None)) for _ in range(MAX_SLOW + 2)
        ]
        async with asyncio.timeout(60):
            refused = [await tasks.pop(), await tasks.pop()]
        assert all(isinstance(one, Refusal) for one in refused)
        assert origin.asked == MAX_SLOW
        return tasks

    for answers in (
        [FetchError("timeout", ""), FetchError("refused", ""), Fetched(404, {}, b""), ValueError()]
        * 16,
        [],
    ):
        tasks = await crowd()
        origin.answers = list(answers)
        origin.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
    del tasks  # streams that nobody begins
    for task in await crowd():
        task.cancel()
    await asyncio.sleep(0)
    tasks = await crowd()
    origin.gate.set()
    made = await asyncio.gather(*tasks)
    del tasks
    whole, half = made[0], made[1]
    assert isinstance(whole, Stream) and isinstance(half, Stream)
    assert b"".join([chunk async for chunk in whole.chunks]) == b"x" * 99
    await anext(half.chunks)
    assert isinstance(await faults.answer("0", medium, "", None), Refusal), "all are still held"
    del made, whole, half
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in await crowd():
        task.cancel()


def test_no_segment_takes_for_ever() -> None:
    for size, bps in ((0, 8_000), (1, 8_000), (10**7, 8_000), (10**4, 10**9)):
        step = chunk_bytes(size, bps)
        assert size / step * STEP_S <= MAX_SLOW_S and step >= bps / 8 * STEP_S
