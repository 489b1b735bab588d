"""Which headers are the same (AB5), and what forced errors look at (O15, AB7)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.ingester import GRID_S, Synth
from native.bmff import Splitter
from native.bmff.write import full, styp
from native.http import Hot
from origin.ingest.body import TrackBody
from origin.live.channels import Channels
from origin.live.headers import same_header
from origin.live.health import condition
from origin.settings import ForceError, Settings

NOW_S = 1_800_000_000
FIRST = int(NOW_S / GRID_S)
V = Synth("video", 64_000)
W = Synth("audio", 64_000)
ALL = ForceError(on=["stale", "incomplete", "missing_key", "slate"])


def with_language(header: bytes, text: bytes) -> bytes:
    """The header with an elng box at the end of mdia, every size put right."""
    extra = full("elng", 0, 0, text + b"\0")
    at = header.index(b"minf") - 4
    grown = bytearray(header[:at] + extra + header[at:])
    for kind in (b"moov", b"trak", b"mdia"):
        place = grown.index(kind) - 4
        size = int.from_bytes(grown[place : place + 4], "big") + len(extra)
        grown[place : place + 4] = size.to_bytes(4, "big")
    return bytes(grown)


def test_only_the_language_may_differ() -> None:
    swedish, english = with_language(V.header, b"sv"), with_language(V.header, b"en-GB")
    assert swedish != V.header and Splitter().feed(swedish)[0].kind == "header"
    assert same_header(V.header, swedish) and same_header(swedish, english)
    assert not same_header(V.header, V.header.replace(b"avcC\x01\x42", b"avcC\x01\x4d"))
    assert not same_header(V.header, W.header)
    assert not same_header(V.header, V.header[:-3])


@dataclass
class Stage:
    """A channel with video and audio, one segment a body."""

    folder: Path
    now_s: float = float(NOW_S)
    channels: Channels = field(init=False)

    def __post_init__(self) -> None:
        self.settings = Settings.model_validate(
            {"channels": {"c": {"segment_s": GRID_S}}, "low_latency": False}
        )
        self.channels = Channels(self.folder, self.settings, Hot(), lambda: self.now_s)
        self.push("v", V.header)
        self.push("a", W.header)

    def push(self, track: str, data: bytes) -> None:
        body = TrackBody(self.channels, "c", track, self.settings, lambda: self.now_s)
        body.feed(data)
        body.finish()
        body.close()

    def play(self, count: int) -> None:
        for number in range(FIRST, FIRST + count):
            self.now_s = float((number + 1) * GRID_S)
            self.push("v", V.segment(number))
            self.push("a", W.segment(number))

    @property
    def channel(self) -> Any:
        return self.channels.writers["c"].channel

    def code(self, setting: ForceError = ALL) -> str | None:
        verdict = condition(self.channel, setting, self.now_s)
        return verdict.code if verdict is not None else None


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    one = Stage(tmp_path)
    yield one
    one.channels.close()


def test_a_channel_is_fit_until_its_media_is_old(stage: Stage) -> None:
    assert stage.code() is None, "nothing published is no condition"
    stage.play(4)
    assert stage.code() is None
    stage.now_s += 14
    assert stage.code() is None
    stage.now_s += 2
    assert stage.code() == "stale"
    stage.channels.writers["c"].fill(FIRST + 9)
    assert stage.code() == "stale", "gaps that keep a playlist moving are not media"
    assert stage.code(ForceError(on=["incomplete"])) is None


def test_a_track_that_lacks_its_segment_is_incomplete(stage: Stage) -> None:
    stage.play(4)
    for number in range(FIRST + 4, FIRST + 9):
        stage.now_s = float((number + 1) * GRID_S)
        stage.push("v", V.segment(number))
    assert stage.channel.edge == FIRST + 5, "audio is given up AHEAD segments later"
    assert stage.code() == "incomplete"
    assert stage.code(ForceError(on=["slate", "stale"])) is None


def test_filler_is_told_and_gives_way_until_it_is_published(stage: Stage) -> None:
    """I8, C7, AB7."""
    stage.play(3)
    number = FIRST + 3
    filler = styp("cmfs", "slat") + V.segment(number)
    stage.push("v", filler)
    stage.push("v", V.segment(number))
    stage.push("a", W.segment(number))
    assert stage.channel.edge == number and stage.code() is None
    assert stage.channel.tracks["v"].read(stage.channel.tracks["v"].whole(number)) == V.segment(
        number
    )
    number += 1
    filler = styp("cmfs", "slat") + V.segment(number)
    stage.push("v", filler)
    stage.push("a", W.segment(number))
    stage.now_s += 2
    assert stage.code() == "slate"
    stage.push("v", V.segment(number))
    assert stage.code() == "slate", "what was listed never changes"
