"""What steering polls say of throughput, as light evidence (RT-1, ST-30, ST-32).

A player that reports nothing else tells at its polls how fast its pathway is. That is compared with
the fastest that the session ever told, so a slow viewer blames no CDN; the first figure of a
session has nothing to be compared with. A session weighs at most `WEIGHT` every `INTERVAL_MS`,
however often it polls; one whose player reports for itself is heard there.
"""

from collections import OrderedDict

from .cells.feed import Feed
from .cells.score import SAFE_SHARE, score
from .cells.sums import Sample
from .report import Report
from .sessions import Session

WEIGHT = 0.25  # of a tick of playback
INTERVAL_MS = 10_000
MAX_BPS = 10_000_000_000


class PollFeed:
    """Evidence from the polls of at most `capacity` sessions; the one not heard of for longest is
    forgotten first.
    """

    def __init__(self, feed: Feed, capacity: int) -> None:
        self._feed = feed
        self._capacity = capacity
        self._known: OrderedDict[str, tuple[int, int]] = OrderedDict()  # heard ms, best kbps

    def note(self, session: Session, told: Report, now_ms: int) -> None:
        """Take in a poll; of several pathways the first, which is in use, counts."""
        name = told.entries[0][0] if told.entries else ""
        bps = told.measured(first_poll=session.polls == 1).get(name, 0)
        if session.quality is not None or not 0 < bps <= MAX_BPS:
            return
        heard_ms, best_kbps = self._known.get(session.id, (0, 0))
        if now_ms - heard_ms < INTERVAL_MS:
            return
        kbps = bps // 1000
        most_kbps = max(best_kbps, kbps)
        self._known[session.id] = now_ms, most_kbps
        self._known.move_to_end(session.id)
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)
        if best_kbps:
            viewer = session.viewer
            place = viewer.country, viewer.asn, viewer.device_class, viewer.content
            sample = Sample(WEIGHT, score(SAFE_SHARE * kbps, most_kbps, 0, 0))
            self._feed.add(self._feed.cell("", *place), name, sample, now_ms)
