"""Hostile ingest: any bytes, any cut, any box. No crash, no hang, bounded memory, no wrong byte."""

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.ingester import GRID_S, Synth
from native.bmff import Splitter, parse_chunk, parse_init
from native.http import Hot
from origin.errors import OriginError
from origin.ingest.body import TrackBody
from origin.live.channels import Channels
from origin.live.headers import same_header
from origin.settings import Settings

NOW_S = 1_800_000_000
FIRST = int(NOW_S / GRID_S)
V = Synth("video", 20_000, chunks=2)
SETTINGS = Settings.model_validate({"channels": {"c": {"segment_s": GRID_S}}})
STREAM = V.header + b"".join(V.segment(FIRST + n) for n in range(3))


@pytest.fixture
def channels(tmp_path: Path) -> Iterator[Channels]:
    one = Channels(tmp_path, SETTINGS, Hot(), lambda: float(NOW_S))
    yield one
    one.close()


def push(channels: Channels, data: bytes, *, step: int = 1 << 16) -> str:
    """The code that a body is refused with; empty for a welcome one."""
    body = TrackBody(channels, "c", "v", SETTINGS, lambda: float(NOW_S))
    try:
        for at in range(0, len(data), step):
            body.feed(data[at : at + step])
        body.finish()
    except OriginError as error:
        assert error.status in (400, 403, 412, 415, 500), error.code
        return error.code
    finally:
        body.close()
    return ""


def stored(channels: Channels) -> list[tuple[int, bytes]]:
    """Every whole segment, read back and parsed again."""
    writer = channels.writers.get("c")
    track = writer.channel.tracks.get("v") if writer is not None else None
    if track is None:
        return []
    found = []
    for segment in list(track):
        if segment.whole:
            data = track.read(segment)
            units = Splitter().feed(data)
            parsed = [parse_chunk(unit.data, track.track) for unit in units]
            assert parsed[0].decode_time == segment.start
            assert sum(chunk.duration for chunk in parsed) == segment.end - segment.start
            found.append((segment.number, data))
    return found


def test_a_cut_at_every_byte(tmp_path: Path) -> None:
    """I14: what is listed is whole and right, and the same body sent again completes the rest."""
    bounds = [len(V.header) + n * len(STREAM[len(V.header) :]) // 6 for n in range(7)]
    for cut in {*range(0, len(STREAM), 61), *bounds}:
        with TemporaryDirectory(dir=tmp_path) as folder:
            channels = Channels(Path(folder), SETTINGS, Hot(), lambda: float(NOW_S))
            push(channels, STREAM[:cut])
            for number, data in stored(channels):
                assert data == V.segment(number)
            assert push(channels, STREAM) == ""
            assert stored(channels) == [(FIRST + n, V.segment(FIRST + n)) for n in range(3)]
            channels.close()


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 5000), st.integers(0, 10**6))
def test_pieces_of_any_size_are_the_same_stream(step: int, seed: int) -> None:
    dice = random.Random(seed)
    with TemporaryDirectory() as folder:
        channels = Channels(Path(folder), SETTINGS, Hot(), lambda: float(NOW_S))
        body = TrackBody(channels, "c", "v", SETTINGS, lambda: float(NOW_S))
        at = 0
        while at < len(STREAM):
            size = dice.randint(1, step)
            body.feed(STREAM[at : at + size])
            at += size
        body.finish()
        assert [number for number, _ in stored(channels)] == [FIRST, FIRST + 1, FIRST + 2]
        channels.close()


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 255)), min_size=1, max_size=6
    ),
    st.integers(200, 70_000),
)
def test_any_bytes_changed(changes: list[tuple[int, int]], step: int) -> None:
    """The rest of the process goes on: the true stream is taken by another channel after it."""
    data = bytearray(STREAM)
    for at, value in changes:
        data[at] = value
    with TemporaryDirectory() as folder:
        channels = Channels(Path(folder), SETTINGS, Hot(), lambda: float(NOW_S))
        push(channels, bytes(data), step=step)
        stored(channels)
        channels.fill_gaps()
        channels.judge(NOW_S)
        channels.close()
        again = Channels(Path(folder), SETTINGS, Hot(), lambda: float(NOW_S))
        again.open()
        stored(again)
        again.close()


KINDS = [b"moof", b"mdat", b"moov", b"styp", b"free", b"emsg", b"prft", b"sidx", b"mfra", b"trak"]


@st.composite
def boxes(draw: st.DrawFn, depth: int = 3) -> bytes:
    kind = draw(st.sampled_from(KINDS))
    inner = draw(
        st.binary(max_size=60)
        if not depth
        else st.one_of(st.binary(max_size=60), st.lists(boxes(depth - 1), max_size=3).map(b"".join))
    )
    size = draw(st.sampled_from([len(inner) + 8, 0, 1, 7, 8, len(inner) + 9, 1 << 31]))
    return size.to_bytes(4, "big") + kind + inner


@settings(max_examples=500, deadline=None)
@given(st.lists(boxes(), max_size=6).map(b"".join), st.booleans())
def test_any_boxes(data: bytes, headed: bool) -> None:
    with TemporaryDirectory() as folder:
        channels = Channels(Path(folder), SETTINGS, Hot(), lambda: float(NOW_S))
        push(channels, (V.header if headed else b"") + data)
        assert stored(channels) == []
        channels.close()
    assert same_header(V.header, data) is (data == V.header)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, len(V.header)))
def test_any_header(noise: bytes, at: int) -> None:
    header = V.header[:at] + noise + V.header[at + len(noise) :]
    with TemporaryDirectory() as folder:
        channels = Channels(Path(folder), SETTINGS, Hot(), lambda: float(NOW_S))
        push(channels, header)
        assert all(writer.channel.tracks for writer in channels.writers.values())
        channels.close()


def test_memory_does_not_grow_with_refused_bodies(channels: Channels) -> None:
    """A thousand broken bodies, each with a header and most of a chunk."""
    assert push(channels, STREAM) == ""
    broken = V.header + next(iter(V.pieces(FIRST + 3)))[:-3]

    def round_() -> int:
        for _ in range(200):
            assert push(channels, broken) == "truncated"
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = round_()
        last = max(round_() for _ in range(4))
    finally:
        tracemalloc.stop()
    assert last - first < 100_000
    assert parse_init(V.header).tracks[0].timescale == V.timescale


def test_a_drip_of_bytes_holds_no_more_than_its_unit(channels: Channels) -> None:
    body = TrackBody(channels, "c", "v", SETTINGS, lambda: float(NOW_S))
    big = Synth("video", 2_000_000, chunks=1)
    body.feed(big.header)
    piece = big.segment(FIRST)
    tracemalloc.start()
    try:
        for at in range(0, len(piece) - 1, 9):
            body.feed(piece[at : min(at + 9, len(piece) - 1)])
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 2 * len(piece)
    body.close()
