"""Recordings of the control API on a real origin: held, watched while they grow and after, exact to
the programme's segments, through a kill -9, and let go (CTL-125, CTL-126, CTL-128).
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from control_rigs.recorder import Recorder
from origin_rigs.running import Origin, until

from control_api.migrations import LOCATION
from control_api.recordings.admission import Pads
from control_api.recordings.origin import HttpOrigin
from control_api.recordings.settings import Recordings
from runtime.fetch import Fetcher
from runtime.sql import Database

GRID_MS = 19_200  # long: what comes late is not taken for lost
DAY_MS = 86_400_000
SECRET = "a secret of the channel"


def urls(origin: Origin) -> dict[str, Any]:
    return {
        "ingest_url": f"http://127.0.0.1:{origin.ingest_port}",
        "delivery_url": f"http://127.0.0.1:{origin.delivery_port}",
        "ingest_secrets": {"demo": SECRET},
    }


def push(origin: Origin, media: Any, *numbers: int) -> None:
    for number in numbers:
        body = media.header + media.segment(number)
        told = origin.push("/ingest/demo/Streams(v.cmfv)", body, Authorization=f"Bearer {SECRET}")
        assert told.status == 200, told.text


def listed(origin: Origin, asset_id: str) -> tuple[list[str], bool]:
    """The segments of a recording's playlist, and whether it has ended."""
    text = origin.get(f"/rec/{asset_id}/v/media.m3u8").text
    return [line for line in text.splitlines() if line.endswith(".m4s")], "ENDLIST" in text


async def test_a_programme_is_recorded_on_a_real_origin(
    start: Callable[..., Origin], long_video: Any, long_number: int, tmp_path: Path
) -> None:
    first, after = long_number + 2, long_number + 6
    channel = {"segment_s": str(Fraction(96, 5)), "ingest_secrets": [SECRET]}
    origin = start(tmp_path / "origin", channels={"demo": channel})
    push(origin, long_video, *range(long_number, long_number + 4))
    settings = Recordings(**urls(origin))
    bases = [settings.ingest_url, settings.delivery_url]
    url = f"sqlite:///{tmp_path / 'control.sqlite'}"
    async with Fetcher(bases) as fetcher, Database(url, timeout_ms=30_000) as database:
        await database.upgrade(LOCATION)
        recorder = Recorder(database, settings, now_ms=first * GRID_MS)
        recorder.origin = HttpOrigin(settings, fetcher)  # type: ignore[assignment]
        await recorder.begin()
        event_id = await recorder.event(first * GRID_MS, after * GRID_MS)
        row, _ = await recorder.order(event_id, pads=Pads(0, 0))
        await settle(recorder, row.id, recorder.now_ms, "recording")
        until(lambda: listed(origin, row.asset_id)[0], "the first segments")
        grown, ended = listed(origin, row.asset_id)
        assert not ended and set(grown) <= {f"{n}.m4s" for n in range(first, after)}
        assert origin.get(f"/rec/{row.asset_id}/v/{grown[0]}").status == 200, "while it grows"
        push(origin, long_video, *range(long_number + 4, after + 2))
        await settle(recorder, row.id, after * GRID_MS, "finalizing")
        await settle(recorder, row.id, after * GRID_MS + 2_000, "completed")
        [asset] = await recorder.assets()
        assert (asset.first_ms, asset.missing_ms) == (first * GRID_MS, 0)
        stored = [origin.get(f"/rec/{row.asset_id}/v/{n}.m4s").body for n in range(first, after)]
        assert asset.size_bytes == sum(map(len, stored))
        whole = ([f"{n}.m4s" for n in range(first, after)], True)
        assert listed(origin, row.asset_id) == whole, "exact to the programme's segments"
        origin.kill()
        origin.start()
        until(lambda: listed(origin, row.asset_id) == whole, "the recording after a kill -9")
        await recorder.delete(row.id)
        await recorder.until(recorder.now_ms + DAY_MS)
        assert await recorder.assets() == []
        assert origin.get(f"/rec/{row.asset_id}/v/media.m3u8").status == 404


async def settle(recorder: Recorder, recording_id: str, now_ms: int, state: str) -> None:
    """Turn the planner at a time until a recording is in a state, however slow the origin."""
    for step_ms in range(0, 60_000, 500):
        await recorder.until(now_ms + step_ms)
        if await recorder.state(recording_id) == state:
            return
    raise AssertionError(await recorder.state(recording_id))
