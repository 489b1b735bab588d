"""When live sources fell silent, and which numbers of theirs a slate has taken.

Rules of the file
1. A channel is silent when none of its renditions has had new media for a time. From then on the
   slate takes the numbers that media would have had: one each `period_ms` since the last was seen.
2. What was shown as slate stays slate (HLS-M8): media come back at the first number that nobody was
   shown, in all renditions alike (HLS-M16), so the origin's numbers keep their meaning.
3. An outage counts its own discontinuities; behind it ours stay ahead of the origin's by `rise`,
   whether it is in the window or not (HLS-M9).
4. Everything follows from what was seen last and the clock: who knows the outages makes the same
   bytes. Nodes that share them (ledger.py) agree, restarts too.

An MPD is read in milliseconds of its timeline in place of numbers. Players fetch by the clock what
it announces and keep it while it is valid, so media come back that much later, where a segment
begins (D2, D15).
Source: manifest-proxy MP-18, MP-62; HLS-M8..M10, M16; draft-pantos-hls-rfc8216bis-22 section 6.2.2.
"""

from fractions import Fraction
from math import ceil
from typing import NamedTuple

import msgspec

FAR = 1024  # segments that a source falls behind: it counts anew
MAX_OUTAGES = 8  # remembered of a channel; all but the last matter only while they are listed


class Told(NamedTuple):
    """What one playlist tells: the number of its first entry, whether each entry has media, and the
    discontinuity number of each. Media come back where a segment begins, of those that follow the
    newest at `begin` by `size` each, and `hold` numbers behind the slate's edge.
    """

    sequence: int
    has_media: tuple[bool, ...]
    breaks: tuple[int, ...]
    target_s: float
    period_ms: int
    begin: Fraction = Fraction(0)
    size: Fraction = Fraction(1)
    hold: int = 0

    @property
    def far(self) -> int:
        """FAR segments in numbers."""
        return FAR * max(1, int(self.size))

    def back_from(self, edge: int) -> int:
        """The number at which media come back when the slate has been shown up to `edge`."""
        later = ceil((edge + self.hold - self.begin) / self.size)
        return ceil(self.begin + later * self.size)

    @property
    def end(self) -> int:
        """The number behind the last entry."""
        return self.sequence + len(self.has_media)

    @property
    def newest(self) -> int:
        """The last number with media; -1 when there is none."""
        return self.media_from(self.sequence, last=True)

    def media_from(self, first: int, *, last: bool = False) -> int:
        """The first number with media from there on, or the last; -1 when there is none."""
        numbers = range(max(first, self.sequence), self.end)
        found = (n for n in numbers[:: -1 if last else 1] if self.has_media[n - self.sequence])
        return next(found, -1)

    def breaks_at(self, number: int) -> int:
        """Of the entry of that number, or of the one nearest to it."""
        at = min(max(number - self.sequence, 0), len(self.breaks) - 1)
        return self.breaks[at] if self.breaks else 0


class Outage(msgspec.Struct, frozen=True):
    """Slate from the number `first` on, up to `end` once media are back, which was at `back_ms`.
    `breaks`: our discontinuity number before it; a clip of `loop` segments begins anew with one
    more.
    """

    first: int
    since_ms: int  # since 1970, when media of that number would have begun
    period_ms: int
    breaks: int
    loop: int
    end: int | None = None
    rise: int | None = None
    back_ms: int | None = None  # since 1970

    def end_at(self, now_ms: int) -> int:
        """The number behind the last slate segment that has been shown by now."""
        if self.end is not None:
            return self.end
        return self.first + max(0, now_ms - self.since_ms) // self.period_ms

    def breaks_at(self, number: int) -> int:
        """Our discontinuity number of a slate segment."""
        return self.breaks + 1 + (number - self.first) // self.loop

    def opens(self, number: int) -> bool:
        """Whether the clip begins at that number."""
        return (number - self.first) % self.loop == 0

    def risen(self, told: Told) -> "Outage":
        """The same with its `rise`, once the media behind it are listed."""
        end = self.end
        if end is None or self.rise is not None or told.end <= end:
            return self
        rise = self.breaks_at(end - 1) + 1 - told.breaks_at(end)
        return msgspec.structs.replace(self, rise=rise)


class Shown(NamedTuple):
    """The outages of a channel as viewers meet them now; `end` is behind the last number that the
    silence has given to the slate, None while there is media.
    """

    outages: tuple[Outage, ...] = ()
    end: int | None = None

    @property
    def next_ms(self) -> int | None:
        """When the slate gets another number, since 1970; None while there is media."""
        if self.end is None:
            return None
        last = self.outages[-1]
        return last.since_ms + (self.end + 1 - last.first) * last.period_ms

    def outage_of(self, number: int) -> Outage | None:
        """The outage that took this number."""
        for one in self.outages:
            end = self.end if one.end is None else one.end
            if end is not None and one.first <= number < end:
                return one
        return None

    def rise_at(self, number: int) -> int:
        """How far our discontinuity numbers are ahead at media of that number."""
        gone = [one for one in self.outages if one.end is not None and one.end <= number]
        return (gone[-1].rise or 0) if gone else 0


class Channel(msgspec.Struct):
    """What is known of one channel: the newest media, when they were first seen, its outages."""

    newest: int = -1
    seen_ms: int = 0
    outages: tuple[Outage, ...] = ()

    @property
    def open(self) -> Outage | None:
        return self.outages[-1] if self.outages and self.outages[-1].end is None else None

    def look(self, told: Told, now_ms: int, patience: float, loop: int) -> Shown:
        """A version of one of its playlists, seen now. Silence of `patience` target durations is an
        outage, for a slate of `loop` segments.
        """
        newest = told.newest
        if 0 <= newest < self.newest - told.far:
            self.newest, self.outages = -1, ()
        heard = newest > self.newest
        if heard:
            self._heard(told, now_ms)
        self.outages = tuple(one.risen(told) for one in self.outages)
        if not heard and self._is_silent(told, now_ms, patience):
            self._open(told, loop)
        self.outages = self.outages[-MAX_OUTAGES:]
        silent = self.open
        return Shown(self.outages, max(silent.end_at(now_ms), told.end) if silent else None)

    def learn(self, other: "Channel") -> None:
        """What another node knows; of one outage the first account counts."""
        if other.newest > self.newest:
            self.newest, self.seen_ms = other.newest, other.seen_ms
        elif other.newest == self.newest:
            self.seen_ms = min(self.seen_ms, other.seen_ms)
        theirs = {one.first: one for one in other.outages}
        mine = {
            one.first: one
            for one in self.outages
            if one.end is not None or other.newest < one.first
        }
        for first, one in theirs.items():
            if first not in mine or mine[first].end is None or one.rise is not None:
                mine[first] = one
        self.outages = tuple(mine[first] for first in sorted(mine))[-MAX_OUTAGES:]

    def _heard(self, told: Told, now_ms: int) -> None:
        silent = self.open
        if silent is not None:
            back = told.media_from(self.newest + 1)
            end = told.back_from(max(back, silent.end_at(now_ms)))
            ended = msgspec.structs.replace(silent, end=end, back_ms=now_ms)
            self.outages = (*self.outages[:-1], *([ended] if end > ended.first else []))
        self.newest, self.seen_ms = told.newest, now_ms

    def _is_silent(self, told: Told, now_ms: int, patience: float) -> bool:
        known = self.newest >= 0 and self.open is None and told.period_ms > 0
        return known and now_ms - self.seen_ms >= 1000 * patience * told.target_s

    def _open(self, told: Told, loop: int) -> None:
        last = self.outages[-1] if self.outages else None
        if last is not None and last.end is not None and told.end <= last.end:
            # nothing came behind it
            again = msgspec.structs.replace(last, end=None, rise=None, back_ms=None)
            self.outages = (*self.outages[:-1], again)
            return
        first = max(self.newest + 1, told.end)  # gaps that were told stay gaps
        breaks = told.breaks_at(first - 1) + Shown(self.outages).rise_at(first - 1)
        since_ms = self.seen_ms + (first - self.newest - 1) * told.period_ms
        opened = Outage(first, since_ms, told.period_ms, breaks, loop)
        self.outages = (*self.outages, opened)
