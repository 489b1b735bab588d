"""SegmentTimeline: S runs that only ever grow at the end and leave whole at the head (D6, D7).

Theory of operation
1. A run stands for consecutive segments of one duration. Runs never cross a multiple of BLOCK
   segment numbers, so that an S can leave soon after its media did.
2. Runs far from both ends are settled: their text, its deflated twin and its digest are made once.
   Where one settled leaf ends and the next begins depends only on the numbers and durations around
   the cut, so that two origins with histories of different length agree on it (AB6).
3. The first S of a timeline carries @t, the others only where time jumps. The leaf that reaches the
   head is therefore unfolded into runs again.
4. Runs are counted from the beginning of their Period. A mark notes which were listed at some time:
   two marks tell a patch what left, what grew and what came.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from origin.dash.pieces import Leaf, Pieces, Settled
from origin.tracks import Segment

BLOCK = 16  # segments that one S may stand for
LEAST_CUT, MOST_CUT = 32, 512  # numbers between two places where a leaf may end
S = re.compile(rb'<S (?:t="(\d+)" )?d="(\d+)"(?: r="(\d+)")?/>')


@dataclass(slots=True)
class Run:
    """Segments from `number` on; times in ticks. `jumps`: the last one ended elsewhere."""

    number: int
    start: int
    duration: int
    count: int = 1
    jumps: bool = False

    @property
    def last(self) -> int:
        return self.number + self.count - 1

    @property
    def end(self) -> int:
        return self.start + self.duration * self.count

    def text(self, *, first: bool = False) -> str:
        """The S element: @t == tfdt, @d the real duration (D6)."""
        t = f't="{self.start}" ' if first or self.jumps else ""
        r = f' r="{self.count - 1}"' if self.count > 1 else ""
        return f'<S {t}d="{self.duration}"{r}/>\n'


@dataclass(frozen=True, slots=True)
class Mark:
    """What a timeline listed at some time: runs `first` to `end` (not included), counted from its
    beginning; `number` is @startNumber, `grown` how many segments the last run stood for.
    """

    first: int
    end: int
    grown: int
    number: int


class Line:
    """The growing timeline of one Representation in one Period."""

    def __init__(self) -> None:
        self._head: deque[Run] = deque()
        self._settled = Settled()
        self._tail: deque[Run] = deque()
        self._first = self._end = 0

    def append(self, number: int, start: int, duration: int) -> None:
        """List one more segment; numbers are consecutive."""
        newest = self.newest
        jumps = newest is not None and newest.end != start
        if newest is not None and number % BLOCK and not jumps and newest.duration == duration:
            newest.count += 1
            return
        if newest is not None and number % LEAST_CUT == 0 and number % self._cut(number) == 0:
            self._settle()
        self._tail.append(Run(number, start, duration, jumps=jumps))
        self._end += 1

    def trim(self, first: int) -> None:
        """Remove each S whose segments all come before this number (D7)."""
        while (run := self.first) is not None and run.last < first:
            (self._head or self._tail).popleft()
            self._first += 1
            if not self._head and self._settled:
                self._head.extend(_unfold(self._settled.pop()))

    def mark(self) -> Mark:
        oldest, newest = self.first, self.newest
        number = oldest.number if oldest is not None else 0
        return Mark(self._first, self._end, newest.count if newest is not None else 0, number)

    def write(self, out: Pieces) -> None:
        """All S elements."""
        first = self.first
        out.text("".join(run.text(first=run is first) for run in self._head))
        out.settled(self._settled)
        out.text("".join(run.text(first=run is first) for run in self._tail))

    def runs(self, first: int, end: int) -> list[Run]:
        """Listed runs by their count from the beginning; costs what lies behind `first`."""
        found: deque[Run] = deque()
        at = self._end
        for run in self._backwards():
            at -= 1
            if at < first:
                break
            if at < end:
                found.appendleft(run)
        return list(found)

    @property
    def first(self) -> Run | None:
        """The oldest listed run."""
        line = self._head or self._tail
        return line[0] if line else None

    @property
    def newest(self) -> Run | None:
        """The newest listed run."""
        line = self._tail or self._head
        return line[-1] if line else None

    def _backwards(self) -> Iterator[Run]:
        yield from reversed(self._tail)
        for leaf in reversed(self._settled):
            yield from reversed(_unfold(leaf))
        yield from reversed(self._head)

    def _cut(self, number: int) -> int:
        """The grid of leaf ends here: about LEAST_CUT runs to a leaf, judged by the last block."""
        dense = sum(run.number >= number - BLOCK for run in islice(reversed(self._tail), BLOCK))
        return max(LEAST_CUT, MOST_CUT >> (max(dense, 1) - 1).bit_length())

    def _settle(self) -> None:
        if not self._tail:
            return
        if not self._head:
            self._head, self._tail = self._tail, deque()
            return
        text = "".join(run.text() for run in self._tail)
        self._settled.push(text, self._tail[0].number, self._tail[0].start)
        self._tail.clear()


def timeline_lines(segments: Sequence[Segment], block: int = BLOCK) -> list[str]:
    """The S elements of a finished timeline."""
    runs: list[Run] = []
    for s in segments:
        last = runs[-1] if runs else None
        touches = last is not None and last.end == s.start
        if last is not None and touches and last.duration == s.duration and s.number % block:
            last.count += 1
        else:
            runs.append(Run(s.number, s.start, s.duration, jumps=not touches))
    return [run.text().rstrip() for run in runs]


def _unfold(leaf: Leaf) -> list[Run]:
    """The runs behind a settled text."""
    runs: list[Run] = []
    number, start = leaf.number, leaf.start
    for t, d, r in S.findall(leaf.block.plain):
        start = int(t) if t else start
        run = Run(number, start, int(d), int(r or 0) + 1, bool(t))
        runs.append(run)
        number, start = run.last + 1, run.end
    return runs


def lines_text(runs: Iterable[Run]) -> str:
    """S elements that follow others."""
    return "".join(run.text() for run in runs)
