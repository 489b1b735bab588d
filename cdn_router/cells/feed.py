"""From a session's reports to evidence: outcomes at once, a sample of its playback every 5 s.

What one session may weigh is bounded (CM-33, RT-22): a batch of it speaks of at most `MAX_FAILURES`
failures, a sample stands for at most 30 s, and scores lie within 0..100 whatever it says. That its
CDN told of duress makes a stall a louder one, and is nothing by itself (CM-53).
"""

from collections.abc import Callable, Mapping

from ..policies.face import Cell
from ..quality import CALM, Quality
from .circuits import Second
from .place import Place, cell_of, network_of
from .score import score
from .state import State, bit
from .sums import Sample

SAMPLE_MS = 5_000
MAX_SAMPLE_MS = 30_000  # the interval between reports (CM-21)
TICK_MS = 10_000  # a sample of so long has weight 1 (SW-2)
MAX_FAILURES = 3
DURESS_VOICES = 2  # a stall counts so often when its CDN said that it suffers; without one, nothing
PLAYING = frozenset({"", "p", "r"})


class Feed:
    """Evidence for a State. `cdns` are the places of CDN names in it."""

    def __init__(self, state: State, locate: Callable[[str], Place]) -> None:
        self._state = state
        self._locate = locate
        self._cdns: Mapping[str, int] = {cdn.id: at for at, cdn in enumerate(state.cdns)}

    def cell(self, peer: str, country: str, asn: int | None, device: str, content: str) -> Cell:
        """The cell of a session that speaks from an address."""
        place = self._locate(peer)
        return cell_of(place, country=country, asn=asn, device=device, content=content)

    def add(self, cell: Cell, cdn: str, sample: Sample, now_ms: int) -> None:
        """A sample that somebody else drew; of a CDN that is none of ours nothing."""
        if (at := self._cdns.get(cdn)) is not None:
            self._state.sample(cell, at, sample, now_ms / 1000)

    def note(
        self,
        session_id: str,
        quality: Quality,
        cell: Cell,
        peer: str,
        now_ms: int,
        then_ms: int | None = None,
    ) -> None:
        """Take in what a session reported since the last call; of outcomes that are told late,
        `then_ms` is when they were.
        """
        now_s = now_ms / 1000
        then_s = now_s if then_ms is None else then_ms / 1000
        for cdn, (good, failed) in quality.outcomes().items():
            if (at := self._cdns.get(cdn)) is None:
                continue
            outcome = Second(good, min(failed, MAX_FAILURES))
            if failed:
                outcome.sessions, outcome.networks = bit(session_id), bit(network_of(peer))
                self._state.sample(cell, at, Sample(failures=outcome.failed), now_s)
            self._state.outcome(cell.region, at, outcome, then_s)
        lasted_ms = now_ms - quality.sampled_ms
        if lasted_ms >= SAMPLE_MS:
            if quality.sampled_ms and quality.state in PLAYING:
                lasted_ms = min(lasted_ms, MAX_SAMPLE_MS)
                self._sample(session_id, quality, cell, peer, lasted_ms, now_s)
            quality.sampled_ms, quality.suffering = now_ms, CALM

    def _sample(
        self, session_id: str, quality: Quality, cell: Cell, peer: str, lasted_ms: int, now_s: float
    ) -> None:
        """A stretch of playback: stalls to the CDN that caused them, the rest to the one in use. A
        wait counts twice, as in SW-7: the picture missed, and the wait itself.
        """
        before, quality.charged = quality.charged, quality.ledger.charges()
        waited_ms = 0
        for cdn, (count, ms) in quality.charged.items():
            count -= before.get(cdn, (0, 0))[0]
            ms = min(ms - before.get(cdn, (0, 0))[1], lasted_ms - waited_ms)
            if count <= 0 or ms <= 0 or (at := self._cdns.get(cdn)) is None:
                continue
            waited_ms += ms
            voices = DURESS_VOICES if cdn in quality.suffering else 1
            stalled = Second(0, 0, voices, bit(session_id), bit(network_of(peer)))
            self._state.outcome(cell.region, at, stalled, now_s)
            self._state.sample(cell, at, Sample(2 * ms / TICK_MS, 0.0), now_s)
        at = self._cdns.get(quality.ledger.used_at(quality.last_ms))
        played_ms = max(0, lasted_ms - 2 * waited_ms)
        if at is not None and quality.bitrate_kbps > 0:
            value = score(quality.bitrate_kbps, quality.access_kbps, quality.top_kbps, 0.0)
            seconds = lasted_ms / 1000
            megabits = quality.bitrate_kbps / 1000 * seconds
            sample = Sample(played_ms / TICK_MS, value, 0.0, seconds, megabits)
            self._state.sample(cell, at, sample, now_s)
