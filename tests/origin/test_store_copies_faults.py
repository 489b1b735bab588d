"""Private copies when something goes wrong: no object is lost, doubled or left behind (CTL-127)."""

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origin_rigs.archive_rig import FIRST, Flaky, until
from origin_rigs.copies_rig import BEGIN, END, CopiesRig

from origin.live.blocks import Block, Blocks
from origin.live.copying import Copier
from origin.live.taking import piece
from runtime.objects import FolderStore, ObjectError


@pytest.fixture
async def flaky(tmp_path: Path) -> Flaky:
    store = Flaky(FolderStore(tmp_path / "objects"))
    await store.store.start()
    return store


class Died(BaseException):
    """The process ended here."""


async def recorded(flaky: Flaky, folder: Path, media: Any, **more: Any) -> CopiesRig:
    """A channel that has all of what is recorded, of which nothing is copied."""
    rig = CopiesRig(folder, media, flaky, **more)
    rig.push(FIRST)
    rig.record("a")
    rig.push(*range(FIRST + 1, rig.settled + 1))
    return rig


async def names(rig: CopiesRig) -> dict[str, int]:
    return {each.name: each.size for each in await rig.archive.store.find("copies/")}


async def test_whoever_dies_goes_on_where_the_journal_ends(
    flaky: Flaky, tmp_path: Path, video_media: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each object in turn is stored, and the process dies before it is noted."""
    rig = await recorded(flaky, tmp_path, video_media, copies_at_once=1)
    await rig.archive.work()
    append, deaths = Blocks.append, set()

    def dying(self: Blocks, block: Block) -> None:
        place = self.path, block.offset
        if "copies" in self.path.parts and place not in deaths:
            deaths.add(place)
            raise Died
        append(self, block)

    monkeypatch.setattr(Blocks, "append", dying)
    while rig.facts("a").state != "complete":
        rig.copier = rig.another()
        with suppress(Died):
            await rig.copier.work()
    stored = await names(rig)
    assert len(deaths) == len(stored) == rig.facts("a").objects > 3
    assert sum(stored.values()) == rig.facts("a").bytes
    made = Counter(name for name in flaky.puts + flaky.copies if name.startswith("copies/"))
    assert made == dict.fromkeys(stored, 2), "each was stored again, under the same name"
    assert await rig.whole("a")
    rig.channels.close()


async def test_a_store_that_is_away_is_asked_again(
    flaky: Flaky, tmp_path: Path, video_media: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("origin.live.copying.LOOK_S", 0.001)
    monkeypatch.setattr("origin.live.copying.MOST_S", 0.002)
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0)
    rig.archive.started = flaky.away = True
    task = asyncio.create_task(rig.copier.run())
    await until(lambda: rig.facts("a").error == "unavailable")
    other = rig.another()
    assert not other._alone(), "one process makes copies"
    flaky.away = False
    await until(lambda: rig.facts("a").state == "complete")
    assert rig.facts("a").error == "" and await rig.whole("a")
    task.cancel()
    await asyncio.wait([task])
    rig.copier.close()
    assert other._alone()
    other.close()
    rig.channels.close()


async def test_what_is_let_go_half_way_leaves_nothing(
    flaky: Flaky, tmp_path: Path, video_media: Any
) -> None:
    rig = CopiesRig(tmp_path, video_media, flaky, archive_s=0, retention_s=400)
    rig.push(FIRST)
    rig.record("a")
    rig.push(*range(FIRST + 1, END - 3))
    await rig.copier.work()
    assert await names(rig)
    rig.channels.recordings.remove("a")
    rig.copier = rig.another()  # the process that began it is dead
    await rig.copier.work()
    assert await names(rig) == {} and rig.channels.copies.names() == []
    rig.record("a")
    rig.push(*range(END - 3, rig.settled + 1))
    await rig.copier.work()
    assert await rig.whole("a"), "the same name again is another copy"
    rig.channels.close()


async def test_what_is_let_go_at_the_last_moment_is_gone(
    flaky: Flaky, tmp_path: Path, video_media: Any
) -> None:
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0)
    find = flaky.find

    async def removing(prefix: str = "", **more: Any) -> Any:
        flaky.find = find  # type: ignore[method-assign]
        rig.channels.holds.remove("a")
        return await find(prefix, **more)

    flaky.find = removing  # type: ignore[method-assign]
    await rig.copier.work()
    assert rig.channels.recordings.get("a") is None
    await rig.copier.work()
    assert await names(rig) == {} and rig.channels.copies.gone() == []
    rig.channels.close()


async def test_media_that_is_nowhere_is_a_gap(
    flaky: Flaky, tmp_path: Path, video_media: Any
) -> None:
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0)
    middle = rig.track.whole((BEGIN + END) // 2)
    lost = {ordinal for ordinal, _ in middle.parts}
    for volume in rig.track.log.volumes():
        if volume.ordinal in lost:
            volume.drop_media()
    await rig.copier.work()
    assert rig.facts("a").state == "complete"
    playlist = await rig.text("a/v/media.m3u8")
    assert 0 < playlist.count("#EXT-X-GAP") < END - BEGIN
    assert (await rig.play(f"a/v/{middle.number}.m4s")).status == 404
    assert (await rig.play(f"a/v/{END - 1}.m4s")).body == video_media.segment(END - 1)
    rig.channels.close()


async def test_a_copy_of_nothing_fails_and_leaves_nothing(
    flaky: Flaky, tmp_path: Path, video_media: Any
) -> None:
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0)
    for volume in rig.track.log.volumes():
        volume.drop_media()
    await rig.copier.work()
    facts = rig.facts("a")
    assert (facts.state, facts.error) == ("failed", "no_media")
    assert await names(rig) == {}
    rig.channels.recordings.remove("a")
    await rig.copier.work()
    assert rig.channels.copies.names() == rig.channels.copies.gone() == []
    rig.channels.close()


async def test_a_store_that_returns_other_bytes_is_not_believed(
    flaky: Flaky, tmp_path: Path, video_media: Any
) -> None:
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0)
    flaky.lies = True
    with pytest.raises(ObjectError):
        await rig.copier.work()
    assert rig.facts("a").state == "copying" and rig.channels.holds.get("a") is not None
    rig.channels.close()


async def test_objects_that_the_store_lost_are_copied_again(
    flaky: Flaky, tmp_path: Path, video_media: Any
) -> None:
    """They are counted before a copy is called complete."""
    rig = CopiesRig(tmp_path, video_media, flaky, archive_s=0)
    rig.push(FIRST)
    rig.record("a")
    rig.push(*range(FIRST + 1, END + 1))
    await rig.copier.work()
    for name in list(await names(rig))[:2]:
        await flaky.delete(name)
    rig.push(*range(END + 1, rig.settled + 1))
    while rig.facts("a").state != "complete":
        with suppress(ObjectError):
            await rig.copier.work()
    assert await rig.whole("a") and sum((await names(rig)).values()) == rig.facts("a").bytes
    rig.channels.close()


async def test_much_to_copy_does_not_keep_it_from_looking_up(
    flaky: Flaky, tmp_path: Path, video_media: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass ends when its time is over, and the next goes on."""
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0, copies_at_once=1)
    ticks = count()
    rig.copier = Copier(rig.archive, rig.settings, rig.channels, clock=lambda: float(next(ticks)))
    passes = 0
    while rig.facts("a").state != "complete":
        await rig.copier.work()
        passes += 1
        assert passes < 99
    assert passes > 3 and await rig.whole("a")
    rig.channels.close()


async def test_what_cannot_be_deleted_keeps_nothing_else(
    flaky: Flaky, tmp_path: Path, video_media: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither other objects, nor other copies, nor those in the making; but its own name."""
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0, retention_s=400)
    rig.record("b")
    await rig.copier.work()
    *_, locked = await names(rig)
    assert locked.startswith("copies/b/")
    delete = flaky.delete

    async def refusing(name: str) -> None:
        if name == locked:
            raise ObjectError("unavailable", "it is locked")
        await delete(name)

    monkeypatch.setattr(flaky, "delete", refusing)
    rig.channels.recordings.remove("a")
    rig.channels.recordings.remove("b")
    for name in ("b", "c"):
        rig.record(name)
    with pytest.raises(ObjectError, match="locked"):
        await rig.copier.work()
    assert rig.facts("c").state == "complete" and rig.facts("b").objects == 0
    assert [name for name in await names(rig) if "copies/c/" not in name] == [locked]
    assert rig.channels.copies.gone() == ["b"]
    monkeypatch.undo()
    await rig.copier.work()
    assert rig.channels.copies.gone() == [] and rig.facts("b").state == "copying"
    await rig.copier.work()
    assert await rig.whole("b") and rig.facts("b").state == "complete"
    rig.channels.close()


async def test_deletions_end_with_their_pass_too(
    flaky: Flaky, tmp_path: Path, video_media: Any
) -> None:
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0)
    await rig.copier.work()
    rig.channels.recordings.remove("a")
    ticks = count(step=4)
    rig.copier = Copier(rig.archive, rig.settings, rig.channels, clock=lambda: float(next(ticks)))
    left = [len(await names(rig))]
    while rig.channels.copies.gone():
        await rig.copier.work()
        left.append(len(await names(rig)))
    assert len(left) > 2 and left == sorted(left, reverse=True) and left[-1] == 0
    rig.channels.close()


async def test_the_same_name_again_is_not_taken_for_the_first(
    flaky: Flaky, tmp_path: Path, video_media: Any
) -> None:
    """However soon: the copier has not looked in between."""
    rig = await recorded(flaky, tmp_path, video_media, archive_s=0, retention_s=400)
    await rig.copier.work()
    assert rig.facts("a").state == "complete"
    rig.channels.recordings.remove("a")
    rig.record("a")
    for _ in range(2):
        await rig.copier.work()
    assert rig.facts("a").state == "complete" and await rig.whole("a")
    rig.channels.close()


@settings(max_examples=200)
@given(
    sizes=st.lists(st.integers(1, 9), max_size=6),
    limit=st.integers(1, 9),
    start=st.integers(0, 30),
    length=st.integers(1, 40),
    waits=st.booleans(),
)
def test_pieces_lie_end_to_end(
    sizes: list[int], limit: int, start: int, length: int, waits: bool
) -> None:
    """Each within one block, or beyond all of them; what may still grow is not cut."""
    archived = Blocks(Path("none"), 1)
    for size in sizes:
        archived.blocks.append(Block(archived.end, size, 0))
    end = start + length
    for whole in (False, True):
        at = start
        while found := piece(archived, at, end, limit, whole=whole, waits=waits):
            assert (found.start, at) == (at, found.start) and at < found.end <= end
            if found.block is None:
                assert at >= archived.end and found.end - at <= limit
                assert whole or (not waits and found.end - at == limit)
            else:
                assert found.block.offset <= at and found.end <= found.block.end
                assert whole or found.end == found.block.end
            at = found.end
        assert at == end if whole else at <= end
