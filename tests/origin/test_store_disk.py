"""A disk that fills up: defined refusals, no corrupt byte, and it goes on when there is space."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import m3u8
import pytest

from native.http import Hot
from origin.errors import DiskFull
from origin.ingest.body import TrackBody
from origin.live import kept
from origin.live.channels import Channels
from origin.live.disk import Disk, free_bytes
from origin.settings import Settings

V = "/ingest/demo/Streams(v.cmfv)"
GRID = {"channels": {"demo": {"segment_s": "48/25"}}}
Start = Callable[..., Any]


def limit_files(origin: Any, size_bytes: int) -> None:
    """From now on no file of the origin grows beyond this (setrlimit(2), RLIMIT_FSIZE: EFBIG)."""
    pid = origin.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


def test_a_full_disk_refuses_and_recovers(start: Start, video_media: Any, now_number: int) -> None:
    """507 with a stable code and a metric; everything that was acknowledged is served, before and
    after kill -9; the stream goes on where there is space again."""
    origin, n = start(retention_s=1200, hold_s=0, **GRID), now_number
    assert origin.push(V, video_media.header).status == 200
    for number in range(n, n + 5):
        assert origin.push(V, video_media.segment(number)).status == 200
    media = origin.data / "origin/live/demo/v/00000001.cmaf"
    for allowed in (0, 40, media.stat().st_size, media.stat().st_size + 100):
        limit_files(origin, allowed)
        refused = origin.push(V, video_media.segment(n + 5))
        assert (refused.status, refused.json["error"]) == (507, "disk_full")
        for number in range(n, n + 5):
            body = origin.get(f"/live/demo/v/{number}.m4s").body
            assert body == video_media.segment(number)
        assert origin.get(f"/live/demo/v/{n + 5}.m4s").status == 404
    text = m3u8.loads(origin.get("/live/demo/v/media.m3u8").text)
    assert [s.uri for s in text.segments] == [f"{number}.m4s" for number in range(n, n + 5)]
    new = origin.push("/ingest/other/Streams(v.cmfv)", video_media.header)
    limit_files(origin, 10)
    header = origin.push("/ingest/third/Streams(v.cmfv)", video_media.header)
    assert (new.status, header.status, header.json["error"]) == (200, 507, "disk_full")
    assert origin.metric("headwater_origin_disk_full_total") >= 5
    limit_files(origin, resource.RLIM_INFINITY)
    assert origin.push("/ingest/third/Streams(v.cmfv)", video_media.header).status == 200
    for number in range(n + 5, n + 8):
        assert origin.push(V, video_media.segment(number)).status == 200
    origin.kill()
    origin.start()
    for number in range(n, n + 8):
        assert origin.get(f"/live/demo/v/{number}.m4s").body == video_media.segment(number)
    late = origin.push("/ingest/third/Streams(v.cmfv)", video_media.segment(n))
    assert late.status == 200, "the header that was acknowledged is here"


def test_the_edge_goes_on_while_its_state_cannot_be_kept(
    tmp_path: Path, video_media: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """channel.json stays behind until there is space; the log says the rest."""

    def full(path: Path, data: bytes, *, sync: bool) -> None:
        raise DiskFull("no space")

    settings = Settings(**GRID)
    channels = Channels(tmp_path / "live", settings, Hot(), lambda: 0.0)
    channels.open()
    monkeypatch.setattr(kept, "replace_file", full)
    for number in range(6):
        if number == 4:
            monkeypatch.undo()
        body = TrackBody(channels, "demo", "v", settings, lambda: 1.92 * (10**8 + 9))
        if not number:
            body.feed(video_media.header)
        body.feed(video_media.segment(10**8 + number))
        body.finish()
        body.close()
        assert number == 0 or channels.presentations["demo"].channel.edge == 10**8 + number
    channels.close()
    assert kept.load(tmp_path / "live/demo").first == 10**8


def test_a_short_disk_lets_old_media_go_before_its_time(
    start: Start, wait: Callable[..., Any], video_media: Any, now_number: int
) -> None:
    """The live edge goes on with what the playlists need; a hold keeps its range."""
    settings = {"window_s": 8, "retention_s": 400, "disk_reserve_bytes": 1 << 60}
    origin, n = start(**settings, **GRID), now_number
    assert origin.push(V, video_media.header).status == 200
    for number in range(n, n + 140):
        assert origin.push(V, video_media.segment(number)).status == 200
    wait(lambda: origin.get(f"/live/demo/v/{n}.m4s").status == 410, "the disk to let go")
    assert origin.metric("headwater_origin_disk_short") == 1
    text = m3u8.loads(origin.get("/live/demo/v/media.m3u8").text)
    for segment in text.segments:
        assert origin.get(f"/live/demo/v/{segment.uri}").status == 200


def test_a_disk_with_space_lets_nothing_go(tmp_path: Path) -> None:
    shed: list[int] = []
    left = [100, 99, 100]
    disk = Disk(lambda: left.pop(0), 100, lambda: shed.append(1))
    for short in (False, True, False):
        disk.look()
        assert disk.short == short
    assert shed == [1]
    assert free_bytes(tmp_path) > 0
