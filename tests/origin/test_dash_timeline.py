"""Growing timelines and bodies in pieces against plain oracles."""

import gzip
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from origin.dash.pieces import Pieces
from origin.dash.timeline import BLOCK, Line, Run, timeline_lines
from origin.tracks import Segment


def media(seed: int, count: int, rough: float) -> list[Segment]:
    """Consecutive numbers; durations that vary and times that jump, now and then."""
    dice = random.Random(seed)
    found, at, first = [], dice.randrange(10**6), dice.randrange(1000)
    for number in range(first, first + count):
        at += dice.choice([0, 7]) if dice.random() < rough / 8 else 0
        length = 96 + (dice.random() < rough)
        found.append(Segment(number, at, length))
        at += length
    return found


def written(line: Line) -> tuple[str, Pieces]:
    out = Pieces()
    out.text("<T>")
    line.write(out)
    out.text("</T>")
    return out.joined(), out


def spread(text: str, number: int) -> dict[int, tuple[int, int]]:
    found, time = {}, -1
    for s in etree.fromstring(text):
        time = int(s.get("t", time))
        for _ in range(int(s.get("r", 0)) + 1):
            found[number] = (time, int(s.get("d")))
            number, time = number + 1, time + int(s.get("d"))
    return found


@settings(max_examples=12)
@given(st.integers(0, 1 << 32), st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([20, 300, 1500]))
def test_a_line_lists_its_window(seed: int, rough: float, window: int) -> None:
    """D6, D7: what is listed is what was appended; an S leaves when all of it has; the coded twin
    says the same; another line that begins later at a block's start writes the same.
    """
    segments = media(seed, 2600, rough)
    first = segments[0].number
    line, other, other_at = Line(), Line(), -1
    for s in segments:
        line.append(s.number, s.start, s.duration)
        oldest = max(first, s.number - window + 1)
        line.trim(oldest)
        if other_at < 0 and s.number > first + 1000:
            other_at = max(first, oldest - oldest % BLOCK)
            for known in segments[other_at - first : s.number - first]:
                other.append(known.number, known.start, known.duration)
        if other_at >= 0:
            other.append(s.number, s.start, s.duration)
            other.trim(oldest)
        if s.number % 97:
            continue
        text, out = written(line)
        found = spread(text, line.mark().number)
        assert found == {
            k.number: (k.start, k.duration) for k in segments if min(found) <= k.number <= s.number
        }
        newest_of_first = min(found) + int(etree.fromstring(text)[0].get("r", 0))
        assert min(found) <= oldest <= newest_of_first
        plain, coded, etag = out.finish()
        assert b"".join(plain).decode() == text
        assert gzip.decompress(b"".join(coded)).decode() == text
        if other_at >= 0 and s.number > other_at + 2 * window + 2048:
            same = written(other)[1].finish()
            assert (same.plain, same.gzip, same.etag) == (plain, coded, etag)


@given(st.integers(0, 1 << 32), st.integers(1, 80))
def test_runs_by_count(seed: int, window: int) -> None:
    """What a patch asks for: the runs between two marks, also from settled text."""
    line, runs = Line(), []
    for s in media(seed, 400, 0.7):
        line.append(s.number, s.start, s.duration)
        line.trim(s.number - window)
        mark = line.mark()
        del runs[mark.end :]
        newest = line.newest
        assert newest is not None
        if len(runs) == mark.end:
            runs.pop()
        runs.append(Run(newest.number, newest.start, newest.duration, newest.count, newest.jumps))
        assert len(runs) == mark.end and mark.grown == newest.count
        assert line.first is not None and line.first.number == runs[mark.first].number
        since = max(mark.first, mark.end - 90)
        assert line.runs(since, mark.end) == runs[since : mark.end]


@given(st.integers(0, 1 << 32), st.integers(1, 200), st.floats(0, 1))
def test_finished_timelines_are_written_alike(seed: int, count: int, rough: float) -> None:
    segments = media(seed, count, rough)
    line = Line()
    for s in segments:
        line.append(s.number, s.start, s.duration)
    text = "<T>" + "\n".join(timeline_lines(segments)) + "\n</T>"
    assert text == written(line)[0]
