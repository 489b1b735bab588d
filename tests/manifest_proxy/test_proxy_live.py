"""Low latency through the proxy, in front of our own live origin (HLS-M21..M25, DASH-M15)."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from lxml import etree
from origin_rigs.dash_rules import applied, canonical
from origin_rigs.hls_rig import FIRST, Rig, merged, read

from manifest_proxy.hls_join import Joints, place_to_join
from manifest_proxy.mpd_join import place_to_join_mpd, with_join_mpd
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import serve
from native.http.limits import Limits
from origin.delivery.handler import Delivery
from origin.delivery.recordings import TimeShift
from origin.vod import Library

DEADLINE_S = 60
EDGE = FIRST + 5
NS = "{urn:mpeg:dash:schema:mpd:2011}"


class Chain:
    """An origin on a clock of its own, the proxy in front of it, and a client of both."""

    def __init__(
        self,
        rig: Rig,
        delivery: Delivery,
        client: aiohttp.ClientSession,
        direct: str,
        proxied: str,
    ) -> None:
        self.rig, self.delivery, self.client = rig, delivery, client
        self.direct, self.proxied = direct, proxied

    async def get(self, leaf: str, *, direct: bool = False) -> tuple[int, str]:
        base = self.direct + "/live/c/" if direct else self.proxied + "/p/CDN-A/live/c/"
        return await self.at(base + leaf)

    async def at(self, url: str) -> tuple[int, str]:
        async with self.client.get(url) as answer:
            return answer.status, await answer.text()

    def push(self, number: int, first: int, end: int) -> None:
        for track in "va":
            for piece in [*self.rig.synths[track].pieces(number)][first:end]:
                self.rig.chunk(track, piece)


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    @asynccontextmanager
    async def run(rules: str = "") -> AsyncIterator[Chain]:
        rig = Rig(tmp_path / "live")
        rig.begin()
        rig.play(FIRST, 6)
        library = Library(tmp_path)
        delivery = Delivery(
            rig.settings, rig.hot, rig.channels.presentations, library, *[lambda: rig.now_s] * 2
        )
        rig.channels.on_publish = delivery.wake
        delivery.shift = TimeShift(
            rig.settings, rig.hot, rig.channels.presentations, rig.channels.recordings
        )
        limits = Limits(per_address=0)
        server = await serve(delivery.handle, host="127.0.0.1", port=0, hot=rig.hot, limits=limits)
        (tmp_path / "r.toml").write_text(f'[[rules]]\nname = "r"\n{rules}')
        settings = Settings(
            port=0,
            origin_url=f"http://127.0.0.1:{server.port}",
            steering_url="",
            require_token=False,
            rules_file=tmp_path / "r.toml" if rules else None,
        )
        running = parts(settings, None)
        for part in running:
            await part.start()
        listener = running[-1]
        assert isinstance(listener, Listener)
        try:
            async with aiohttp.ClientSession() as client:
                direct, proxied = (f"http://127.0.0.1:{p}" for p in (server.port, listener.port))
                yield Chain(rig, delivery, client, direct, proxied)
        finally:
            for part in reversed(running):
                await part.stop()
            await server.close()
            rig.channels.close()
            library.close()

    yield run


async def test_a_held_reload_ends_with_the_part_that_was_hinted(chain: Any) -> None:
    """HLS-M23..M25: hint, part and report keep one form; the hold is the origin's."""
    async with chain('playlists = "proxy"\n') as live:
        live.push(EDGE + 1, 0, 1)
        _, text = await live.get("v/media.m3u8")
        (hint,) = read(text).tagged("PRELOAD-HINT")
        assert hint["URI"] == f"http://localhost:8011/live/c/v/{EDGE + 1}.1.m4s"
        reload = asyncio.create_task(
            live.get(f"v/media.m3u8?_HLS_msn={EDGE + 1}&_HLS_part=1&_HLS_x=1")
        )
        async with asyncio.timeout(DEADLINE_S):
            while not len(live.delivery._waiting):
                await asyncio.sleep(0.01)
        assert not reload.done()
        live.push(EDGE + 1, 1, 2)
        status, text = await reload
        assert status == 200
        assert [p["URI"] for p in read(text).parts(EDGE + 1)][1] == hint["URI"]
        reports = [report["URI"] for report in read(text).tagged("RENDITION-REPORT")]
        assert reports == ["../a/media.m3u8", "iframe.m3u8"]
        _, master = await live.get("master.m3u8")
        assert "\nhttp://localhost:8003/p/CDN-A/live/c/v/media.m3u8\n" in master


async def test_deltas_of_the_origin_fit_where_edits_are_line_by_line(chain: Any) -> None:
    """HLS-M22, HLS-23: merged with the older copy they give the newer one."""
    async with chain() as live:
        live.rig.play(EDGE + 1, 8)
        _, older = await live.get("v/media.m3u8?_HLS_msn=1")
        live.push(EDGE + 9, 0, 4)
        _, delta = await live.get(f"v/media.m3u8?_HLS_msn={EDGE + 9}&_HLS_skip=YES")
        _, newer = await live.get(f"v/media.m3u8?_HLS_msn={EDGE + 9}")
        assert "#EXT-X-SKIP:" in delta and len(delta) < len(newer)
        whole = merged(read(older), read(delta))
        assert (whole.blocks, whole.coming) == (read(newer).blocks, read(newer).coming)


async def test_a_cut_window_has_deltas_of_its_own(chain: Any) -> None:
    """HLS-M22, HLS-23: the origin is asked for all of it; nothing of a short one is skipped."""
    async with chain("window_s = 24\n") as live:
        live.rig.play(EDGE + 1, 12)
        _, older = await live.get("v/media.m3u8?_HLS_msn=1")
        live.push(EDGE + 13, 0, 4)
        _, delta = await live.get(f"v/media.m3u8?_HLS_msn={EDGE + 13}&_HLS_skip=YES")
        _, newer = await live.get(f"v/media.m3u8?_HLS_msn={EDGE + 13}")
        assert read(delta).skipped and len(delta) < len(newer)
        whole = merged(read(older), read(delta))
        numbers = range(whole.first + 1, whole.last + 1)
        assert numbers == range(read(newer).first + 1, read(newer).last + 1)
        for number in numbers:
            kept = [line for line in whole.plain(number) if "EXT-X-MAP" not in line]
            assert kept == read(newer).plain(number)
    async with chain("window_s = 12\n") as live:
        live.rig.play(EDGE + 1, 8)
        _, text = await live.get("v/media.m3u8?_HLS_skip=YES")
        assert "EXT-X-SKIP" not in text and "CAN-BLOCK-RELOAD" in text
        found = read(text)
        assert found.first == found.last - 6 and "EXT-X-MAP" in text
        _, mpd = await live.get("manifest.mpd")
        assert 'timeShiftBufferDepth="PT12S"' in mpd and "manifest.mpd~" in mpd


@pytest.mark.parametrize("query", ["_HLS_part=1", "_HLS_msn=x", f"_HLS_msn={EDGE + 9}"])
async def test_refusals_are_the_origins(chain: Any, query: str) -> None:
    async with chain() as live:
        assert (await live.get(f"v/media.m3u8?{query}"))[0] == 400


CUT = 'video = { height = "..9000" }\nwindow_s = 12\n'


@pytest.mark.parametrize(("leaf", "rules"), [("manifest", ""), ("ll", ""), ("manifest", CUT)])
async def test_patches_turn_our_mpd_into_our_next_one(chain: Any, leaf: str, rules: str) -> None:
    """P3 through the proxy: patch(ours at T1) is ours at T2, also where rules cut both."""
    async with chain(rules) as live:
        _, text = await live.get(f"{leaf}.mpd")
        old = etree.fromstring(text.encode())
        before = canonical(old)
        location = old.findtext(f"{NS}PatchLocation")
        prefix = "http://localhost:8003/p/CDN-A/live/c/"
        name = f"{leaf}.mpd~" if rules else f"{leaf}-"
        assert location.startswith(prefix + name) and location.endswith(".mpp")
        live.rig.play(EDGE + 1, 3)
        url = location.replace("http://localhost:8003", live.proxied)
        async with live.client.get(url) as answer:
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/dash-patch+xml"
            patch = etree.fromstring(await answer.read())
        async with asyncio.timeout(DEADLINE_S):
            while (text := (await live.get(f"{leaf}.mpd"))[1]) and canonical(
                new := etree.fromstring(text.encode())
            ) == before:
                await asyncio.sleep(0.05)
        assert canonical(applied(old, patch)) == canonical(new)


async def test_patches_do_not_fit_an_mpd_that_rules_cut(chain: Any) -> None:
    async with chain('video = { height = "..9000" }\n') as live:
        _, text = await live.get("manifest.mpd", direct=True)
        location = etree.fromstring(text.encode()).findtext(f"{NS}PatchLocation")
        live.rig.play(EDGE + 1, 1)
        assert (await live.get(location, direct=True))[0] == 200
        status, answer = await live.get(location)
        assert status == 410 and "patch_unsafe" in answer


async def test_catch_up_passes_on(chain: Any) -> None:
    """MP-10: a finished range of the past plays from start to end, through the proxy."""
    async with chain('playlists = "proxy"\n') as live:
        live.rig.play(EDGE + 1, 6)
        start = int(live.rig.now_s) - 12
        window = f"start={start}&end={start + 6}"
        status, master = await live.get(f"master.m3u8?{window}")
        children = [line for line in master.splitlines() if line.startswith("http")]
        assert status == 200 and children and all(window in child for child in children)
        status, text = await live.at(children[0].replace("http://localhost:8003", live.proxied))
        assert status == 200 and "#EXT-X-ENDLIST" in text
        status, mpd = await live.get(f"manifest.mpd?{window}")
        assert status == 200 and 'type="static"' in mpd


CLIP = b"""#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="i.mp4"
#EXTINF:2,
1.m4s
#EXT-X-ENDLIST
"""
CLIP_MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT2S">
<Period id="1"><AdaptationSet id="c"/></Period></MPD>"""


async def test_a_bumper_stands_in_what_our_origin_writes(chain: Any) -> None:
    """HLS-M8, M16, DASH-M1: sound and pictures are cut alike, and nothing moves when more comes."""
    async with chain() as live:
        _, text = await live.get("v/media.m3u8", direct=True)
        joined_ms = place_to_join(text.encode())
        _, mpd = await live.get("manifest.mpd", direct=True)
        joined_mpd_ms = place_to_join_mpd(mpd.encode())
        assert joined_ms is not None and joined_mpd_ms is not None
        firsts, starts = set(), set()
        for more in (0, 1, 1):
            live.rig.play(read(text).last + 1, more)
            for track in "va":
                _, text = await live.get(f"{track}/media.m3u8", direct=True)
                out = Joints(text.encode(), CLIP, lambda uri: b"/b/" + uri).at(joined_ms).decode()
                head, _, content = out.partition("/b/1.m4s\n")
                firsts.add(head.partition("MEDIA-SEQUENCE:")[2].partition("\n")[0])
                numbers = [int(n) for n in re.findall(r"\n(\d+)\.m4s", content)]
                assert numbers == list(range(int(max(firsts)) + 1, read(text).last + 1))
            _, mpd = await live.get("manifest.mpd", direct=True)
            tree = etree.fromstring(with_join_mpd(mpd.encode(), CLIP_MPD, b"/b/", joined_mpd_ms))
            starts.add(tuple(period.get("start") for period in tree.iter(f"{NS}Period")))
            for template in tree.iter(f"{NS}SegmentTemplate"):
                if (first := template.find(f"{NS}SegmentTimeline/{NS}S")) is None:
                    continue
                late = int(template.get("presentationTimeOffset")) - int(first.get("t"))
                assert 0 <= late <= int(first.get("d"))
        assert len(firsts) == 1
        (bumper, content), *_ = starts
        assert len(starts) == 1 and float(content[2:-1]) - float(bumper[2:-1]) == 2
