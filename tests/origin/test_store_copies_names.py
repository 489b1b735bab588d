"""Names of private copies are the caller's: what one means, and to which process (CTL-127)."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.archive_rig import FIRST
from origin_rigs.copies_rig import BEGIN, END, SEGMENT_S, CopiesRig, copied

from origin.errors import OriginError
from origin.live.holds import Hold
from origin.live.ranges import Range


@pytest.fixture
async def rig(tmp_path: Path, video_media: Any) -> CopiesRig:
    return await copied(tmp_path, video_media)


async def test_the_same_name_again_is_another_copy_to_every_worker(
    rig: CopiesRig, tmp_path: Path, other_media: Any
) -> None:
    """Those that played the first one too: none of its media is taken for the new."""
    other = CopiesRig(tmp_path, rig.media, rig.archive.store, archive_s=0, retention_s=400)
    assert await other.whole("a")
    assert (await other.play("a/v/init.mp4")).body == other.media.header
    rig.channels.recordings.remove("a")
    await rig.copier.work()
    assert (await other.play("a/master.m3u8")).status == 404
    rig.channels.close()
    shutil.rmtree(tmp_path / "live")
    rig = CopiesRig(tmp_path, other_media, rig.archive.store, archive_s=0, retention_s=400)
    rig.push(*range(FIRST, rig.settled + 1))
    rig.record("a", begin=BEGIN + 3)
    assert other.channels.recordings.get("a") == rig.channels.recordings.get("a")
    assert not other.channels.recordings.get("a").copied  # type: ignore[union-attr]
    await rig.copier.work()
    assert other.facts("a") == rig.facts("a") and rig.facts("a").state == "complete"
    for leaf in ("v/media.m3u8", "manifest.mpd"):
        assert await other.text(f"a/{leaf}") == await rig.text(f"a/{leaf}")
    assert (await other.play(f"a/v/{BEGIN}.m4s")).status == 404
    other.media = other_media
    assert await other.whole("a", range(BEGIN + 3, END))
    assert (await other.play("a/v/init.mp4")).body == other_media.header
    for each in (rig, other):
        each.channels.close()


async def test_a_name_means_one_range_whatever_becomes_of_its_channel(
    rig: CopiesRig, tmp_path: Path
) -> None:
    def asked(start: int = BEGIN, end: int | None = END, channel: str = "demo") -> Hold:
        end_s = None if end is None else end * SEGMENT_S
        return Hold("a", channel, Range(start * SEGMENT_S, end_s), copy=True)

    recordings = rig.channels.recordings
    known = recordings.get("a")
    for kept in (True, False):
        if not kept:
            rig.channels.presentations.clear()
        for same in (asked(), asked(end=None)):
            assert recordings.create(same) == (known, False)
        for another in (asked(end=END + 1), asked(start=BEGIN + 1), asked(channel="two")):
            with pytest.raises(OriginError) as refused:
                recordings.create(another)
            assert (refused.value.code, refused.value.status) == ("conflict", 409)
    assert rig.channels.holds.get("a") is None and await rig.whole("a")
    rig.channels.close()
