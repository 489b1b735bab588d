"""What steering polls say of throughput, as light evidence (RT-1, ST-30, ST-32).

A player that reports nothing else tells at its polls how fast its pathway is. That is compared with
the fastest that the session ever told, so a slow viewer blames no CDN; the first figure of a
session has nothing to be compared with. A session weighs at most `WEIGHT` every `INTERVAL_MS`,
however often it polls; one whose player reports for itself is heard there.
"""

from .cells.feed import Feed
from .cells.score import SAFE_SHARE, score
from .cells.sums import Sample
from .report import Report
from .sessions import Session

WEIGHT = 0.25  # of a tick of playback
INTERVAL_MS = 10_000
MAX_BPS = 10_000_000_000


class PollFeed:
    """Evidence from the polls of sessions."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def note(self, session: Session, told: Report, now_ms: int) -> None:
        """Take in a poll; of several pathways the first, which is in use, counts."""
        if session.quality is not None or now_ms - session.weighed_ms < INTERVAL_MS:
            return
        name = told.entries[0][0] if told.entries else ""
        bps = told.measured(first_poll=session.polls == 1).get(name, 0)
        if not 0 < bps <= MAX_BPS:
            return
        kbps, best_kbps = bps // 1000, session.best_kbps
        session.weighed_ms, session.best_kbps = now_ms, max(best_kbps, kbps)
        if best_kbps:
            viewer = session.viewer
            place = viewer.country, viewer.asn, viewer.device_class, viewer.content
            sample = Sample(WEIGHT, score(SAFE_SHARE * kbps, session.best_kbps, 0, 0))
            self._feed.add(self._feed.cell("", *place), name, sample, now_ms)
