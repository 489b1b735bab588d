"""The tape of a running router: told by its evidence and its decisions, written in the order told.

Lines are gathered and leave in chunks. One that cannot be written is lost and counted, and as what
follows would not explain itself, the next snapshot begins with an anchor.
"""

from collections.abc import Callable

from runtime import metrics

from ..cells.circuits import Second
from ..cells.state import State
from ..cells.sums import HOUR_S, Sample
from ..decider import Choice, Decider, Question
from ..errors import Busy
from ..policies.face import Cell, Snapshot
from .lines import (
    ENCODER,
    AnchorLine,
    DecisionLine,
    HeardLine,
    Line,
    LookLine,
    OutcomeLine,
    SampleLine,
    WorldLine,
    snapped,
)

CHUNK_BYTES = 128 << 10

LOST = metrics.counter("router_tape_lost", "recorded lines that were not kept")

Write = Callable[[bytes, str], object]  # lines, and the number of the first; Busy when it may not


class Tape:
    """Records a state from now on. `write` gets whole lines, each with its newline."""

    def __init__(self, write: Write, state: State, now_s: float) -> None:
        self._write = write
        self._state = state
        self._lines: list[bytes] = []
        self._size = 0
        self._number = 0  # of the next chunk's first line
        self._decider: Decider | None = None
        self._world = 0
        self._anchor_due_s = 0.0
        self._anchor(now_s)
        state.tape = self

    # -- what the state tells ----------------------------------------------------------------------

    def sample(self, cell: Cell, cdn: int, sample: Sample, now_s: float) -> None:
        self._put(SampleLine(now_s, cell, cdn, sample))

    def outcome(self, region: str, cdn: int, outcome: Second, now_s: float) -> None:
        self._put(OutcomeLine(now_s, region, cdn, outcome))

    def heard(self, body: bytes, now_s: float) -> None:
        self._put(HeardLine(now_s, body))

    def look(self, now_s: float) -> None:
        self._put(LookLine(now_s))

    def before_snapshot(self, now_s: float) -> None:
        """The one place where a replay may begin: nothing is decided between here and the next."""
        if now_s >= self._anchor_due_s:
            self._anchor(now_s)

    def snapshot(self, picture: Snapshot, fill: tuple[float, ...]) -> None:
        self._put(snapped(picture, fill))

    # -- what the router tells ---------------------------------------------------------------------

    def record(
        self, at_ms: int, session_id: str, decider: Decider, question: Question, choice: Choice
    ) -> None:
        """A decision, after the world it was made in."""
        if decider is not self._decider:
            self._decider = decider
            self._world += 1
            self._put(WorldLine.of(self._world, decider))
        self._put(DecisionLine.of(at_ms, session_id, self._world, question, choice))

    # -- lines -------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what was gathered."""
        if not self._lines:
            return
        lines, first = self._lines, self._number
        self._lines, self._size = [], 0
        self._number += len(lines)
        try:
            self._write(b"".join(lines), str(first))
        except Busy:
            LOST.inc(len(lines))
            self._anchor_due_s = 0.0

    def _anchor(self, now_s: float) -> None:
        self._anchor_due_s = (now_s // HOUR_S + 1) * HOUR_S
        self._decider = None
        self._state.settle()
        self._put(AnchorLine.of(self._state))

    def _put(self, line: Line) -> None:
        text = ENCODER.encode(line) + b"\n"
        self._lines.append(text)
        self._size += len(text)
        if self._size >= CHUNK_BYTES:
            self.flush()
