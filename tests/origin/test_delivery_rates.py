"""Bit rates that are told after an encoder was away (AB6, TR-67, TR-68), and whole_until."""

import re
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.live.shelf import Shelf, Stored

V, A = "/ingest/demo/Streams(v.cmfv)", "/ingest/demo/Streams(a.cmfa)"
GRID = {"demo": {"segment_s": "48/25"}}
Start = Callable[..., Any]


def rates(origin: Any) -> list[int]:
    """Peak and average, in the order of the playlist, and the same of the MPD's."""
    text = origin.get("/live/demo/master.m3u8").text
    return [int(rate) for rate in re.findall(r"BANDWIDTH=(\d+)", text)]


@pytest.mark.parametrize("gone", [V, A])
def test_a_track_that_is_gone_keeps_its_last_rate(
    start: Start, video_media: Any, audio_media: Any, now_number: int, gone: str
) -> None:
    """AB6: also over a window of nothing but gaps, after a restart, and when it has come back"""
    origin, n = start(channels=GRID, window_s=8, retention_s=120), now_number
    n -= n % 5  # a window of five: the newest run is whole when its media ends
    for path, media in ((V, video_media), (A, audio_media)):
        assert origin.push(path, media.header).status == 200
    for number in range(n, n + 10):
        assert origin.push(V, video_media.segment(number)).status == 200
        assert origin.push(A, audio_media.segment(number)).status == 200
    before = rates(origin)
    assert min(before) > 10_000
    left, media = (A, audio_media) if gone == V else (V, video_media)
    for number in range(n + 10, n + 30):
        assert origin.push(left, media.segment(number)).status == 200
    assert rates(origin) == before
    origin.kill()
    origin.start()
    assert rates(origin) == before
    for number in range(n + 30, n + 36):
        assert origin.push(V, video_media.segment(number)).status == 200
        assert origin.push(A, audio_media.segment(number)).status == 200
        assert len(rates(origin)) == 3 and min(rates(origin)) > 10_000
    last = rates(origin)
    origin.kill()
    origin.start()
    assert rates(origin) == last


@given(st.dictionaries(st.integers(0, 60), st.booleans()), st.integers(-2, 70))
def test_whole_until_is_what_a_list_says(numbers: dict[int, bool], until: int) -> None:
    shelf = Shelf(lambda *_: [])
    for number, whole in sorted(numbers.items()):
        shelf._live[number] = Stored(number, number, number + 1, whole=whole)
    assert shelf.whole_until(until) == max(
        (n for n, w in numbers.items() if w and n <= until), default=-1
    )
    shelf._live, shelf._numbers = {}, array("q", sorted(numbers))
    assert shelf.whole_until(until) == max((n for n in numbers if n <= until), default=-1)
