"""Rendering time ranges: once for all, in small steps, and only what is new of what grows (O19)."""

import asyncio
import gzip
from fractions import Fraction
from pathlib import Path
from typing import Any

import m3u8
import pytest
from lxml import etree

from native.bmff.model import Emsg
from native.http import Entity, Hot, Refusal
from origin.dash.clips import Clips, Frame
from origin.delivery import ranges
from origin.delivery.recordings import TimeShift
from origin.hls.forms import SIDECAR
from origin.ingest.body import TrackBody
from origin.live.channels import Channels
from origin.live.cut import Playlist
from origin.live.ranges import Range, Window
from origin.settings import Settings
from origin.tracks import Rendition, Segment

FIRST = 900_000_000
GRID_S = Fraction(48, 25)


class Rig:
    """One channel with a long memory, without sockets."""

    def __init__(self, folder: Path, media: Any, segments: int) -> None:
        self.media, self.now_s = media, 0.0
        self.settings = Settings(
            window_s=8, retention_s=80_000, **{"channels": {"demo": {"segment_s": "48/25"}}}
        )
        self.channels = Channels(folder / "live", self.settings, Hot(), lambda: self.now_s)
        self.channels.open()
        self.shift = TimeShift(
            self.settings, Hot(), self.channels.presentations, self.channels.recordings
        )
        self.next = FIRST
        self.push(segments)

    def push(self, count: int = 1) -> None:
        for _ in range(count):
            self.now_s = float((self.next + 1) * GRID_S)
            body = TrackBody(self.channels, "demo", "v", self.settings, lambda: self.now_s)
            if self.next == FIRST:
                body.feed(self.media.header)
            body.feed(self.media.segment(self.next))
            body.finish()
            body.close()
            self.next += 1

    async def get(self, leaf: str, first: int, last: int | None = None) -> Any:
        """Numbers `first` to `last` of the channel, counted from its beginning."""
        end_s = None if last is None else (FIRST + last + 1) * GRID_S
        wanted = Range((FIRST + first) * GRID_S, end_s)
        answer = self.shift.answer(f"/live/demo/{leaf}", wanted.query)
        assert asyncio.iscoroutine(answer)
        return await answer


@pytest.fixture
def rig(tmp_path: Path, video_media: Any) -> Any:
    made = Rig(tmp_path, video_media, 300)
    yield made
    made.channels.close()


async def test_all_who_ask_for_one_range_share_one_render(rig: Rig) -> None:
    for leaf in ("v/media.m3u8", "master.m3u8", "manifest.mpd"):
        before = rig.shift.ranges.renders
        answers = await asyncio.gather(*(rig.get(leaf, 10, 250) for _ in range(60)))
        assert rig.shift.ranges.renders == before + 1
        assert all(answer is answers[0] for answer in answers)


async def test_a_range_that_grows_pays_for_what_is_new(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes as a render from nothing, for the price of one segment."""
    first = await rig.get("v/media.m3u8", 5)
    lines: list[int] = []
    from origin.live import cut

    real = cut.hls.segment_lines
    monkeypatch.setattr(
        cut.hls, "segment_lines", lambda s, *more: lines.append(s.number) or real(s, *more)
    )
    mpd = await rig.get("manifest.mpd", 5)
    for _ in range(70):
        rig.push()
        lines.clear()
        grown = await rig.get("v/media.m3u8", 5)
        assert lines == [rig.next - 1]
        assert grown.body.startswith(first.body) and grown.etag != first.etag
        assert gzip.decompress(grown.gzip) == grown.body
        later = await rig.get("manifest.mpd", 5)
        assert later.etag != mpd.etag and gzip.decompress(later.gzip) == later.body
        first, mpd = grown, later
    fresh = ranges.Ranges(rig.settings, rig.channels.holds)
    wanted = Range((FIRST + 5) * GRID_S)
    presentation = rig.channels.presentations["demo"]
    for leaf, known in (("v/media.m3u8", first), ("manifest.mpd", mpd)):
        again = await fresh.answer(presentation, leaf, wanted, query=wanted.query)
        assert isinstance(again, Entity)
        assert (again.body, again.etag) == (known.body, known.etag)


async def test_hls_and_dash_list_the_same(rig: Rig) -> None:
    for first, last in ((0, 0), (0, 299), (3, 66), (63, 64), (200, 263), (17, 290)):
        text = m3u8.loads((await rig.get("v/media.m3u8", first, last)).body.decode())
        numbers = [int(s.uri[:-4]) - FIRST for s in text.segments]
        assert numbers == list(range(first, last + 1))
        root = etree.fromstring((await rig.get("manifest.mpd", first, last)).body)
        templates = root.findall(".//{*}SegmentTemplate")
        assert templates
        for template in templates:
            total = sum(int(s.get("r", "0")) + 1 for s in template.iterfind(".//{*}S"))
            assert total == len(numbers)
            assert int(template.get("startNumber")) == FIRST + first


async def test_i_frames_have_the_same_range(rig: Rig) -> None:
    """TR-94: the trick rendition of the channel, in master, MPD and a playlist of its own."""
    master = m3u8.loads((await rig.get("master.m3u8", 3, 9)).body.decode())
    (trick,) = master.iframe_playlists
    assert trick.uri.startswith("v/iframe.m3u8?start=")
    body = (await rig.get("v/iframe.m3u8", 3, 9)).body.decode()
    assert "#EXT-X-I-FRAMES-ONLY" in body and "#EXT-X-ENDLIST" in body
    uris = [line for line in body.split("\n") if line and line[0] != "#"]
    assert uris == [f"{FIRST + n}.i.m4s" for n in range(3, 10)]
    root = etree.fromstring((await rig.get("manifest.mpd", 3, 9)).body)
    assert len(root.findall(".//{*}EssentialProperty")) == 1
    assert rig.shift.answer("/live/demo/v/other.m3u8", "start=1") is None


def test_a_period_is_a_run_of_numbers_on_the_same_tracks() -> None:
    """A number that nothing can be said of, or another set of tracks, begins a new one (D13)."""
    clips = Clips()
    for number, tracks, breaks in (
        *((1, "va", False), (2, "va", False), (4, "va", False), (5, "vat", False)),
        *((6, "vat", False), (7, "", False), (8, "vat", True), (9, "va", False)),
    ):
        here = {t: Segment(number, number * 100, 100) for t in tracks}
        clips.append(number, here, breaks=breaks)
    made = [Rendition(t, "audio", "mp4a.40.2", 100) for t in "vat"]
    plain, _, _ = clips.complete(Frame("id", 1, Fraction(1), 1, "/time"), made).finish()
    root = etree.fromstring(b"".join(plain))
    spans = [
        (p.get("id"), p.get("start"), p.get("duration"), len(p.findall(".//{*}Representation")))
        for p in root.findall("{*}Period")
    ]
    assert spans == [
        ("p1", "PT0S", "PT2S", 2),
        ("p4", "PT3S", "PT1S", 2),
        ("p5", "PT4S", "PT2S", 3),
        ("p8", "PT7S", "PT1S", 3),
        ("p9", "PT8S", "PT1S", 2),
    ]
    assert root.get("mediaPresentationDuration") == "PT9S"


async def test_long_work_lets_the_loop_go_on(rig: Rig) -> None:
    """A render never keeps others from their turn for longer than a stride."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await rig.get("v/media.m3u8", 0, 299)
    assert turns >= 300 // 32
    task.cancel()
    await asyncio.wait([task])


async def test_memory_for_ranges_is_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "CUT_BYTES", 200_000)
    kept = rig.shift.ranges
    for first in range(60):
        await rig.get("v/media.m3u8", first, 280)
        assert kept._held_bytes == sum(e.size_bytes for e in kept._entries.values())
        assert kept._held_bytes <= 200_000
    assert 1 <= len(kept._entries) < 10
    for first in range(60):
        assert (await rig.get("x/media.m3u8", first, 280)).code == "unknown_track"
    together = [rig.get("v/media.m3u8", first, 280) for first in range(40)]
    await asyncio.gather(*together)
    assert kept._held_bytes == sum(e.size_bytes for e in kept._entries.values()) <= 200_000


async def test_too_many_at_once_are_told_to_come_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "BUSY", 3)
    answers = await asyncio.gather(*(rig.get("v/media.m3u8", n, 280) for n in range(10)))
    refused = [a for a in answers if isinstance(a, Refusal)]
    assert len(refused) == 7 and {(a.status, a.code) for a in refused} == {(503, "busy")}
    assert (await rig.get("v/media.m3u8", 9, 280)).status == 200


async def test_events_of_the_range_are_told_and_no_others(rig: Rig) -> None:
    """EXT-X-DATERANGE and EventStream of what overlaps the range (HLS-12, TM9)."""
    channel = rig.channels.presentations["demo"].channel
    edge_s = (channel.edge + 1) * GRID_S
    for number, after in ((1, 2), (2, 20), (3, 60)):
        begins = int((edge_s + after) * 1000)
        event = Emsg(1, "urn:example:event", "", 1000, begins, 4000, number, b"message")
        assert channel.events.hear(event, "", channel.edge, edge_s)
    rig.push(60)
    for first, last, expected in ((300, 309, 1), (305, 325, 1), (300, 325, 2), (250, 299, 0)):
        body = (await rig.get("v/media.m3u8", first, last)).body.decode()
        assert body.count("#EXT-X-DATERANGE") == expected, (first, last)
        root = etree.fromstring((await rig.get("manifest.mpd", first, last)).body)
        assert len(root.findall(".//{*}EventStream/{*}Event")) == expected
        for stream in root.iterfind(".//{*}EventStream"):
            offset = int(stream.get("presentationTimeOffset"))
            assert offset == int((FIRST + first) * GRID_S * int(stream.get("timescale")))


def test_text_is_listed_in_the_form_that_hls_players_read(rig: Rig) -> None:
    """TR-82: WebVTT files without a map, as the live playlist names them."""
    presentation = rig.channels.presentations["demo"]
    channel = presentation.channel
    playlist = Playlist(channel, channel.tracks["v"], SIDECAR, FIRST + 1, presentation.sealing)
    for _ in playlist.grow(FIRST + 2):
        pass
    text = b"".join(playlist.text(Window(FIRST + 1, FIRST + 2, True, True, 60)).plain).decode()
    assert "EXT-X-MAP" not in text and "#EXT-X-VERSION:3\n" in text
    assert [line for line in text.split("\n") if line.endswith(".vtt")] == [
        f"{FIRST + 1}.vtt",
        f"{FIRST + 2}.vtt",
    ]
