"""Decayed sums by cell and CDN that add up across nodes.

Theory of operation
1. Forward decay (Cormode et al., ICDE 2009): what happens at t is added with weight 2^((t - L)/h),
   L the last full hour before it and h the half-life of its column. A sum at any later time is the
   stored one times 2^-((now - L)/h); two nodes' sums over one L simply add up.
2. A node writes only its own sums and tells them whole, so a message may be lost, doubled or late:
   the next replaces it. Sums of a node that fell silent are forgotten with it.
3. When the hour turns, stored sums are brought to the new L; what decayed to nothing is dropped.
4. There are at most `MAX_ROWS`; beyond them evidence counts for the wider cell.
5. Sums are read by the clock that wrote them, which may be `ahead_s` of the reader's. What was
   written before that clock was put back would weigh 2^(step/h) of what follows: it is forgotten.

Source: specs routing.md RT-2, RT-15.
"""

from array import array
from collections.abc import Mapping, Sequence
from operator import mul
from typing import NamedTuple, TypeAlias

from ..policies.face import RECENT_S, Cell

HOUR_S = 3_600
MAX_ROWS = 20_000
NOTHING = 1e-3  # of a sample
SKEW_S = 5.0  # less between two readings of clocks is delay
HALF_LIFE_S = 240.0  # what `headwater` is tuned to; all nodes must agree
PRESENCE_S = 30.0  # what is heard of every 30 s is there (CM-21)
SECONDS_AT_REST = PRESENCE_S / 0.6931471805599453  # the sum of one session that stays

Key = tuple[Cell, int]
Row: TypeAlias = "array[float]"


class Column(NamedTuple):
    """A sum and how fast it forgets."""

    name: str
    half_life_s: float


COLUMNS = (
    Column("n", HALF_LIFE_S),
    Column("qoe", HALF_LIFE_S),
    Column("failures", HALF_LIFE_S),
    Column("recent_n", RECENT_S),
    Column("recent_qoe", RECENT_S),
    Column("seconds", PRESENCE_S),  # of sessions
    Column("megabits", PRESENCE_S),
)

NO_ROW = array("d", bytes(8 * len(COLUMNS)))


class Sample(NamedTuple):
    """What one session adds: weight and score 0..100 of a stretch of playback, its seconds and
    Mbit, and failed requests.
    """

    n: float = 0.0
    qoe: float = 0.0
    failures: float = 0.0
    seconds: float = 0.0
    megabits: float = 0.0


def weights(from_s: float, to_s: float) -> Row:
    """What one second of age does to each column, over the time between the two."""
    return array("d", [2.0 ** ((to_s - from_s) / column.half_life_s) for column in COLUMNS])


class Sums:
    """The sums of one node, stored over `landmark_s`."""

    def __init__(self, now_s: float) -> None:
        self.landmark_s = now_s // HOUR_S * HOUR_S
        self.rows: dict[Key, Row] = {}
        self.losses = 0  # how often rows went
        self.ahead_s = 0.0
        self.latest_s = now_s
        self._dirty: dict[Key, None] = {}
        self._weights = (-1.0, weights(0, 0))

    def add(self, cell: Cell, cdn: int, sample: Sample, now_s: float) -> None:
        """Take a sample in."""
        self.turn(now_s)
        if self._weights[0] != now_s:
            self._weights = now_s, weights(self.landmark_s, now_s)
        weight = self._weights[1]
        key = self._room(cell, cdn)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = array("d", NO_ROW)
        score = sample.n * sample.qoe
        row[0] += sample.n * weight[0]
        row[1] += score * weight[1]
        row[2] += sample.failures * weight[2]
        row[3] += sample.n * weight[3]
        row[4] += score * weight[4]
        row[5] += sample.seconds * weight[5]
        row[6] += sample.megabits * weight[6]
        self._dirty[key] = None

    def _room(self, cell: Cell, cdn: int) -> Key:
        """The row for a cell: its own while there is room, else a wider one's."""
        while (cell, cdn) not in self.rows and len(self.rows) >= MAX_ROWS and cell != Cell():
            cell = cell.wider()
        return cell, cdn

    def turn(self, now_s: float) -> None:
        """Bring the sums to the hour of `now_s`."""
        if now_s < self.latest_s - SKEW_S:
            self.landmark_s, self.losses = now_s // HOUR_S * HOUR_S, self.losses + 1
            self.rows.clear()
        self.latest_s = now_s
        self._bring(now_s)

    def _bring(self, now_s: float) -> None:
        landmark_s = now_s // HOUR_S * HOUR_S
        if landmark_s <= self.landmark_s:
            return
        fade = weights(landmark_s, self.landmark_s)
        self.landmark_s = landmark_s
        for row in self.rows.values():
            row[:] = array("d", map(mul, row, fade))
        if gone := [key for key, row in self.rows.items() if max(row) < NOTHING]:
            self.losses += 1
            for key in gone:
                del self.rows[key]

    def changed(self) -> list[Key]:
        """The rows that changed since the last call and are still there."""
        found = [key for key in self._dirty if key in self.rows]
        self._dirty.clear()
        return found

    def update(self, landmark_s: float, rows: Mapping[Key, Sequence[float]]) -> None:
        """Put in rows of the same node, as it told them; newer ones replace."""
        self._bring(landmark_s)
        fade = weights(self.landmark_s, landmark_s)
        for key, row in rows.items():
            if key in self.rows or len(self.rows) < MAX_ROWS:
                self.rows[key] = array("d", map(mul, row, fade))
