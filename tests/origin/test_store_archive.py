"""The archive: written behind the disk, checked, resumed, read back."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.archive_rig import FIRST, Flaky, Rig

from native.http import Entity, Refusal
from origin.live.blocks import Block, Blocks
from origin.live.presentation import WARM
from runtime.objects import FolderStore, ObjectError, ObjectStore


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
