"""kill -9 at random points, archive running: nothing acknowledged is lost, no byte is wrong.

`HEADWATER_KILLS=200` for the long form; CI does a few rounds. A round's dice come from its number,
so a failure can be repeated.
"""

import os
import random
import socket
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import m3u8
import pytest

ROUNDS = int(os.environ.get("HEADWATER_KILLS", "12"))
GRID_S = Fraction(48, 25)
TRACKS = {"v": "/ingest/demo/Streams(v.cmfv)", "a": "/ingest/demo/Streams(a.cmfa)"}
SETTINGS: dict[str, Any] = {
    "channels": {"demo": {"segment_s": "48/25"}},
    "window_s": 30,
    "retention_s": 60,
    "archive_s": 40_000,
    "archive_block_bytes": 65536,
}


def push(port: int, path: str, body: bytes, until: int | None = None) -> bool:
    """Send a segment, or only its first bytes; whether it was acknowledged."""
    with socket.create_connection(("127.0.0.1", port), 10) as wire:
        head = f"PUT {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n"
        wire.sendall(head.encode() + body[:until])
        if until is not None:
            return False
        return wire.recv(64).startswith(b"HTTP/1.1 200")


def check(origin: Any, media: dict[str, Any], acknowledged: list[tuple[str, int]]) -> None:
    for name, number in acknowledged:
        answer = origin.get(f"/live/demo/{name}/{number}.m4s")
        assert answer.status == 200, (name, number, answer.body)
        assert answer.body == media[name].segment(number), (name, number)
    for name in TRACKS:
        text = m3u8.loads(origin.get(f"/live/demo/{name}/media.m3u8").text)
        for segment in text.segments:
            if not segment.gap_tag:
                body = origin.get(f"/live/demo/{name}/{segment.uri}").body
                assert body == media[name].segment(int(segment.uri[:-4]))


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.timeout(60 + 8 * ROUNDS)
def test_kills_at_random_points(
    start: Callable[..., Any], chunked_media: Any, audio_media: Any, tmp_path: Path
) -> None:
    media = {"v": chunked_media, "a": audio_media}
    origin = start(**SETTINGS)
    number = int((Fraction(int(time.time())) - 20 * ROUNDS - 300) / GRID_S)
    for name, path in TRACKS.items():
        assert push(origin.ingest_port, path, media[name].header)
    acknowledged: list[tuple[str, int]] = []
    for each in range(ROUNDS):
        dice = random.Random(each)
        recent = []
        for _ in range(dice.randrange(1, 6)):
            for name, path in TRACKS.items():
                assert push(origin.ingest_port, path, media[name].segment(number))
                recent.append((name, number))
            number += 1
        for name in dice.sample(sorted(TRACKS), dice.randrange(3)):
            body = media[name].segment(number)
            cut = dice.choice([0, dice.randrange(len(body)), len(body)])
            push(origin.ingest_port, TRACKS[name], body, cut)
        time.sleep(dice.choice([0, 0, 0.001, 0.01, 0.1]))
        origin.kill()
        origin.start()
        older = dice.sample(acknowledged, min(len(acknowledged), 20))
        check(origin, media, recent + older)
        acknowledged += recent
    folder = origin.data / "origin/live/demo/v"
    assert list(folder.glob("*.archive")) and len(acknowledged) >= 2 * ROUNDS
    origin.kill()
    origin.start()
    check(origin, media, acknowledged)
    away = {p.stem for p in folder.glob("*.index")} - {p.stem for p in folder.glob("*.cmaf")}
    assert away, "some of it came from the archive"
