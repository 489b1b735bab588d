"""Private copies at an origin of several workers: one makes them, all play them, any may die
(CTL-127).
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from twins.crew import Crew, until

pytestmark = pytest.mark.skipif(not os.environ.get("HEADWATER_COPIES"), reason="the long form")
CHANNEL = "/ingest/ch"
HELD, MORE = 4, 6  # segments: what is recorded, and what comes after


def test_one_worker_copies_and_every_worker_plays(
    tmp_path: Path, video_media: Any, now_number: int
) -> None:
    first = now_number
    with Crew(tmp_path, 2, archive_s=7_200) as crew:
        workers = crew.workers()
        assert crew.push(workers[0], f"{CHANNEL}/v.cmfv", video_media.header).status == 200

        def push(*numbers: int) -> None:
            for number in numbers:
                body = video_media.segment(number)
                assert crew.push(workers[0], f"{CHANNEL}/v.cmfv", body).status == 200

        push(*range(first, first + 2))
        start_s, end_s = first * 48 / 25, (first + HELD) * 48 / 25
        asked = {"id": "ras_1", "channel": "ch", "start": start_s, "end": end_s, "copy": True}

        def ask(worker: int, method: str, path: str, body: bytes = b"") -> Any:
            return crew.push(worker, path, body, method)

        body = json.dumps(asked).encode()
        until(lambda: ask(workers[1], "POST", "/recordings", body).status in (200, 201), "a hold")
        lock = tmp_path / "origin" / "copies" / ".lock"
        until(lock.exists, "somebody to copy")
        push(*range(first + 2, first + HELD + MORE))
        os.kill(workers[1], signal.SIGKILL)
        until(lambda: len(crew.workers()) == 2 and crew.workers() != workers, "a new worker")
        until(crew.ready, "it to be ready")
        workers = crew.workers()

        def state() -> str:
            told = json.loads(ask(workers[0], "GET", "/recordings/ras_1").text)
            return str(told["copy"]["state"])

        until(lambda: state() == "complete", "the copy")
        for worker in workers:
            for number in range(first, first + HELD):
                played = crew.get(worker, f"/rec/ras_1/v/{number}.m4s")
                assert played.body == video_media.segment(number)
        assert ask(workers[1], "DELETE", "/recordings/ras_1").status == 204
        assert {crew.get(w, "/rec/ras_1/master.m3u8").status for w in workers} == {404}
        objects = tmp_path / "objects" / "copies"
        until(lambda: not any(names for _, _, names in os.walk(objects)), "its objects to go")
