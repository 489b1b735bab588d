"""Private copies of recordings: objects of their own, which outlive the channel's (CTL-127)."""

from pathlib import Path
from typing import Any

from origin_rigs.archive_rig import FIRST
from origin_rigs.copies_rig import END, CopiesRig

from runtime.objects import FolderStore, ObjectStore

LEAVES = ("master.m3u8", "v/media.m3u8", "v/iframe.m3u8", "manifest.mpd")


async def test_copies_play_on_when_the_channel_has_let_go(
    store: ObjectStore, tmp_path: Path, video_media: Any
) -> None:
    """Two accounts record the same: two object sets, each as long as its recording."""
    rig = CopiesRig(tmp_path, video_media, store, archive_s=40)
    rig.push(FIRST)
    for name in ("a", "b"):
        rig.record(name)
    rig.record("shared", copy=False)
    for number in range(FIRST + 1, rig.settled, 4):
        await rig.step(*range(number, min(number + 4, rig.settled)))
        if number == END - 6:
            assert rig.facts("a").objects > 0, "it is copied while it grows"
            assert "#EXT-X-ENDLIST" not in await rig.text("a/v/media.m3u8")
            early = await rig.play(f"a/v/{END - 5}.m4s")
            assert early.body == video_media.segment(END - 5)
    assert rig.facts("a").state == "copying", "players have not seen its end"
    await rig.step(rig.settled)
    facts = rig.facts("a")
    assert (facts.state, facts.left, facts.error) == ("complete", 0, "")
    assert facts == rig.facts("b")
    for leaf in LEAVES:
        assert await rig.text(f"a/{leaf}") == await rig.text(f"shared/{leaf}"), leaf
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in await rig.text("a/v/media.m3u8")
    mine = {each.name: each.size for each in await store.find("copies/a/")}
    assert (len(mine), sum(mine.values())) == (facts.objects, facts.bytes)
    rig.channels.recordings.remove("shared")
    await rig.step(*range(rig.settled + 1, rig.settled + 50))
    assert rig.track.whole(END - 5) is None, "the channel has let go"
    assert (await rig.play(f"shared/v/{END - 5}.m4s")).status == 404
    assert await rig.whole("a") and await rig.whole("b")
    header = await rig.play("a/v/init.mp4")
    assert header.body == video_media.header
    rig.channels.recordings.remove("a")
    await rig.copier.work()
    assert await store.find("copies/a/") == [], "deleted with its recording"
    assert (await rig.play("a/master.m3u8")).status == 404
    assert await rig.whole("b"), "the other does not mind"
    rig.channels.close()


async def test_without_an_archive_media_goes_up_from_the_disk(
    tmp_path: Path, video_media: Any
) -> None:
    store = FolderStore(tmp_path / "objects")
    await store.start()
    rig = CopiesRig(tmp_path, video_media, store, archive_s=0)
    rig.push(FIRST)
    rig.record("a")
    rig.push(*range(FIRST + 1, END - 1))
    await rig.copier.work()
    assert rig.facts("a").objects > 0
    rig.push(*range(END - 1, rig.settled + 1))
    await rig.copier.work()
    assert rig.facts("a").state == "complete"
    assert {each.name.split("/")[0] for each in await store.find()} == {"copies"}
    rig.push(*range(rig.settled + 1, rig.settled + 60))
    assert rig.track.whole(END - 5) is None
    assert await rig.whole("a")
    rig.channels.close()
