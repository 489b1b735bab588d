"""How chunks become parts (HLS-14), and which target a channel learns."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin_rigs.hls_rig import FIRST, GRID_S, A, Rig, V

from bench.ingester import Synth
from origin.live import parts
from origin.live.parts import LEAST, Span, fitting, gaps, group
from origin.live.records import INDEPENDENT, Record

RATES = {"23.976": Fraction(24000, 1001), "29.97": Fraction(30000, 1001), "25": Fraction(25)}


def run(durations: list[int], start: int = 0, independent: int = 1) -> list[Record]:
    found, at = [], start
    for index, duration in enumerate(durations):
        flags = INDEPENDENT if index % independent == 0 else 0
        found.append(Record(0, 10, 0, at, duration, at, flags))
        at += duration
    return found


def lengths(spans: list[Span]) -> list[int]:
    return [span.part.duration for span in spans]


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=40),
    st.integers(100, 1000),
    st.booleans(),
)
def test_parts_are_the_chunks_in_order_and_never_change(
    durations: list[int], target: int, whole: bool
) -> None:
    """HLS-3: a longer run has the same closed parts; HLS-19: a whole one leaves nothing out."""
    chunks = run(durations)
    spans = group(chunks, Fraction(target, 1000), 1000, whole=whole)
    if durations[0] > target:
        assert not spans
        return
    for count in range(len(chunks)):
        before = group(chunks[:count], Fraction(target, 1000), 1000, whole=False)
        assert before == spans[: len(before)]
    edges = [0, *(span.end for span in spans)]
    assert [span.first for span in spans] == edges[:-1]
    if whole:
        assert edges[-1] == len(chunks)
    for at, span in enumerate(spans):
        members = chunks[span.first : span.end]
        assert span.part.duration == sum(c.duration for c in members)
        assert span.part.size_bytes == 10 * len(members)
        assert span.part.duration <= target or len(members) == 1
        last = whole and at == len(spans) - 1
        least = LEAST * target
        if span.part.duration < least and not last:
            following = chunks[span.end].duration
            assert span.part.duration + following > target, "it was cut for no reason"


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
@pytest.mark.parametrize("frames", [5, 6, 8, 12])
@pytest.mark.parametrize("packets", [9, 10, 16, 24])
def test_learned_targets_bound_video_and_audio(rate: Fraction, frames: int, packets: int) -> None:
    """HLS-14 for chunks of whole frames beside chunks of about as many AAC packets."""
    video_s = frames / rate
    low, high = Fraction(packets * 1024, 48000), Fraction((packets + 1) * 1024, 48000)
    target_s = fitting([(video_s, video_s), (low, high)], Fraction(4))
    assert target_s is not None and parts.LEAST_S <= target_s <= parts.MOST * 4
    scale = rate.numerator * 16
    ticks = [int(scale / rate) * frames] * 40
    video = group(run(ticks), target_s, scale, whole=False)
    wobble = [1024 * (packets + (at * 7 % 3 == 1)) for at in range(40)]
    audio = group(run(wobble), target_s, 48000, whole=False)
    for spans, timescale in ((video, scale), (audio, 48000)):
        assert spans
        for length in lengths(spans):
            assert LEAST * target_s <= Fraction(length, timescale) <= target_s


def test_no_target_where_chunks_are_no_finer_than_segments() -> None:
    assert fitting([(Fraction(2), Fraction(2))], Fraction(2)) is None
    assert fitting([], Fraction(2)) is None


def test_a_chunk_that_fits_nowhere() -> None:
    """Too long at the start: the segment has no parts. Later: a part of its own."""
    assert group(run([900, 100]), Fraction(1, 2), 1000, whole=True) == []
    assert lengths(group(run([450, 900, 450]), Fraction(1, 2), 1000, whole=True)) == [450, 900, 450]


def test_nothing_behind_a_hole_is_in_a_part() -> None:
    chunks = run([500, 500])
    later = [*chunks, *run([500], start=1500)]
    spans = group(later, Fraction(1, 2), 1000, whole=False)
    assert [span.end for span in spans] == [1, 2]


def test_a_part_with_any_independent_chunk_is_independent() -> None:
    """HLS-15"""
    spans = group(run([250] * 8, independent=3), Fraction(1, 2), 1000, whole=True)
    assert [span.part.independent for span in spans] == [True, True, False, True]


@given(st.integers(0, 10**6), st.integers(0, 5000), st.integers(100, 999))
def test_gap_parts_fill_what_is_missing(start: int, length: int, target: int) -> None:
    found = list(gaps(start, start + length, Fraction(target, 1000), 1000))
    assert sum(p.duration for p in found) == length
    assert all(p.gap and 0 < p.duration <= target for p in found)
    assert [p.start for p in found] == [start + target * at for at in range(len(found))]


@pytest.mark.parametrize("chunks", [2, 4, 6, 8, 12, 24, 48])
def test_concatenated_parts_are_the_segment(tmp_path: Path, chunks: int) -> None:
    """HLS-19, and HLS-14 for what a channel learns from made-up chunks of any size."""
    synths = {"v": Synth("video", 40_000, chunks=chunks), "a": Synth("audio", 20_000, chunks=90)}
    rig = Rig(tmp_path, synths)
    rig.begin()
    for number in range(FIRST, FIRST + 6):
        for name, synth in synths.items():
            for piece in synth.pieces(number):
                rig.chunk(name, piece)
    channel = rig.channel
    assert channel.edge == FIRST + 5 and channel.part_s is not None
    for name, synth in synths.items():
        track = channel.tracks[name]
        found = parts.spans(track, FIRST + 3, channel.part_s)
        assert len(found) > 1
        joined = b"".join(
            piece
            for span in found
            for piece in track.pieces(track.segments[FIRST + 3], span.first, span.end)
        )
        assert joined == track.read(track.whole(FIRST + 3))
        assert name == "a" or joined == synth.segment(FIRST + 3)
        for span in found[:-1]:
            length_s = Fraction(span.part.duration, synth.timescale)
            assert LEAST * channel.part_s <= length_s <= channel.part_s
        listed = rig.playlist(name)
        assert len(listed.parts(FIRST + 3)) == len(found)
        assert sum(Fraction(p["DURATION"]) for p in listed.parts(FIRST + 3)) == GRID_S


def test_low_latency_can_be_off_and_targets_be_set(tmp_path: Path) -> None:
    off = Rig(tmp_path / "off", low_latency=False)
    off.begin()
    off.play(FIRST, 4)
    assert off.channel.part_s is None and "#EXT-X-PART" not in off.text()
    told = Rig(tmp_path / "told", channel={"part_s": "1"})
    told.begin()
    told.play(FIRST, 4)
    assert told.playlist().part_target_s == 1
    assert len(told.playlist().parts(FIRST + 2)) == 2
    whole = Rig(tmp_path / "whole", {"v": Synth("video", 40_000), "a": A})
    whole.begin()
    for number in range(FIRST, FIRST + 4):
        whole.chunk("v", whole.synths["v"].segment(number))
        for piece in A.pieces(number):
            whole.chunk("a", piece)
    assert whole.channel.edge == FIRST + 3 and "#EXT-X-PART" not in whole.text()
    assert V.timescale == 12800
