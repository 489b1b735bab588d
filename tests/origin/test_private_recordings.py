"""Private copies from outside: a planner and a real origin, two accounts, a channel that is deleted
under them, a kill -9, a deletion, and retention to its end (CTL-127, CTL-130).
"""

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from control_rigs.recorder import Recorder
from origin_rigs.running import Origin, until
from sqlalchemy import update

from control_api import seed
from control_api.migrations import LOCATION
from control_api.recordings.admission import Pads
from control_api.recordings.origin import HttpOrigin
from control_api.recordings.settings import Recordings
from control_api.schema import channel
from runtime.fetch import Fetcher
from runtime.sql import Database

GRID_MS = 19_200  # long: what comes late is not taken for lost
DAY_MS = 86_400_000
SECRET = "a secret of the channel"
SETTLED = 6  # segments behind a range after which every player has seen its end


def push(origin: Origin, media: Any, *numbers: int) -> None:
    for number in numbers:
        body = media.header + media.segment(number)
        told = origin.push("/ingest/demo/Streams(v.cmfv)", body, Authorization=f"Bearer {SECRET}")
        assert told.status == 200, told.text


def objects(origin: Origin, asset_id: str) -> list[Path]:
    """The files of a copy; folders may go while they are walked."""
    walked = os.walk(origin.data / "objects" / "copies" / asset_id)
    return [Path(folder, name) for folder, _, names in walked for name in names]


async def settle(recorder: Recorder, recording_id: str, now_ms: int, state: str) -> None:
    """Turn the planner at a time until a recording is in a state, however slow the origin."""
    for step_ms in range(0, 600_000, 1_000):
        await recorder.until(now_ms + step_ms)
        if await recorder.state(recording_id) == state:
            return
    raise AssertionError(await recorder.state(recording_id))


async def test_two_accounts_keep_what_the_channel_has_lost(
    start: Callable[..., Origin], long_video: Any, long_number: int, tmp_path: Path
) -> None:
    first, after = long_number + 2, long_number + 8
    wanted = range(first, after)
    named = {"segment_s": str(Fraction(96, 5)), "ingest_secrets": [SECRET]}
    origin = start(tmp_path / "origin", channels={"demo": named}, archive_s=7_200)
    push(origin, long_video, *range(long_number, first + 1))
    settings = Recordings(
        ingest_url=f"http://127.0.0.1:{origin.ingest_port}",
        delivery_url=f"http://127.0.0.1:{origin.delivery_port}",
        ingest_secrets={"demo": SECRET},
    )
    bases = [settings.ingest_url, settings.delivery_url]
    url = f"sqlite:///{tmp_path / 'control.sqlite'}"
    async with Fetcher(bases) as fetcher, Database(url, timeout_ms=30_000) as database:
        await database.upgrade(LOCATION)
        recorder = Recorder(database, settings, now_ms=first * GRID_MS)
        recorder.origin = HttpOrigin(settings, fetcher)  # type: ignore[assignment]
        await recorder.begin("acc_b")
        async with database.write() as connection:
            await connection.execute(update(channel).values(copy_mode="private"))
        event_id = await recorder.event(first * GRID_MS, after * GRID_MS)
        mine, theirs = [
            (await recorder.order(event_id, name, Pads(0, 0)))[0]
            for name in (seed.ACCOUNT, "acc_b")
        ]
        await settle(recorder, mine.id, recorder.now_ms, "recording")
        early = origin.get(f"/rec/{mine.asset_id}/v/{first}.m4s")
        assert early.body == long_video.segment(first), "it plays while it grows"
        push(origin, long_video, *range(first + 1, after + 1))
        await settle(recorder, mine.id, after * GRID_MS, "finalizing")
        origin.kill()
        origin.start()
        push(origin, long_video, *range(after + 1, after + SETTLED))
        for each in (mine, theirs):
            until(lambda each=each: copied(origin, each.asset_id), "the copy", 120)
            await settle(recorder, each.id, recorder.now_ms, "completed")
            size_bytes = sum(len(long_video.segment(n)) for n in wanted)
            stored = sum(path.stat().st_size for path in objects(origin, each.asset_id))
            counts = await recorder.counts(each.account_id)
            assert size_bytes == stored == counts.used_bytes, "the copy, once an account"
        text = origin.get(f"/rec/{mine.asset_id}/v/media.m3u8").text
        origin.kill()
        shutil.rmtree(origin.data / "origin" / "live")
        shutil.rmtree(origin.data / "objects" / "live", ignore_errors=True)
        origin.start()
        assert origin.get("/live/demo/master.m3u8").status == 404, "there is no such channel"
        for each in (mine, theirs):
            assert origin.get(f"/rec/{each.asset_id}/master.m3u8").status == 200
            assert origin.get(f"/rec/{each.asset_id}/v/media.m3u8").text == text
            for number in wanted:
                played = origin.get(f"/rec/{each.asset_id}/v/{number}.m4s")
                assert played.body == long_video.segment(number)
        await recorder.delete(mine.id)
        await recorder.until(recorder.now_ms + DAY_MS)
        until(lambda: not objects(origin, mine.asset_id), "one copy to go", 60)
        assert origin.get(f"/rec/{mine.asset_id}/v/{first}.m4s").status == 404
        assert origin.get(f"/rec/{theirs.asset_id}/v/{first}.m4s").status == 200
        await recorder.until((await recorder.one(theirs.id)).expires_ms)
        assert await recorder.state(theirs.id) == "expired"
        until(lambda: not objects(origin, theirs.asset_id), "the other to go", 60)
        assert origin.get(f"/rec/{theirs.asset_id}/master.m3u8").status == 404
        until(lambda: not list((origin.data / "origin" / "copies").glob("*/")), "its folder to go")


def copied(origin: Origin, asset_id: str) -> bool:
    path = f"/recordings/{asset_id}"
    told = origin.push(path, method="GET", Authorization=f"Bearer {SECRET}").json
    return bool(told["copy"]["state"] == "complete")
