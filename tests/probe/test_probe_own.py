"""The probe passes over our own origin: HLS, LL-HLS, DASH, LL-DASH, time ranges, films."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest
from probe.conftest import VIDEO
from probe.source import Origin, Source, until
from probe.world import Film

from headwater.probe import Finding, check, look
from origin import vod

pytestmark = [pytest.mark.serial, pytest.mark.slow]
LISTED = 14  # segments before the probe looks: more than CAN-SKIP-UNTIL


@pytest.fixture(scope="module")
def origin(films: dict[str, Film], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    data: Path = tmp_path_factory.mktemp("data")
    running = Origin(data, window_s=20)
    path = data / "film.mp4"
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *VIDEO, "-t", "10", str(path)]
    subprocess.run(argv, check=True)
    vod.register(data, [path], "film")
    begun_s = time.time()
    source = Source(films, running.ingest)
    until(lambda: time.time() > begun_s + LISTED, "some media", 60)
    yield running
    source.stop()
    running.stop()


def failing(findings: list[Finding]) -> list[tuple[str, str, int, str]]:
    return [(f.rule, f.url, f.line, f.wrong) for f in findings if f.level != "S"]


@pytest.mark.parametrize(
    ("path", "least"),
    [
        ("live/demo/master.m3u8", 30),
        ("live/demo/v1/media.m3u8", 25),
        ("live/demo/manifest.mpd", 12),
        ("live/demo/ll.mpd", 12),
    ],
)
async def test_live(origin: Origin, path: str, least: int) -> None:
    seen = await look(f"{origin.url}/{path}", watch_s=5)
    assert not seen.cut_short
    assert len(seen.trials) >= least and seen.tracks
    assert failing(check(seen)) == []


async def test_low_latency_was_really_there(origin: Origin) -> None:
    seen = await look(f"{origin.url}/live/demo/master.m3u8", watch_s=2)
    kinds = {trial.kind for trial in seen.trials}
    assert kinds >= {"block", "block_far", "skip", "skip_v2", "hint", "early", "expired"}
    assert all(track.segments for track in seen.tracks)
    assert any(track.parts for track in seen.tracks)
    seen = await look(f"{origin.url}/live/demo/ll.mpd", watch_s=2)
    assert {trial.kind for trial in seen.trials} >= {"growing", "early", "expired"}


@pytest.mark.parametrize("leaf", ["master.m3u8", "manifest.mpd"])
async def test_a_time_range(origin: Origin, leaf: str) -> None:
    end = int(time.time()) - 3
    seen = await look(f"{origin.url}/live/demo/{leaf}?start={end - 6}&end={end}")
    assert seen.tracks
    assert failing(check(seen)) == []


@pytest.mark.parametrize("leaf", ["master.m3u8", "manifest.mpd"])
async def test_a_film(origin: Origin, leaf: str) -> None:
    seen = await look(f"{origin.url}/vod/film/{leaf}")
    assert seen.tracks
    assert [f for f in check(seen) if f.level == "M"] == []
