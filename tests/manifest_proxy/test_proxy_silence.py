"""A live channel whose source falls silent or whose origin dies, over sockets and nodes (MP-18)."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import m3u8
import pytest

from manifest_proxy.hls_slate import told
from manifest_proxy.ledger import Ledger
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Answer, Entity, Refusal, Request, serve
from runtime.clock import ManualClock
from runtime.store import MemoryStore

Get = Callable[[str], Awaitable[tuple[int, str]]]
DEADLINE_S = 60
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
CLIP = b"""#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="i.mp4"
#EXTINF:2,
0.m4s
#EXTINF:2,
1.m4s
#EXT-X-ENDLIST
"""
RULES = """[[rules]]
name = "r"
paths = ["/live/*"]
slate = { folder = "/vod/slate", reference = "v1/media.m3u8", after_targets = 2 }
"""


CLIP_MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT4S">
<Period id="1"><AdaptationSet id="c"/></Period></MPD>"""


def live(last: int) -> str:
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n"
    body = "".join(f"#EXTINF:2,\n{n}.m4s\n" for n in range(last - 5, last + 1))
    return f"{head}#EXT-X-MEDIA-SEQUENCE:{last - 5}\n{body}"


def mpd(last: int) -> bytes:
    return f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"
 availabilityStartTime="2023-01-01T00:00:00Z"><PatchLocation>x.mpp</PatchLocation>
<Period id="p" start="PT0S"><AdaptationSet id="1"><SegmentTemplate><SegmentTimeline>
<S t="{2 * last - 10}" d="2" r="5"/></SegmentTimeline></SegmentTemplate></AdaptationSet></Period>
</MPD>""".encode()


class Origin:
    """A live playlist up to `edge`; `down` when it answers nothing any more."""

    edge = 105
    down = False
    asked: list[str]

    def __init__(self) -> None:
        self.asked = []

    def __call__(self, request: Request) -> Answer:
        self.asked.append(f"{request.path}?{request.query}")
        media = live(self.edge)
        pages = {
            "/live/c/master.m3u8": MASTER,
            "/live/c/v1/media.m3u8": media.encode(),
            "/live/c/s/media.m3u8": media.replace("m4s", "vtt").encode(),
            "/live/ended/v1/media.m3u8": media.encode() + b"#EXT-X-ENDLIST\n",
            "/live/odd/v1/media.m3u8": b"no playlist",
            "/live/c/x.mpd": mpd(self.edge),
            "/vod/slate/v1/media.m3u8": CLIP,
            "/vod/slate/x.mpd": CLIP_MPD,
            "/vod/slate/master.m3u8": MASTER,
        }
        body = pages.get(request.path)
        if self.down:
            return Refusal(500, "down")
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body, content_type="text/plain", cache_control="max-age=0")


class World:
    """One origin, a store, and nodes that come and go."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.origin, self.clock, self.store = Origin(), ManualClock(), MemoryStore()

    async def begin(self) -> None:
        (self.folder / "r.toml").write_text(RULES)
        server = await serve(self.origin, host="127.0.0.1", port=0)
        self.stack.push_async_callback(server.close)
        self.port = server.port
        self.session = await self.stack.enter_async_context(aiohttp.ClientSession())

    async def node(self, *, alone: bool = False) -> Get:
        settings = Settings(
            port=0,
            origin_url=f"http://127.0.0.1:{self.port}",
            steering_url="",
            require_token=False,
            rules_file=self.folder / "r.toml",
        )
        store = None if alone else self.store
        running = parts(settings, None, clock=self.clock, store=store)
        for part in running:
            await part.start()
            self.stack.push_async_callback(part.stop)
        listener = running[-1]
        assert isinstance(listener, Listener)

        async def get(path: str) -> tuple[int, str]:
            url = f"http://127.0.0.1:{listener.port}/p/CDN-A{path}"
            async with self.session.get(url) as answer:
                return answer.status, await answer.text()

        return get


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        made = World(stack, tmp_path)
        await made.begin()
        yield made


def uris(text: str) -> dict[int, str]:
    found = m3u8.loads(text)
    names = [(segment.uri or "").rpartition("/live/c/")[2] for segment in found.segments]
    return {found.media_sequence + at: name for at, name in enumerate(names)}


@pytest.mark.parametrize("down", [False, True], ids=["silent", "dead"])
async def test_a_slate_goes_on_where_the_source_stopped(world: World, down: bool) -> None:
    """HLS-M8, M10: every node, also one that begins while the origin is dead, lists the same."""
    one = await world.node()
    media = "/live/c/v1/media.m3u8"
    status, text = await one(media)
    assert status == 200 and "CAN-BLOCK-RELOAD" not in text, "HLS-M25"
    assert "\nhttp://localhost:8011/live/c/v1/105.m4s\n" in text
    world.origin.down = down
    world.clock.advance(100 if down else 6)
    status, text = await one(media)
    slate = "\nhttp://localhost:8011/vod/slate/v1/0.m4s\n"
    assert status == 200 and slate in text and "#EXT-X-DISCONTINUITY\n" in text
    async with asyncio.timeout(DEADLINE_S):
        while (found := await world.store.get("proxy:silence:/live/c/")) is None or not re.search(
            rb'"first":106', found
        ):
            await asyncio.sleep(0.01)
    other = await world.node()
    assert (await other("/live/c/s/media.m3u8"))[0] == (502 if down else 200)
    assert (await other(media)) == (200, text)
    world.origin.down = False
    edge = max(uris(text))
    world.clock.advance(2)
    world.origin.edge = edge + 2
    status, text = await other(media)
    listed = uris(text)
    assert status == 200 and "/vod/slate/" in listed[edge + 1], "it may have been shown by now"
    assert listed[edge + 2].endswith(f"/{edge + 2}.m4s") and max(listed) == edge + 2
    assert (await one(media))[1] == text


async def test_renditions_that_the_slate_lacks_get_gaps(world: World) -> None:
    """HLS-M16."""
    one = await world.node(alone=True)
    for _ in range(2):
        status, text = await one("/live/c/s/media.m3u8")
        world.clock.advance(5)
    gaps = [bool(segment.gap_tag) for segment in m3u8.loads(text).segments]
    assert status == 200 and gaps == [False] * 6 + [True] * 2


@pytest.mark.parametrize("down", [False, True], ids=["silent", "dead"])
async def test_mpds_go_on_too(world: World, down: bool) -> None:
    """DASH-M1, M15: no Period of ours moves, and no patch is promised."""
    one = await world.node(alone=True)
    status, text = await one("/live/c/x.mpd")
    assert status == 200 and "PatchLocation" not in text and "slate" not in text
    world.origin.down = down
    world.clock.advance(50)
    status, text = await one("/live/c/x.mpd")
    assert status == 200 and "<BaseURL>../../vod/slate/</BaseURL>" in text
    assert len(re.findall(r' id="slate-\d+-\d+"', text)) == 13


async def test_parts_are_not_asked_for(world: World) -> None:
    """HLS-M25: a held reload would promise what a slate does not keep."""
    one = await world.node(alone=True)
    assert (await one("/live/c/v1/media.m3u8?_HLS_msn=107&_HLS_part=1"))[0] == 200
    assert "/live/c/v1/media.m3u8?" in world.origin.asked
    assert not any("_HLS" in path for path in world.origin.asked)


async def test_what_is_over_or_asked_as_a_window_stays(world: World) -> None:
    one = await world.node(alone=True)
    for path in ("/live/ended/v1/media.m3u8", "/live/c/v1/media.m3u8?start=5"):
        first = await one(path)
        world.clock.advance(60)
        assert (await one(path)) == first and first[0] == 200 and "slate" not in first[1]
    assert (await one("/live/odd/v1/media.m3u8"))[0] == 502


async def test_who_starts_while_the_origin_is_dead_is_shown_the_title(world: World) -> None:
    one = await world.node(alone=True)
    world.origin.down = True
    for path in ("/live/c/master.m3u8", "/live/c/v1/media.m3u8"):
        assert (await one(path))[0] == 502
    world.origin.down = False
    assert (await one("/live/c/master.m3u8"))[0] == 200


async def test_all_first_requests_wait_for_what_others_know() -> None:
    """HLS-M8: none is answered from a node that has not asked yet."""
    clock, store = ManualClock(), MemoryStore()
    first, facts = Ledger(clock, store), told(live(105).encode())
    assert facts is not None
    await first.look("c", facts, 2, 2)
    clock.advance(6)
    shown = await first.look("c", facts, 2, 2)
    async with asyncio.timeout(DEADLINE_S):
        while b'"first":106' not in (await store.get("proxy:silence:c") or b""):
            await asyncio.sleep(0.01)
    gate, get = asyncio.Event(), store.get

    async def slow(key: str) -> bytes | None:
        await gate.wait()
        return await get(key)

    store.get = slow  # type: ignore[method-assign]
    second = Ledger(clock, store)
    looks = [asyncio.create_task(second.look("c", facts, 2, 2)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    assert shown.end == 109 and await asyncio.gather(*looks) == [shown] * 3


async def test_a_store_that_is_gone_stops_nobody(world: World, monkeypatch: Any) -> None:
    from runtime.store import StoreError

    async def fails(*_: object) -> None:
        raise StoreError("unavailable", "gone")

    for name in ("get", "put"):
        monkeypatch.setattr(world.store, name, fails)
    one = await world.node()
    assert (await one("/live/c/v1/media.m3u8"))[0] == 200
    world.clock.advance(6)
    assert "/vod/slate" in (await one("/live/c/v1/media.m3u8"))[1]
