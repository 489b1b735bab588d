"""The archive: written behind the disk, checked, resumed, read back, and away for a while."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from twins.plugin import S3_KEYS

from native.http import Entity, Hot, Refusal
from origin import metrics
from origin.delivery.recordings import TimeShift
from origin.ingest.body import TrackBody
from origin.live.archive import Archive
from origin.live.blocks import Block, Blocks
from origin.live.channels import Channels
from origin.live.presentation import WARM
from origin.settings import Settings
from runtime.objects import FolderStore, ObjectError, ObjectStore, S3Store
from runtime.sections import Objects

FIRST = 900_000_000
SETTINGS: dict[str, Any] = {
    "window_s": 8,
    "retention_s": 40,
    "archive_s": 400,
    "archive_block_bytes": 65536,
    "channels": {"demo": {"segment_s": "48/25"}},
}


class Rig:
    """One channel of an origin without sockets, and its archive."""

    def __init__(self, folder: Path, media: Any, store: ObjectStore, **settings: Any) -> None:
        self.media = media
        self.settings = Settings(**(SETTINGS | settings))
        self.hot = Hot()
        self.now_s = 0.0
        self.channels = Channels(folder / "live", self.settings, self.hot, lambda: self.now_s)
        self.channels.open()
        self.shift = TimeShift(
            self.settings, self.hot, self.channels.presentations, self.channels.recordings
        )
        writers = self.channels.writers
        self.archive = Archive(
            store, self.settings, lambda: (w.channel for w in writers.values()), lambda: self.now_s
        )
        self.shift.archive = self.archive

    def push(self, *numbers: int) -> None:
        for number in numbers:
            self.now_s = float((number + 1) * 48 / 25)
            body = TrackBody(self.channels, "demo", "v", self.settings, lambda: self.now_s)
            if "demo" not in self.channels.presentations:
                body.feed(self.media.header)
            body.feed(self.media.segment(number))
            body.finish()
            body.close()

    @property
    def track(self) -> Any:
        return self.channels.presentations["demo"].channel.tracks["v"]

    async def get(self, number: int) -> Any:
        path = f"/live/demo/v/{number}.m4s"
        if (entity := self.hot.get(path)) is not None:
            self.hot.drop(path)
            del entity
        given = self.shift.media(self.channels.presentations["demo"], self.track, f"{number}.m4s")
        return await given if asyncio.iscoroutine(given) else given

    def local(self) -> set[int]:
        return {int(p.stem) for p in self.track.log.folder.glob("*.cmaf")}


@pytest.fixture(
    params=[
        "folder",
        pytest.param("moto_endpoint", marks=pytest.mark.twin),
        pytest.param("weed_endpoint", marks=pytest.mark.twin),
    ]
)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    made: ObjectStore = FolderStore(tmp_path / "objects")
    if request.param != "folder":
        access, secret = map(SecretStr, S3_KEYS)
        url = request.getfixturevalue(request.param)
        made = S3Store(Objects(url=url, access_key=access, secret_key=secret, bucket="archive"))
    await made.start()
    for left in await made.find():
        await made.delete(left.name)
    yield made
    await made.stop()


class Flaky:
    """A store that can be away, lie, or lose its process after a put."""

    def __init__(self, store: ObjectStore) -> None:
        self.name = store.name
        self.store = store
        self.away = self.lies = False
        self.puts: list[str] = []
        self.gets = 0

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def drain(self) -> None: ...
    def ready(self) -> str | None:
        return None

    def _there(self) -> None:
        if self.away:
            raise ObjectError("unavailable", "away")

    async def put(self, name: str, body: bytes, **more: Any) -> str:
        self._there()
        self.puts.append(name)
        return await self.store.put(name, body[:-1] + b"!" if self.lies else body, **more)

    async def get(self, name: str, **more: Any) -> Any:
        self._there()
        self.gets += 1
        await asyncio.sleep(0)
        return await self.store.get(name, **more)

    async def head(self, name: str) -> Any:
        return await self.store.head(name)

    async def find(self, prefix: str = "", **more: Any) -> Any:
        return await self.store.find(prefix, **more)

    async def delete(self, name: str) -> None:
        self._there()
        await self.store.delete(name)


async def test_media_goes_up_leaves_the_disk_and_comes_back(
    store: ObjectStore, tmp_path: Path, video_media: Any
) -> None:
    """Retention of the disk and of the archive are two; both worlds give the same bytes."""
    rig = Rig(tmp_path, video_media, store)
    for number in range(FIRST, FIRST + 60):
        rig.push(number)
        if number % 10 == 9:
            await rig.archive.work()
    await rig.archive.work()
    assert len(rig.local()) < len(rig.track.log.volumes()), "the disk let go"
    for number in (FIRST + 1, FIRST + 20, FIRST + 58):
        answer = await rig.get(number)
        assert isinstance(answer, Entity) and answer.body == video_media.segment(number)
    names = [each.name for each in await store.find("live/demo/v/")]
    assert names and sum([(await store.head(n)).size for n in names]) > 0
    rig.push(*range(FIRST + 60, FIRST + 300))
    await rig.archive.work()
    assert not set(names) & {each.name for each in await store.find("live/demo/v/")}
    answer = await rig.get(FIRST + 1)
    assert isinstance(answer, Refusal) and answer.status == 410
    rig.channels.close()


async def test_readers_of_one_old_segment_share_one_fetch(tmp_path: Path, video_media: Any) -> None:
    flaky = Flaky(FolderStore(tmp_path / "objects"))
    await flaky.store.start()
    rig = Rig(tmp_path, video_media, flaky)
    rig.push(*range(FIRST, FIRST + 60))
    await rig.archive.work()
    flaky.gets = 0
    answers = await asyncio.gather(*(rig.get(FIRST + 2) for _ in range(200)))
    assert {a.body for a in answers} == {video_media.segment(FIRST + 2)}
    assert flaky.gets <= 2, "one object, or two where a segment lies over two"
    flaky.away = True
    assert (await rig.get(FIRST + 2)).status == 200, "what was recalled stays for a while"
    away = await rig.get(FIRST + 8)
    assert (away.status, away.code) == (503, "archive_away")
    rig.channels.close()


async def test_memory_for_recalled_media_is_bounded(tmp_path: Path, video_media: Any) -> None:
    store = FolderStore(tmp_path / "objects")
    await store.start()
    rig = Rig(tmp_path, video_media, store, archive_cache_bytes=50_000)
    rig.push(*range(FIRST, FIRST + 60))
    await rig.archive.work()
    for number in range(FIRST, FIRST + 25):
        assert (await rig.get(number)).body == video_media.segment(number)
    held = sum(len(c) for chunks in rig.archive._recalled.values() for c in chunks.values())
    assert held == rig.archive._recalled_bytes <= 50_000 + len(video_media.segment(FIRST))
    rig.channels.close()


async def test_while_the_store_is_away_nothing_leaves_the_disk(
    tmp_path: Path, video_media: Any
) -> None:
    flaky = Flaky(FolderStore(tmp_path / "objects"))
    await flaky.store.start()
    rig = Rig(tmp_path, video_media, flaky)
    flaky.away = True
    for number in range(FIRST, FIRST + 60):
        rig.push(number)
        if number % 20 == 19:
            with pytest.raises(ObjectError):
                await rig.archive.work()
    assert len(rig.local()) == len(rig.track.log.volumes()) > 3
    assert rig.archive.backlog_bytes == sum(v.media_bytes for v in rig.track.log.volumes())
    flaky.away = False
    await rig.archive.work()
    await rig.archive.work()
    assert len(rig.local()) < len(rig.track.log.volumes())
    assert rig.archive.backlog_bytes < 200_000
    assert (await rig.get(FIRST + 1)).body == video_media.segment(FIRST + 1)
    rig.channels.close()


async def test_the_volume_that_grows_stays_on_the_disk(tmp_path: Path, video_media: Any) -> None:
    """However old its media is: an encoder that returns writes on in it."""
    store = FolderStore(tmp_path / "objects")
    await store.start()
    rig = Rig(tmp_path, video_media, store)
    rig.push(*range(FIRST, FIRST + 20))
    writer = rig.channels.writers["demo"]
    writer.fill(FIRST + 100)
    await rig.archive.work()
    assert rig.local() == {rig.track.log.volumes()[-1].ordinal}
    rig.channels.close()


async def test_the_task_survives_an_outage_and_tells_how_long_it_lasts(
    tmp_path: Path, video_media: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("origin.live.archive.LOOK_S", 0.001)
    monkeypatch.setattr("origin.live.archive.MOST_S", 0.002)
    flaky = Flaky(FolderStore(tmp_path / "objects"))
    await flaky.store.start()
    rig = Rig(tmp_path, video_media, flaky)
    rig.push(*range(FIRST, FIRST + 60))
    flaky.away = True
    task = asyncio.create_task(rig.archive.run())
    await _until(lambda: rig.archive._failing_since is not None)
    rig.now_s += 300
    assert rig.archive.late_s >= 300 and rig.archive.backlog_bytes > 0
    flaky.away = False
    await _until(lambda: rig.archive.late_s == 0)
    assert rig.archive.backlog_bytes < 200_000
    task.cancel()
    await asyncio.wait([task])
    rig.channels.close()


async def test_five_minutes_without_the_store_are_not_noticed_at_the_edge(
    tmp_path: Path, video_media: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel goes on, the disk keeps what waits, only what is archived alone is away (503);
    afterwards all is archived and every byte of the outage can be had.
    """
    monkeypatch.setattr("origin.live.archive.LOOK_S", 0.001)
    monkeypatch.setattr("origin.live.archive.MOST_S", 0.002)
    flaky = Flaky(FolderStore(tmp_path / "objects"))
    await flaky.store.start()
    rig = Rig(tmp_path, video_media, flaky, archive_s=4000)
    task = asyncio.create_task(rig.archive.run())
    rig.push(*range(FIRST, FIRST + 60))
    await _until(lambda: len(rig.local()) < len(rig.track.log.volumes()))
    errors = metrics.ARCHIVE_ERRORS.labels("unavailable")
    before = errors._value.get()
    flaky.away = True
    began_s = rig.now_s
    out = range(FIRST + 60, FIRST + 60 + 157)
    for number in out:
        rig.push(number)
        assert rig.channels.presentations["demo"].channel.edge == number
        assert (await rig.get(number)).body == video_media.segment(number)
        await asyncio.sleep(0)
    await _until(lambda: rig.archive.late_s > 0 and errors._value.get() > before)
    assert rig.now_s - began_s >= 300
    for number in out:
        assert (await rig.get(number)).body == video_media.segment(number)
    away = await rig.get(FIRST + 1)
    assert (away.status, away.code) == (503, "archive_away")
    waiting_bytes = sum(len(video_media.segment(n)) for n in out)
    assert rig.archive.backlog_bytes >= waiting_bytes * 3 // 4
    flaky.away = False
    await _until(lambda: rig.archive.late_s == 0 and len(rig.local()) < 12)
    for number in range(FIRST, out[-1] + 1):
        assert (await rig.get(number)).body == video_media.segment(number)
    task.cancel()
    await asyncio.wait([task])
    rig.channels.close()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_store_that_returns_other_bytes_is_not_believed(
    tmp_path: Path, video_media: Any
) -> None:
    flaky = Flaky(FolderStore(tmp_path / "objects"))
    await flaky.store.start()
    flaky.lies = True
    rig = Rig(tmp_path, video_media, flaky)
    rig.push(*range(FIRST, FIRST + 60))
    with pytest.raises(ObjectError):
        await rig.archive.work()
    assert len(rig.local()) == len(rig.track.log.volumes())
    assert not [b for v in rig.track.log.volumes() for b in Blocks(v.folder, v.ordinal).blocks]
    rig.channels.close()


async def test_damage_in_the_archive_is_an_error_not_a_body(
    tmp_path: Path, video_media: Any
) -> None:
    store = FolderStore(tmp_path / "objects")
    await store.start()
    rig = Rig(tmp_path, video_media, store)
    rig.push(*range(FIRST, FIRST + 60))
    await rig.archive.work()
    for each in await store.find("live/"):
        body = bytearray((await store.get(each.name)).body)
        body[50] ^= 1
        await store.put(each.name, bytes(body))
    answer = await rig.get(FIRST)
    assert (answer.status, answer.code) == (500, "damaged_log")
    rig.channels.close()


async def test_an_upload_goes_on_after_a_restart(tmp_path: Path, video_media: Any) -> None:
    """Objects without a journal row go up again; those with one do not; new media starts a volume
    of its own, so that nothing archived can ever be written over."""
    flaky = Flaky(FolderStore(tmp_path / "objects"))
    await flaky.store.start()
    rig = Rig(tmp_path, video_media, flaky)
    rig.push(*range(FIRST, FIRST + 30))
    await rig.archive.work()
    rig.channels.close()
    before = list(flaky.puts)
    journals = sorted(rig.track.log.folder.glob("*.archive"))
    last = journals[-1]
    os.truncate(last, last.stat().st_size - 3)
    newest = rig.track.log.volumes()[-1].ordinal
    again = Rig(tmp_path, video_media, flaky)
    again.push(*range(FIRST + 30, FIRST + 60))
    assert again.track.log.volumes()[-1].ordinal > newest
    await again.archive.work()
    repeated = [name for name in flaky.puts[len(before) :] if name in before]
    assert len(repeated) == 1 and f"/{int(last.stem):08d}/" in repeated[0]
    assert len(again.local()) < len(again.track.log.volumes())
    for number in range(FIRST, FIRST + 60):
        assert (await again.get(number)).body == video_media.segment(number)
    again.channels.close()


async def test_every_manifest_is_there_after_a_restart_with_old_media_archived(
    tmp_path: Path, video_media: Any
) -> None:
    """A Period whose first media left the disk begins without its encoder's clock (D10)."""
    store = FolderStore(tmp_path / "objects")
    await store.start()
    rig = Rig(tmp_path, video_media, store)
    rig.push(*range(FIRST, FIRST + 60))
    await rig.archive.work()
    rig.channels.close()
    state = tmp_path / "live/demo/channel.json"
    kept = json.loads(state.read_bytes())
    state.write_text(json.dumps(kept | {"casts": []}))
    again = Rig(tmp_path, video_media, store)
    assert len(again.local()) < len(again.track.log.volumes())
    presentation = again.channels.presentations["demo"]
    for leaf in ("master.m3u8", "manifest.mpd", "ll.mpd", "v/media.m3u8", "v/iframe.m3u8"):
        given = presentation.render(leaf)
        assert isinstance(given, Entity) == (leaf != "ll.mpd" or presentation.channel.low_latency)
    again.channels.close()


@pytest.mark.parametrize("volume", [0, -2], ids=["oldest", "listed"])
async def test_an_origin_starts_with_damage_in_its_log(
    tmp_path: Path, video_media: Any, volume: int
) -> None:
    """One damaged segment is refused; everything else is served."""
    store = FolderStore(tmp_path / "objects")
    rig = Rig(tmp_path, video_media, store, archive_s=0, window_s=16)
    rig.push(*range(FIRST, FIRST + 15))
    rig.channels.close()
    state = tmp_path / "live/demo/channel.json"
    kept = json.loads(state.read_bytes())
    state.write_text(json.dumps(kept | {"casts": []}))
    path = sorted((tmp_path / "live/demo/v").glob("*.cmaf"))[volume]
    damaged = bytearray(path.read_bytes())
    damaged[40] ^= 1
    path.write_bytes(damaged)
    again = Rig(tmp_path, video_media, store, archive_s=0, window_s=16)
    for leaf in ("master.m3u8", "manifest.mpd", "v/media.m3u8"):
        assert again.channels.presentations["demo"].render(leaf) is not None
    answers = [await again.get(n) for n in range(FIRST, FIRST + 15)]
    refused = [(a.status, a.code) for a in answers if isinstance(a, Refusal)]
    assert refused == [(500, "damaged_log")]
    again.channels.close()


async def test_a_walk_through_the_past_leaves_the_edge_hot(
    tmp_path: Path, video_media: Any
) -> None:
    """However much old media is read, from disk or archive, the newest stays in memory."""
    store = FolderStore(tmp_path / "objects")
    await store.start()
    rig = Rig(tmp_path, video_media, store, hot_bytes=1 << 20)
    rig.push(*range(FIRST, FIRST + 150))
    await rig.archive.work()
    fits = (3 << 18) // max(len(video_media.segment(n)) for n in range(FIRST, FIRST + 4))
    newest = [f"/live/demo/v/{n}.m4s" for n in range(FIRST + 150 - fits, FIRST + 150)]
    assert len(newest) > 5
    assert all(rig.hot.get(path) is not None for path in newest)
    read_bytes = 0
    for _ in range(2):
        for number in range(FIRST, FIRST + 150 - WARM):
            given = await rig.get(number)
            assert given.body == video_media.segment(number)
            read_bytes += len(given.body)
            assert rig.channels.window.held_bytes <= 1 << 20
    assert read_bytes > 2 << 20, "more than the budget"
    assert all(rig.hot.get(path) is not None for path in newest)
    rig.channels.close()


def test_a_journal_is_believed_up_to_the_first_broken_row(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path, 7)
    rows = [Block(0, 10, 1), Block(10, 5, 2), Block(15, 7, 3)]
    for row in rows:
        blocks.append(row)
    data = blocks.path.read_bytes()
    for cut in range(len(data) + 1):
        blocks.path.write_bytes(data[:cut])
        assert Blocks(tmp_path, 7).blocks == rows[: cut // 20]
    for broken in range(len(data)):
        bad = bytearray(data)
        bad[broken] ^= 64
        blocks.path.write_bytes(bad)
        assert Blocks(tmp_path, 7).blocks == rows[: broken // 20]
    for start in range(22):
        for end in range(start + 1, 23):
            meant = [r for r in rows if r.offset < end and r.end > start]
            assert blocks.covering(start, end) == meant
