"""What teaches a channel its grid when none is configured: video, and audio alone only in time."""

from pathlib import Path

import pytest

from bench.ingester import GRID_S, Synth
from native.http import Hot
from origin.ingest.body import AUDIO_SEGMENT_S, TrackBody
from origin.live.channels import Channels
from origin.live.writer import ALONE_S
from origin.settings import Settings

NOW_S = 1_800_000_000
FIRST = int(NOW_S / GRID_S)
CHUNKS = 6
SYNTHS = {"v": Synth("video", 64_000, chunks=CHUNKS), "a": Synth("audio", 32_000, chunks=CHUNKS)}


class Encoder:
    """One channel whose tracks are pushed in endless bodies; time is told."""

    def __init__(self, folder: Path) -> None:
        self.now_s = float(NOW_S)
        self.settings = Settings.model_validate({"low_latency": True})
        self.channels = Channels(folder, self.settings, Hot(), lambda: self.now_s)
        self.bodies: dict[str, TrackBody] = {}

    def push(self, track: str, number: int) -> None:
        if track not in self.bodies:
            body = TrackBody(self.channels, "c", track, self.settings, lambda: self.now_s)
            body.feed(SYNTHS[track].header)
            self.bodies[track] = body
        self.bodies[track].feed(SYNTHS[track].segment(FIRST + number))

    @property
    def grid_s(self) -> object:
        return self.channels.writers["c"].channel.duration_s


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    return Encoder(tmp_path)


def test_audio_that_comes_first_waits_for_the_video(encoder: Encoder) -> None:
    for number in range(2):  # more than audio alone would need to tell a grid
        encoder.push("a", number)
    assert encoder.grid_s is None
    for number in range(8):
        encoder.push("v", number)
        encoder.push("a", number + 2)
    assert encoder.grid_s == GRID_S
    presentation = encoder.channels.presentations["c"]
    channel = presentation.channel
    for track in channel.tracks.values():
        shown = list(channel.listed(track, channel.kept.first, channel.edge))
        assert len(shown) >= 6
        assert not any(segment.gap for segment in shown)


def test_audio_alone_makes_segments_of_whole_chunks(encoder: Encoder) -> None:
    for number in range(3):
        encoder.push("a", number)
    encoder.now_s += ALONE_S - 0.01
    encoder.push("a", 3)
    assert encoder.grid_s is None
    encoder.now_s += 0.02
    encoder.push("a", 4)
    grid_s = encoder.grid_s
    chunk_s = GRID_S / CHUNKS
    assert isinstance(grid_s, type(AUDIO_SEGMENT_S))
    assert AUDIO_SEGMENT_S <= grid_s < AUDIO_SEGMENT_S + chunk_s
