"""The period table of a channel against its law, and IVs that never meet twice (PR-16, PR-50).

HEADWATER_PROTECTION_LONG=1 draws a million samples.
"""

import os
import random
from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from origin_rigs.sealed_rig import FIRST, GRID_S, SEGMENTS, SealedRig

from origin.protection.keys import TRACK_BITS, kid_of, sample_iv
from origin.protection.periods import (
    Slot,
    Terms,
    agreed,
    first_of,
    next_after,
    period_of,
    slot_at,
)

DRAWS = 1_000_000 if "HEADWATER_PROTECTION_LONG" in os.environ else 50_000
grids = st.fractions(Fraction(1, 2), Fraction(10), max_denominator=1001)
rotations = st.sampled_from([0, 4, 6, 7, 300, 3600, 86_400])
numbers = st.integers(0, 10**9)


@given(number=numbers, segment_s=grids, rotation_s=rotations.filter(bool))
def test_a_period_begins_with_the_first_segment_at_or_after_its_time(
    number: int, segment_s: Fraction, rotation_s: int
) -> None:
    """PR-50"""
    period = period_of(number, segment_s, rotation_s)
    assert period % rotation_s == 0
    assert period <= number * segment_s < period + rotation_s
    first = first_of(period, segment_s)
    assert first * segment_s >= period > (first - 1) * segment_s
    assert first <= number
    empty = segment_s > rotation_s
    assert empty or period_of(first, segment_s, rotation_s) == period


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, Terms]]:
    """(newest number, terms that are asked for then), as settings change."""
    found, edge = [], -1
    for _ in range(draw(st.integers(1, 5))):
        scheme = draw(st.sampled_from(["", "cbcs", "cenc"]))
        terms = Terms(
            0,
            scheme,  # type: ignore[arg-type]
            draw(st.sampled_from("ab")),
            draw(rotations),
            draw(st.sampled_from(["init", "inband"])),  # type: ignore[arg-type]
            draw(st.booleans()),
            draw(st.sampled_from([0, 10])),
            draw(st.sampled_from(["V3", "V8"])),  # type: ignore[arg-type]
        )
        found.append((edge, terms))
        edge += draw(st.integers(3, 60))
    return found


@given(history=histories(), segment_s=grids)
def test_what_was_shown_keeps_its_keys(
    history: list[tuple[int, Terms]], segment_s: Fraction
) -> None:
    """PR-54: no change of settings moves the key of a number that somebody may have seen."""
    table: list[Terms] = []
    shown: dict[int, Slot | None] = {}
    for edge, wanted in history:
        for number in range(len(shown), edge + 2 if edge >= 0 else 0):
            shown[number] = slot_at(table, {}, segment_s, number)
        table = agreed(table, wanted, edge + 2 if edge >= 0 else 0) or table
        for number, before in shown.items():
            assert slot_at(table, {}, segment_s, number) == before
        here = slot_at(table, {}, segment_s, edge + 2 if edge >= 0 else 0)
        assert (here.scheme if here else "") == wanted.scheme
        assert agreed(table, wanted, edge + 9) is None


@given(history=histories(), segment_s=grids, number=st.integers(0, 300))
def test_slots_are_runs_between_turns(
    history: list[tuple[int, Terms]], segment_s: Fraction, number: int
) -> None:
    """A slot is the same from its first number to the next turn."""
    table: list[Terms] = []
    for edge, wanted in history:
        table = agreed(table, wanted, edge + 2 if edge >= 0 else 0) or table
    here = slot_at(table, {}, segment_s, number, 0)
    turn = next_after(table, segment_s, number, 0)
    assert turn is None or turn > number
    until = number + 40 if turn is None else min(turn, number + 40)
    for later in range(number, until):
        assert slot_at(table, {}, segment_s, later, 0) == here
    if here is not None:
        assert here.first <= number
        assert slot_at(table, {}, segment_s, here.first, 0) == here


def test_no_iv_names_two_samples() -> None:
    """PR-16: over tracks, windows, parts, rotations that change, restarts and I frames, one key and
    IV stand for one sample: IVs count from a time that the key is named by.
    """
    draw = random.Random(16)
    timescales = [12_800, 48_000, 90_000]
    known: dict[tuple[bytes, int], tuple[int, int]] = {}
    for _ in range(DRAWS):
        track = draw.randrange(24)
        timescale = timescales[track % 3]
        rotation_s = draw.choice([0, 6, 300, 3600])
        number = FIRST + draw.randrange(4000)
        period = period_of(number, GRID_S, rotation_s)
        time = int(number * GRID_S * timescale) + draw.randrange(-1024, int(GRID_S * timescale))
        since = max(period - 60, 0) * timescale
        kid = kid_of("c", "cenc", "sd", period)
        iv = sample_iv(track % (1 << TRACK_BITS), 0, time - since)
        assert known.setdefault((kid, iv), (track, time)) == (track, time)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_iv_names_two_samples_of_a_channel(seed: int) -> None:
    """PR-16, PR-32: what is really written, by every name that the media has."""
    import tempfile

    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        rig = SealedRig(Path(folder), scheme="cenc", rotation_s=6, shared=True)
        rig.begin()
        rig.play(FIRST, SEGMENTS)
        known: dict[tuple[int, str], bytes] = {}
        edge = rig.channel.edge
        for _ in range(12):
            track, number = draw.choice("va"), draw.randint(FIRST, edge)
            leaf = draw.choice([f"{number}.m4s", f"{number}.{draw.randrange(4)}.m4s"])
            if track == "v" and not draw.randrange(3):
                leaf = f"{number}.i.m4s"
            if not draw.randrange(6):
                rig.restart()
                rig.fetch()
            period = rig.sealing.slot(number).period
            for iv, sample in samples(rig.body(track, leaf)):
                assert known.setdefault((period, iv), sample) == sample


def samples(data: bytes) -> list[tuple[str, bytes]]:
    """IV and the bytes of every sample, read from senc and trun."""
    from origin_rigs.protection_rig import boxes, child

    found: list[tuple[str, bytes]] = []
    moof = b""
    for kind, body in boxes(data):
        if kind == "moof":
            moof = body
        if kind != "mdat":
            continue
        senc, trun = child(moof, "traf", "senc"), child(moof, "traf", "trun")
        ranged = senc[3] & 2
        count, at, flags = int.from_bytes(senc[4:8], "big"), 8, int.from_bytes(trun[1:4], "big")
        row = 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
        start = 0
        for _ in range(count):
            iv = senc[at : at + 8].hex()
            at += 8
            if ranged:
                at += 2 + 6 * int.from_bytes(senc[at : at + 2], "big")
            skip = 4 * bool(flags & 0x100)
            size = int.from_bytes(trun[row + skip : row + skip + 4], "big")
            if not flags & 0x200:
                size = len(body) if count == 1 else default_size(moof)
            row += sum(4 for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit)
            found.append((iv, body[start : start + size]))
            start += size
    return found


def default_size(moof: bytes) -> int:
    from origin_rigs.protection_rig import child

    tfhd = child(moof, "traf", "tfhd")
    flags = int.from_bytes(tfhd[1:4], "big")
    at = 8 + 8 * bool(flags & 1) + 4 * bool(flags & 2) + 4 * bool(flags & 8)
    return int.from_bytes(tfhd[at : at + 4], "big")
