"""Hours of a channel on a clock of its own: what Python holds does not grow."""

import gc
import pathlib
import re
import tracemalloc
from pathlib import Path

import pytest
from origin_rigs.hls_rig import FIRST, GRID_S, Rig

from native.bmff.model import Emsg

pytestmark = [pytest.mark.slow, pytest.mark.serial, pytest.mark.timeout(1200)]

RETENTION_S = 120
EVERY = 16  # segments between two looks
GROWTH_BYTES = 256 << 10  # in an hour of media
HOUR_S = 3600


def test_an_hour_more_costs_nothing_more(
    tmp_path: Path, soak_s: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Playlists, deltas, blocking reloads, MPDs, patches, events and old media, all the while."""
    rig = Rig(tmp_path / "live", window_s=30, retention_s=RETENTION_S, hot_bytes=1 << 20)
    rig.begin()
    tracemalloc.start()
    looks: list[tuple[float, int]] = []
    try:
        for first in range(FIRST, FIRST + int(soak_s / GRID_S), EVERY):
            for number in range(first, first + EVERY):
                announce(rig, number)
                rig.play(number, 1)
                read(rig)
            looks.append((float((first - FIRST + EVERY) * GRID_S), held_bytes()))
    finally:
        tracemalloc.stop()
    settled = [look for look in looks if look[0] >= 2 * RETENTION_S]
    slope = slope_of(settled)
    volumes = {name: len(t.log.volumes()) for name, t in rig.channel.tracks.items()}
    with capsys.disabled():
        print(
            f"\n{soak_s} s of media: {settled[0][1]:,} to {settled[-1][1]:,} bytes, "
            f"{slope * HOUR_S:+,.0f} an hour; volumes {volumes}"
        )
    assert slope * HOUR_S <= GROWTH_BYTES
    assert rig.channels.window.held_bytes <= 1 << 20
    assert all(8 <= count <= 11 for count in volumes.values()), "eighths of the retention"
    rig.channels.close()


def announce(rig: Rig, number: int) -> None:
    """An event of its own with every segment, which begins two segments later."""
    start_s = (number + 2) * GRID_S
    event = Emsg(1, "urn:x", "", 1000, int(start_s * 1000), 1000, number, b"x" * 20)
    edge_s = (rig.channel.edge + 1) * GRID_S
    assert rig.channel.events.hear(event, "", rig.channel.edge, edge_s)


def read(rig: Rig) -> None:
    """What players of all kinds ask for after a segment."""
    presentation, edge = rig.presentation, rig.channel.edge
    if edge < 0:
        return
    for track in ("v", "a"):
        rig.text(track)
        rig.text(track, "_HLS_skip=YES")
        rig.entity(track, f"_HLS_msn={edge + 1}&_HLS_part=1")
    for leaf in ("master.m3u8", "manifest.mpd", "ll.mpd"):
        entity = presentation.render(leaf)
        assert entity is not None
        found = re.search(rb"<PatchLocation[^>]*>([^<]+)<", bytes(entity.body))
        if found is not None:
            presentation.render(found[1].decode())


def held_bytes() -> int:
    """All but what pathlib holds: it interns names, and the table of those doubles some time."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot()
    kept = snapshot.filter_traces([tracemalloc.Filter(False, pathlib.__file__)])
    return sum(each.size for each in kept.statistics("filename"))


def slope_of(looks: list[tuple[float, int]]) -> float:
    """Bytes a second, by least squares."""
    mean_s = sum(at for at, _ in looks) / len(looks)
    mean = sum(held for _, held in looks) / len(looks)
    spread = sum((at - mean_s) ** 2 for at, _ in looks)
    return sum((at - mean_s) * (held - mean) for at, held in looks) / spread
