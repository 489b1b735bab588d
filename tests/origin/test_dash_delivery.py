"""MPDs, patches and segments in the making over real sockets (dash.md sections 1, 2, 3 and 5)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from origin_rigs.hls_rig import FIRST, A, Rig, V

from bench.ingester import GRID_S, Synth
from native.bmff.model import Prft
from native.bmff.write import prft
from native.http import serve
from native.http.limits import Limits
from origin.delivery.handler import Delivery
from origin.errors import DamagedLog
from origin.live.casts import NTP_EPOCH_S
from origin.vod import Library

DEADLINE_S = 60
NS = "{urn:mpeg:dash:schema:mpd:2011}"
EDGE = FIRST + 5
TRACKS = {"v": V, "a": A}


@dataclass
class Open:
    """An answer as it arrives: status and headers first, then one HTTP chunk after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    async def head(self) -> "Open":
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
        status, *rest = head.decode("latin-1").rstrip().split("\r\n")
        self.status = int(status.split(" ")[1])
        self.headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in rest)}
        return self

    async def chunk(self) -> bytes:
        """One chunk; b"" is the last. IncompleteReadError: the answer was cut."""
        line = await asyncio.wait_for(self.reader.readuntil(b"\r\n"), DEADLINE_S)
        data = await asyncio.wait_for(self.reader.readexactly(int(line, 16) + 2), DEADLINE_S)
        return data[:-2]

    async def body(self) -> bytes:
        if "content-length" in self.headers:
            size = int(self.headers["content-length"])
            return await asyncio.wait_for(self.reader.readexactly(size), DEADLINE_S)
        found = b""
        while data := await self.chunk():
            found += data
        return found

    def close(self) -> None:
        self.writer.close()


class Site:
    """A rig behind a delivery port."""

    def __init__(self, rig: Rig, port: int, delivery: Delivery) -> None:
        self.rig, self.port, self.delivery = rig, port, delivery
        self._open: list[Open] = []

    async def open(self, path: str) -> Open:
        """Ask and do not wait for the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET /live/c/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self._open.append(Open(reader, writer))
        return self._open[-1]

    async def get(self, path: str) -> tuple[Open, bytes]:
        answer = await (await self.open(path)).head()
        return answer, await answer.body()

    async def mpd(self, leaf: str = "manifest.mpd") -> Any:
        answer, body = await self.get(leaf)
        assert answer.status == 200 and answer.headers["content-type"] == "application/dash+xml"
        return etree.fromstring(body)

    def push(self, number: int, first: int, end: int, tracks: str = "va") -> None:
        """Some of the chunks of a segment."""
        for track in tracks:
            for piece in [*self.rig.synths[track].pieces(number)][first:end]:
                self.rig.chunk(track, piece)

    async def parked(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.delivery._waiting) < count:
                await asyncio.sleep(0.01)

    def close(self) -> None:
        for answer in self._open:
            answer.close()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    @asynccontextmanager
    async def run(folder: str = "live", played: int = 6, **known: Any) -> AsyncIterator[Site]:
        rig = Rig(tmp_path / folder, **known)
        rig.begin()
        rig.play(FIRST, played)
        library = Library(tmp_path)
        presentations = rig.channels.presentations
        delivery = Delivery(rig.settings, rig.hot, presentations, library, *[lambda: rig.now_s] * 2)
        rig.channels.on_publish = delivery.wake
        limits = Limits(per_address=0)
        server = await serve(delivery.handle, host="127.0.0.1", port=0, hot=rig.hot, limits=limits)
        site = Site(rig, server.port, delivery)
        try:
            yield site
        finally:
            site.close()
            await server.close()
            rig.channels.close()
            library.close()

    yield run


async def test_a_segment_leaves_chunk_by_chunk_as_it_arrives(site: Any) -> None:
    """L11, O10: asked for before its first chunk, after it, and when it is whole: equal bytes."""
    pieces = [*V.pieces(EDGE + 1)]
    async with site() as live:
        early = await live.open(f"v/{EDGE + 1}.m4s")
        await live.parked(1)
        live.push(EDGE + 1, 0, 1)
        await early.head()
        assert (early.status, early.headers.get("transfer-encoding")) == (200, "chunked")
        assert early.headers["content-type"] == "video/mp4"
        assert await early.chunk() == pieces[0]
        live.push(EDGE + 1, 1, 2)
        assert await early.chunk() == pieces[1]
        late = await (await live.open(f"v/{EDGE + 1}.m4s")).head()
        assert await late.chunk() + await late.chunk() == pieces[0] + pieces[1]
        live.push(EDGE + 1, 2, 4)
        assert await early.body() == pieces[2] + pieces[3], "a clean end"
        assert await late.body() == pieces[2] + pieces[3]
        answer, body = await live.get(f"v/{EDGE + 1}.m4s")
        assert body == b"".join(pieces) and answer.headers["etag"]
        assert "immutable" in answer.headers["cache-control"]
        assert early.headers["cache-control"] == answer.headers["cache-control"]


async def test_a_stream_ends_with_its_segment_not_with_the_slowest_track(site: Any) -> None:
    async with site() as live:
        live.push(EDGE + 1, 0, 1)
        video = await (await live.open(f"v/{EDGE + 1}.m4s")).head()
        live.push(EDGE + 1, 1, 4, "v")
        live.push(EDGE + 1, 1, 2, "a")
        assert await video.body() == b"".join(V.pieces(EDGE + 1))
        assert live.rig.channel.edge == EDGE, "the audio of this number is still on its way"


@pytest.mark.parametrize("first", [False, True], ids=["while streaming", "before the first byte"])
async def test_a_broken_segment_never_ends_cleanly(site: Any, first: bool) -> None:
    """HT-114: whoever has some of it sees the cut; whoever has none of it gets a clear no."""
    async with site() as live:
        live.push(EDGE + 1, 0, 1)
        if not first:
            answer = await (await live.open(f"v/{EDGE + 1}.m4s")).head()
            assert await answer.chunk()
        live.push(EDGE + 1, 2, 3, "v")
        if first:
            answer = await live.open(f"v/{EDGE + 1}.m4s")
            await live.parked(1)
        for number in range(EDGE + 2, EDGE + 6):
            live.push(number, 0, 4)
        assert live.rig.channel.edge > EDGE
        if first:
            await answer.head()
            assert answer.status == 404
        else:
            with pytest.raises(asyncio.IncompleteReadError):
                await answer.body()


async def test_a_damaged_log_cuts_the_stream_and_nothing_else(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site() as live:
        live.push(EDGE + 1, 0, 1)
        answer = await (await live.open(f"v/{EDGE + 1}.m4s")).head()
        assert await answer.chunk()
        log = live.rig.channel.tracks["v"].log
        with monkeypatch.context() as damage:
            damage.setattr(type(log), "read", broken)
            live.push(EDGE + 1, 1, 2)
        with pytest.raises(asyncio.IncompleteReadError):
            await answer.body()
        live.push(EDGE + 1, 2, 4)
        assert (await live.get(f"v/{EDGE + 1}.m4s"))[0].status == 200


def broken(*_: Any) -> bytes:
    raise DamagedLog("wrong checksum")


@pytest.mark.parametrize("status", [404, 425])
async def test_statuses_by_time(site: Any, status: int) -> None:
    """D9, section 5: far too early, gone, and a patch from the future or from too long ago."""
    async with site(played=90, early_status=status, hold_s=0) as live:
        edge = live.rig.channel.edge
        mpd = await live.mpd()
        newest = int(mpd.find(f"{NS}PatchLocation").text.split("-")[1].split(".")[0])
        cases = {
            f"v/{edge + 9}.m4s": status,
            f"v/{edge}.m4s": 200,
            f"v/{FIRST}.m4s": 410,
            f"manifest-{newest}.mpp": 425,
            f"manifest-{newest + 10**6}.mpp": 425,
            f"manifest-{newest - int(GRID_S * 1000)}.mpp": 200,
            f"manifest-{newest - 1}.mpp": 410,
            f"manifest-{newest - 10**6}.mpp": 410,
            "manifest-x.mpp": 404,
            "nothing.mpd": 404,
        }
        got = {path: (await live.get(path))[0] for path in cases}
        assert {path: answer.status for path, answer in got.items()} == cases
        assert all("cache-control" in answer.headers for answer in got.values())


async def test_a_patch_since_the_newest_waits_for_the_next(site: Any) -> None:
    """P4: nobody polls for what is about to come."""
    async with site() as live:
        name = (await live.mpd("ll.mpd")).find(f"{NS}PatchLocation").text
        held = [await live.open(name) for _ in range(2)]
        await live.parked(2)
        live.push(EDGE + 1, 0, 4)
        for answer in held:
            await answer.head()
            assert (answer.status, answer.headers["content-type"]) == (
                200,
                "application/dash-patch+xml",
            )
            patch = etree.fromstring(await answer.body())
            assert patch.get("publishTime") == (await live.mpd("ll.mpd")).get("publishTime")


async def test_two_origins_publish_equal_manifests(site: Any) -> None:
    """P5, O17: bytes, tags and dates, of both forms and of a patch."""
    async with site("one", 40) as one, site("two", 40) as two:
        mpd = await one.mpd()
        newest = int(mpd.find(f"{NS}PatchLocation").text.split("-")[1].split(".")[0])
        old = newest - 5 * int(GRID_S * 1000)
        for leaf in ("manifest.mpd", "ll.mpd", f"manifest-{old}.mpp", f"ll-{old}.mpp"):
            (a, body), (b, other) = await one.get(leaf), await two.get(leaf)
            assert (a.status, body) == (200, other), leaf
            for name in ("etag", "last-modified", "cache-control", "content-type"):
                assert a.headers[name] == b.headers[name]


async def test_a_restart_changes_no_manifest(site: Any) -> None:
    async with site(played=40) as live:
        before = [(await live.get(leaf))[1] for leaf in ("manifest.mpd", "ll.mpd")]
        live.rig.channels.close()
        live.rig.restart()
        presentation = live.rig.presentation
        after = [bytes(presentation.render(leaf).body) for leaf in ("manifest.mpd", "ll.mpd")]
        assert after == before


async def test_the_end_of_a_channel(site: Any) -> None:
    """D4, P6: a fixed duration, no more updates; a kept edition can be patched up to there."""
    async with site(played=8) as live:
        before = {leaf: await live.mpd(leaf) for leaf in ("manifest.mpd", "ll.mpd")}
        live.rig.end()
        for leaf, old in before.items():
            root = await live.mpd(leaf)
            assert root.get("minimumUpdatePeriod") is None
            assert root.find(f"{NS}PatchLocation") is None
            (period,) = root.findall(f"{NS}Period")
            patch = (await live.get(old.find(f"{NS}PatchLocation").text))[1]
            assert b'<remove sel="/MPD/@minimumUpdatePeriod"/>' in patch
            length = Fraction(period.get("duration")[2:-1])
            assert length == (live.rig.channel.edge + 1 - FIRST) * GRID_S
            assert old.find(f"{NS}Period").get("start") == period.get("start")


async def test_only_the_low_latency_form_announces_early(site: Any) -> None:
    """D16: both names of one channel keep to their own rules; without parts there is one name."""
    async with site() as live:
        plain, low = await live.mpd(), await live.mpd("ll.mpd")
        template = low.find(f".//{NS}AdaptationSet/{NS}SegmentTemplate")
        part_s = live.rig.channel.part_s
        offset_s = Fraction(template.get("availabilityTimeOffset"))
        assert abs(offset_s - (GRID_S - part_s)) < Fraction(1, 10**5)
        for name in ("availabilityTimeOffset", "availabilityTimeComplete"):
            assert all(name not in node.attrib for node in plain.iter(etree.Element))
    async with site("whole", low_latency=False) as live:
        assert (await live.get("ll.mpd"))[0].status == 404
        assert (await live.get("manifest.mpd"))[0].status == 200


class Timed(Synth):
    """Video whose encoder tells its clock: a quarter of a second after media time (C9)."""

    def pieces(self, number: int) -> Iterator[bytes]:
        for at, piece in enumerate(super().pieces(number)):
            ticks = number * self.segment_ticks + self.chunks[at][2]
            wall_s = Fraction(ticks, self.timescale) + Fraction(1, 4) + NTP_EPOCH_S
            yield prft(Prft(1, int(wall_s * 2**32), ticks, 0)) + piece


@pytest.mark.parametrize("timed", [True, False])
async def test_the_producer_tells_its_clock(site: Any, timed: bool) -> None:
    """L4: what prft said when the Period began, or media time itself; equal on other origins."""
    synths = {"v": Timed("video", 40_000, chunks=4, seed=1) if timed else V, "a": A}
    async with site(synths=synths) as one, site("two", 9, synths=synths) as two:
        for live in (one, two):
            root = await live.mpd("ll.mpd")
            for told in root.iter(f"{NS}ProducerReferenceTime"):
                template = told.getparent().find(f"{NS}SegmentTemplate")
                scale = int(template.get("timescale"))
                assert Fraction(int(told.get("presentationTime")), scale) == FIRST * GRID_S
                wall_s = datetime.fromisoformat(told.get("wallClockTime")).timestamp()
                assert wall_s - FIRST * GRID_S == (0.25 if timed else 0)
                assert told.get("inband") == ("true" if timed else "false")


async def test_no_stream_without_parts(site: Any) -> None:
    """A channel that shows whole segments only holds an early request until there is one."""
    async with site(low_latency=False) as live:
        early = await live.open(f"v/{EDGE + 1}.m4s")
        await live.parked(1)
        live.push(EDGE + 1, 0, 3)
        await live.parked(1)
        live.push(EDGE + 1, 3, 4)
        await early.head()
        assert (early.status, "content-length" in early.headers) == (200, True)
        assert await early.body() == b"".join(V.pieces(EDGE + 1))
