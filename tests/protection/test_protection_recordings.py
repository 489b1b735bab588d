"""Recordings and long ranges of channels whose keys change keep their period table and play with
the keys of then (PR-54); what they are made of, Shaka Packager opens (PR-176).
"""

import asyncio
import re
from collections.abc import Awaitable
from pathlib import Path

import pytest
from origin_rigs.media_rig import digest, packets, pieces
from origin_rigs.packager_rig import unlock
from origin_rigs.protection_rig import frames
from origin_rigs.sealed_rig import FIRST, GRID_S, SealedRig, films

from native.http import Entity
from origin.delivery.recordings import TimeShift
from origin.live.holds import Hold
from origin.live.ranges import Range

pytestmark = [pytest.mark.twin, pytest.mark.timeout(120)]

ROTATION_S, HELD = 6, 5  # segments
KEY = re.compile(r"#EXT-X-KEY:METHOD=[A-Z-]+,URI=\"https://keys.test/key/([0-9a-f]{32})\"")
MAP = re.compile(r'#EXT-X-MAP:URI="(init-[^"]+)"')


class Past:
    """The delivery of a channel's past."""

    def __init__(self, rig: SealedRig) -> None:
        self.rig = rig
        channels = rig.channels
        self.shift = TimeShift(rig.settings, rig.hot, channels.presentations, channels.recordings)

    def get(self, path: str, query: str = "") -> bytes:
        async def asked() -> object:
            answer = self.shift.answer(path, query)
            return await answer if isinstance(answer, Awaitable) else answer

        answer = asyncio.run(asked())
        assert isinstance(answer, Entity), (path, answer)
        return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)

    def runs(self, folder: str, track: str, query: str = "") -> list[tuple[str, bytes, list[int]]]:
        """KID, header and numbers of each stretch under one key, as a player reads them."""
        found: list[tuple[str, bytes, list[int]]] = []
        kid = ""
        for line in self.get(f"{folder}/{track}/media.m3u8", query).decode().split("\n"):
            if match := KEY.match(line):
                kid = match[1]
            elif match := MAP.match(line):
                leaf = f"{folder}/{track}/{match[1]}"
                header = self.rig.body(track, match[1]) if query else self.get(leaf)
                found.append((kid, header, []))
            elif line.endswith(".m4s"):
                found[-1][2].append(int(line.removesuffix(".m4s")))
        return found


@pytest.fixture(scope="module", params=["cbcs", "cenc"])
def past(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Past:
    """A channel whose first periods are held by a recording, under other settings since."""
    rig = SealedRig(tmp_path_factory.mktemp("past"), scheme=request.param, rotation_s=ROTATION_S)
    rig.begin()
    rig.play(FIRST, HELD + 2)
    held = Range(FIRST * GRID_S, (FIRST + HELD) * GRID_S)
    rig.channels.recordings.create(Hold("evening", "c", held))
    terms = rig.settings.channels["c"].protection
    assert terms is not None
    terms.scheme = "cenc" if request.param == "cbcs" else "cbcs"
    terms.rotation_s = 0
    rig.restart()
    rig.fetch()
    return Past(rig)


@pytest.mark.parametrize("track", ["v", "a"])
def test_a_recording_plays_with_the_keys_of_then(past: Past, track: str, tmp_path: Path) -> None:
    """PR-54: whatever the channel's settings became; equal to the range of the channel."""
    runs, film = past.runs("/rec/evening", track), films()[track]
    assert len({kid for kid, _, _ in runs}) == len(runs) >= 2
    assert [n for *_, numbers in runs for n in numbers] == list(range(FIRST, FIRST + HELD))
    query = f"start={float(FIRST * GRID_S):.6f}&end={float((FIRST + HELD) * GRID_S):.6f}"
    assert past.runs("/live/c", track, query) == runs
    for kid, header, numbers in runs:
        key = past.rig.source.file.by_kid(bytes.fromhex(kid))
        assert key is not None
        media = [past.get(f"/rec/evening/{track}/{n}.m4s") for n in numbers]
        assert media == [past.rig.body(track, f"{n}.m4s") for n in numbers]
        clear = film.header + b"".join(b"".join(film.pieces(n)) for n in numbers)
        sealed = header + b"".join(media)
        assert frames(sealed, tmp_path, key.secret.reveal().hex()) == frames(clear, tmp_path)
        path = tmp_path / "sealed.mp4"
        path.write_bytes(sealed)
        rendition = past.rig.channel.tracks[track].rendition
        (opened,) = packets(unlock(path, rendition, key)).values()
        found = pieces(film.header, b"".join(b"".join(film.pieces(n)) for n in numbers))
        samples = [digest(data) for piece in found for *_, data in piece.samples]
        assert [sample.digest for sample in opened] == samples


def test_a_recording_has_a_period_for_each_key(past: Past) -> None:
    """PR-51, PR-54"""
    mpd = past.get("/rec/evening/manifest.mpd").decode()
    kids = [kid for kid, *_ in past.runs("/rec/evening", "v")]
    told = re.findall(r'default_KID="([^"]+)"', mpd)
    assert [kid for kid in dict.fromkeys(told) if kid.replace("-", "") in kids]
    assert {kid.replace("-", "") for kid in told} >= set(kids)
    assert mpd.count("<Period") == len(kids)


def test_the_channel_goes_on_under_other_keys(past: Past) -> None:
    """PR-54: the media that a recording holds stays as it was when more is pushed."""
    before = past.runs("/rec/evening", "v")
    body = past.get(f"/rec/evening/v/{FIRST}.m4s")
    past.rig.play(FIRST + HELD + 2, 1)
    assert past.runs("/rec/evening", "v") == before
    assert past.get(f"/rec/evening/v/{FIRST}.m4s") == body
