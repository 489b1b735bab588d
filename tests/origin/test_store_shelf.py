"""The shelf of settled segments tells what the objects told, at a fraction of their memory."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from origin.errors import DamagedLog
from origin.live.log import TrackLog
from origin.live.records import INDEPENDENT, Record
from origin.live.shelf import LIVE, Shelf, Stored

TICKS = 100  # of a chunk


class Grown:
    """A log and the same segments twice: on a shelf and as plain objects."""

    def __init__(self, folder: Path, volume_ticks: int = 10**9) -> None:
        self.log = TrackLog(folder, volume_ticks=volume_ticks)
        assert list(self.log.recover()) == []
        self.shelf = Shelf(self.log.rows)
        self.plain: dict[int, Stored] = {}

    def chunk(self, number: int, at: int, of: int) -> None:
        begins = (number * of + at) * TICKS
        flags = 0 if at else INDEPENDENT
        found = self.log.append(
            b"%d-%d" % (number, at), decode_time=begins, duration=TICKS, earliest=0, flags=flags
        )
        for segments in (self.shelf, self.plain):
            if number not in segments:
                segments[number] = Stored(number, begins, begins)
            segments[number].take(*found)

    def end(self, number: int, of: int) -> None:
        self.log.seal(number * of * TICKS)
        for segments in (self.shelf, self.plain):
            segments[number].whole = not segments[number].broken


def told(stored: Stored) -> tuple[object, ...]:
    return (
        *(stored.number, stored.start, stored.end, stored.size_bytes, stored.whole, stored.broken),
        list(stored.parts),
    )


@settings(max_examples=40, deadline=None)
@given(
    of=st.integers(1, 6),
    steps=st.lists(st.tuples(st.sampled_from("wloxi"), st.integers(0, 3)), max_size=60),
    volume=st.sampled_from([10**9, 700]),
)
def test_a_shelf_is_a_dictionary_of_segments(
    tmp_path_factory: pytest.TempPathFactory, of: int, steps: list[tuple[str, int]], volume: int
) -> None:
    """Whole, late-sealed, open, broken and interleaved segments in any order, over volumes."""
    grown = Grown(tmp_path_factory.mktemp("log"), volume)
    number = 0
    for kind, skip in steps:
        number += 1 + skip
        for at in range(of):
            if kind == "x" and at == 1:
                continue
            grown.chunk(number, at, of)
            if kind == "i":
                grown.chunk(number + 1, at, of)
        if kind in "lw":
            grown.end(number, of)
        if kind == "l":
            grown.chunk(number + 1, 0, of)
        if kind == "i":
            grown.end(number, of)
            grown.end(number + 1, of)
            number += 1
        elif kind == "l":
            number += 1
    shelf, plain = grown.shelf, grown.plain
    assert sorted(shelf) == sorted(plain) and len(shelf) == len(plain)
    for each in range(number + 3):
        assert (each in shelf) == (each in plain)
        if each in plain:
            assert told(shelf[each]) == told(plain[each])
    whole = [n for n, s in plain.items() if s.whole]
    assert shelf.first_whole == min(whole, default=-1)
    assert shelf.last_whole == max(whole, default=-1)
    for volumes in ({1}, {2, 3}):
        gone = sorted(n for n, s in plain.items() if any(v in volumes for v, _ in s.parts))
        assert shelf.drop(volumes) == gone
        for each in gone:
            del plain[each]
    assert sorted(shelf) == sorted(plain)
    grown.log.close()


def test_a_segment_among_records_that_look_like_its_own_stays_an_object(tmp_path: Path) -> None:
    """What a row could not tell is kept as it is."""
    grown = Grown(tmp_path)
    grown.chunk(0, 0, 2)
    grown.log.append(b"stray", decode_time=TICKS, duration=TICKS, earliest=0, flags=0)
    grown.chunk(0, 1, 2)
    grown.end(0, 2)
    for number in range(1, 2 * LIVE):
        grown.chunk(number, 0, 2)
        grown.chunk(number, 1, 2)
        grown.end(number, 2)
    assert told(grown.shelf[0]) == told(grown.plain[0])
    grown.log.close()


def test_a_removed_segment_is_gone_wherever_it_lay(tmp_path: Path) -> None:
    grown = Grown(tmp_path)
    for number in range(3 * LIVE):
        grown.chunk(number, 0, 1)
        grown.end(number, 1)
    for number in (0, 3 * LIVE - 1):
        del grown.shelf[number]
        assert number not in grown.shelf
        with pytest.raises(KeyError):
            del grown.shelf[number]
        with pytest.raises(KeyError):
            _ = grown.shelf[number]
    grown.shelf[1] = Stored(1, 0, 0)
    assert not grown.shelf[1].whole and len(grown.shelf) == 3 * LIVE - 2
    grown.log.close()


def test_a_shelved_segment_whose_index_left_is_damage_not_a_lie(tmp_path: Path) -> None:
    grown = Grown(tmp_path)
    for number in range(2 * LIVE):
        grown.chunk(number, 0, 1)
        grown.end(number, 1)
    path = tmp_path / "00000001.index"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DamagedLog):
        list(grown.shelf[2].parts)
    grown.log.close()


def test_a_day_of_segments_costs_less_than_a_hundred_bytes_each() -> None:
    """Must-reach: <= 4 KB of index per segment with 4 parts; ours is about 40 bytes."""
    segments = 5000
    shelf = Shelf(lambda *_: [])
    tracemalloc.start()
    for number in range(segments):
        stored = shelf[number] = Stored(number, number * 400, number * 400)
        for part in range(4):
            row = number * 4 + part
            stored.take(1, Record(row * 1000, 1000, row, row * 100, 100, row * 100, 0, row))
        stored.whole = True
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held / segments < 100
