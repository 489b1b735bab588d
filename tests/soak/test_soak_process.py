"""Hours of a channel in minutes, through an origin process: its memory, descriptors, disk and hot
window stand still while both ingest styles push and readers of all kinds ask.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from statistics import median

import aiohttp
import pytest
from origin_rigs.running import Origin

from bench.ingester import GRID_S, Pace, Push, Synth, endless, segments

pytestmark = [pytest.mark.slow, pytest.mark.serial, pytest.mark.timeout(3600)]

SPEED = 60  # seconds of media in a second
WINDOW_S, RETENTION_S = 30, 120
HOT_BYTES = 4 << 20
GROWTH_BYTES = 6 << 20  # of resident memory: what an allocator may still be finding room for
TRACKS = {
    "v": (Synth("video", 400_000, chunks=4, seed=1), endless),
    "w": (Synth("video", 200_000, chunks=4, seed=2), segments),
    "a": (Synth("audio", 64_000, chunks=4, seed=3), endless),
}


@dataclass(frozen=True)
class Look:
    """The origin process at one moment; sizes in bytes."""

    resident: int
    descriptors: int
    stored: int
    hot: float


@dataclass
class Readers:
    """What viewers got, by what they asked for and status."""

    base: str
    http: aiohttp.ClientSession
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    async def get(self, kind: str, leaf: str, since_s: float = inf) -> str:
        """`since_s` is when the manifest was asked for that names it: who is held up for a whole
        window, which is half a second here, may find it gone.
        """
        async with self.http.get(f"{self.base}/{leaf}") as answer:
            body = await answer.read()
            is_late = time.monotonic() - since_s > WINDOW_S / SPEED
            if is_late and answer.status in (404, 410):
                return ""
            self.counts[kind, answer.status] += 1
            if answer.status != 200:
                self.refused.append(f"{leaf}: {answer.status} {body!r}")
            return "" if kind == "segment" else body.decode()

    async def begun(self) -> bool:
        """Whether all that is asked for later is there."""
        for leaf in ("v/media.m3u8", "a/media.m3u8", "manifest.mpd", "ll.mpd"):
            async with self.http.get(f"{self.base}/{leaf}") as answer:
                if answer.status != 200:
                    return False
        return True

    async def playlist(self) -> None:
        """Someone at the live edge: the playlist, then its newest segment and its oldest. A machine
        too busy to push for a while makes gaps, which nobody asks for.
        """
        now_s = time.monotonic()
        text = await self.get("playlist", "v/media.m3u8")
        listed = re.findall(r"^(#EXT-X-GAP\n)?#EXTINF.*\n(\d+\.m4s)$", text, re.MULTILINE)
        found = [leaf for gap, leaf in listed if not gap]
        for leaf in {*found[:1], *found[-1:]}:
            await self.get("segment", f"v/{leaf}", now_s)

    async def low_latency(self) -> None:
        """A blocking reload of the next segment's parts, as a delta, and the newest part."""
        text = await self.get("playlist", "a/media.m3u8")
        first = re.search(r"MEDIA-SEQUENCE:(\d+)", text)
        edge = int(first[1]) + text.count("#EXTINF") if first else 0
        query = f"_HLS_msn={edge}&_HLS_part=1&_HLS_skip=YES"
        now_s = time.monotonic()
        delta = await self.get("blocking", f"a/media.m3u8?{query}")
        for leaf in re.findall(r'#EXT-X-PART:(?!.*GAP=YES).*URI="(\d+\.\d+\.m4s)"', delta)[-1:]:
            await self.get("segment", f"a/{leaf}", now_s)

    async def dash(self) -> None:
        """Both MPDs, and the patch that follows from one."""
        for leaf in ("manifest.mpd", "ll.mpd"):
            now_s = time.monotonic()
            text = await self.get("mpd", leaf)
            for patch in re.findall(r"<PatchLocation[^>]*>([^<]+)<", text):
                await self.get("patch", patch, now_s)


async def test_hours_leave_no_trace(
    tmp_path: Path, soak_s: int, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = Origin(
        tmp_path, window_s=WINDOW_S, retention_s=RETENTION_S, hot_bytes=HOT_BYTES
    ).start()
    try:
        async with reading(origin) as readers:
            looks = await soak(origin, readers, soak_s)
        assert origin.process is not None and origin.process.poll() is None
    finally:
        origin.stop()
    settled = looks[len(looks) // 3 :]
    third = max(len(settled) // 3, 1)
    began = median(look.resident for look in settled[:third])
    ended = median(look.resident for look in settled[-third:])
    most = max(look.stored for look in settled)
    with capsys.disabled():
        print(
            f"\n{soak_s} s of media at {SPEED}x: resident {began / 2**20:.1f} to "
            f"{ended / 2**20:.1f} MiB, {settled[0].descriptors} to {settled[-1].descriptors} "
            f"descriptors, at most {most / 2**20:.1f} MiB on disk, "
            f"{max(look.hot for look in settled) / 2**20:.1f} MiB hot; {dict(readers.counts)}"
        )
    assert ended - began <= GROWTH_BYTES
    assert settled[-1].descriptors <= max(look.descriptors for look in settled[:third]) + 2
    assert max(look.hot for look in settled) <= HOT_BYTES
    rate = sum(len(synth.segment(0)) for synth, _ in TRACKS.values()) / float(GRID_S)
    assert most <= rate * RETENTION_S * 1.5, "the retention, a volume more, and the index"
    last = ("blocking", 503)  # held when the encoders stopped
    assert {each for each in readers.counts if each[1] != 200} <= {last}, readers.refused
    assert readers.counts[last] <= 1
    assert all(n > 10 for (_, status), n in readers.counts.items() if status == 200)


async def soak(origin: Origin, readers: Readers, soak_s: int) -> list[Look]:
    """Push all tracks, read all the while, and look once a minute of media."""
    first = int((time.time() - soak_s - 60) / float(GRID_S))
    pace = Pace(SPEED)
    numbers = range(first, first + int(soak_s / float(GRID_S)))
    done = asyncio.gather(*(push(origin, name, numbers, pace) for name in TRACKS))
    while not (done.done() or await readers.begun()):
        await asyncio.sleep(0.05)
    viewers = [
        asyncio.create_task(again(watch, done))
        for watch in (readers.playlist, readers.low_latency, readers.dash)
    ]
    looks = []
    while not done.done():
        await asyncio.wait([done], timeout=60 / SPEED)
        looks.append(await asyncio.to_thread(look, origin))
    assert set(await done) == {200}
    await asyncio.gather(*viewers)
    return looks


async def push(origin: Origin, name: str, numbers: Sequence[int], pace: Pace) -> int:
    """One track from first to last; the status of its answer."""
    synth, style = TRACKS[name]
    path = f"/ingest/c/Streams({name}.{synth.suffix})"
    connection = Push("127.0.0.1", origin.ingest_port, path)
    try:
        return await style(connection, synth, numbers, pace)
    finally:
        connection.close()


async def again(watch: Callable[[], Awaitable[None]], done: "asyncio.Future[list[int]]") -> None:
    while not done.done():
        await watch()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def reading(origin: Origin) -> AsyncIterator[Readers]:
    async with aiohttp.ClientSession() as http:
        yield Readers(f"http://127.0.0.1:{origin.delivery_port}/live/c", http)


def look(origin: Origin) -> Look:
    assert origin.process is not None
    process = Path(f"/proc/{origin.process.pid}")
    resident = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
    assert resident is not None
    return Look(
        int(resident[1]) * 1024,
        len(list((process / "fd").iterdir())),
        sum(size(path) for path in origin.data.rglob("*") if path.suffix in (".cmaf", ".index")),
        origin.metric("headwater_origin_hot_bytes"),
    )


def size(path: Path) -> int:
    """0 for what retention just took."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
