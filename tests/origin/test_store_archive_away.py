"""An archive whose store is away for a while: nothing is lost, and the edge does not notice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.archive_rig import FIRST, Flaky, Rig, until

from origin import metrics
from runtime.objects import FolderStore, ObjectError


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
    await until(lambda: rig.archive._failing_since is not None)
    rig.now_s += 300
    assert rig.archive.late_s >= 300 and rig.archive.backlog_bytes > 0
    flaky.away = False
    await until(lambda: rig.archive.late_s == 0)
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
    await until(lambda: len(rig.local()) < len(rig.track.log.volumes()))
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
    await until(lambda: rig.archive.late_s > 0 and errors._value.get() > before)
    assert rig.now_s - began_s >= 300
    for number in out:
        assert (await rig.get(number)).body == video_media.segment(number)
    away = await rig.get(FIRST + 1)
    assert (away.status, away.code) == (503, "archive_away")
    waiting_bytes = sum(len(video_media.segment(n)) for n in out)
    assert rig.archive.backlog_bytes >= waiting_bytes * 3 // 4
    flaky.away = False
    await until(lambda: rig.archive.late_s == 0 and len(rig.local()) < 12)
    for number in range(FIRST, out[-1] + 1):
        assert (await rig.get(number)).body == video_media.segment(number)
    task.cancel()
    await asyncio.wait([task])
    rig.channels.close()
