"""Where media that does not count from 1970 goes on the epoch timeline.

Theory of operation
1. A source whose media time is near the wall clock is epoch-locked (AB1): its shift is zero, so two
   origins fed alike agree without talking (AB6). Everything below is for the others.
2. Their decode times are moved at ingest by the shift of their encoder session: a whole number of
   segments, the same for all tracks, so that their distance never changes. The first media of a
   session lands at the wall clock, and behind everything that the channel already holds.
3. A request continues its track's session when its media may follow what is there: not further back
   than a source may resend (I13), not ahead of the clock, and, after a long silence, only forward.
   A header sent again with media of the session's first segment is an encoder that started anew.
4. Otherwise it belongs to the newest session, if another track has begun one and the media fits
   there, or begins a session itself.

Times are seconds: `raw` ones are the source's own, all others count from 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

RESEND = 4  # segments: I13's three and the one that was cut
RESEND_S = Fraction(10)  # at least, whatever the segment duration
FUTURE_S = 60  # media this far ahead of the wall clock is a broken clock, not a live edge
ROUNDING_S = Fraction(1, 50)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The first media of a request. `headed`: the track's header was sent again before it."""

    track: str
    raw_start_s: Fraction
    raw_end_s: Fraction
    headed: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What the channel holds as the media arrives; `heads` are the tracks' newest ends."""

    now_s: Fraction
    segment_s: Fraction
    last_number: int  # the highest that is published or has media
    edge_s: Fraction  # end of the newest published segment
    heads: Mapping[str, Fraction]


@dataclass(slots=True)
class Anchor:
    """The sessions of one channel, kept with it: shifts as exact fractions in text."""

    shift_s: str = ""  # of the newest session
    start_s: str = ""  # where that session begins
    tracks: dict[str, str] = field(default_factory=dict)  # the shift of each track's session
    sessions: int = 0

    def shift(self, track: str) -> Fraction:
        """The shift of this track's session, zero for an epoch-locked one."""
        return Fraction(self.tracks.get(track, "0"))

    def continued(self, arrival: Arrival, held: Held) -> Fraction | None:
        """The shift of the session that this media belongs to; None begins a new one."""
        mine, newest = self.shift(arrival.track), Fraction(self.shift_s or 0)
        if mine and self._follows(arrival, held, mine):
            return mine
        if newest and newest != mine and self._joins(arrival, held, newest):
            return newest
        return None

    def begin(self, start_s: Fraction, shift_s: Fraction) -> None:
        """A session begins; its tracks `join` it."""
        self.shift_s, self.start_s = str(shift_s), str(start_s)
        self.sessions += 1

    def join(self, track: str, shift_s: Fraction) -> bool:
        """Put a track into a session; False when it was there already."""
        if self.shift(track) == shift_s:
            return False
        self.tracks[track] = str(shift_s)
        return True

    def _follows(self, arrival: Arrival, held: Held, shift_s: Fraction) -> bool:
        start_s = arrival.raw_start_s + shift_s
        head_s = held.heads.get(arrival.track)
        if head_s is None or arrival.raw_end_s + shift_s > held.now_s + FUTURE_S:
            return False
        if arrival.headed and start_s < min(head_s, Fraction(self.start_s) + held.segment_s):
            return False
        if held.now_s - head_s > resend_s(held.segment_s):
            return start_s >= max(head_s, held.edge_s) - ROUNDING_S
        return start_s >= head_s - resend_s(held.segment_s)

    def _joins(self, arrival: Arrival, held: Held, shift_s: Fraction) -> bool:
        heads = [held.heads[t] for t in self.tracks if t in held.heads and self.shift(t) == shift_s]
        head_s = max(heads, default=Fraction(self.start_s))
        least_s = min(held.now_s, head_s) - resend_s(held.segment_s)
        start_s, end_s = arrival.raw_start_s + shift_s, arrival.raw_end_s + shift_s
        return start_s >= least_s and end_s <= held.now_s + FUTURE_S


def epoch_locked(raw_s: Fraction, now_s: float, slack_s: int) -> bool:
    """Whether a media time can be taken for the wall clock."""
    return abs(raw_s - Fraction(now_s)) <= slack_s


def landing(raw_number: int, raw_start_s: Fraction, raw_end_s: Fraction, held: Held) -> Fraction:
    """The shift of a new session whose media reaches from `raw_start_s` to `raw_end_s` so far and
    begins with this number on the source's own grid.

    It lands behind the newest media of every track, not only behind its number: an audio segment
    may reach over its boundary, and what it covers would be taken for a repeat.
    """
    number_s = min(raw_start_s, raw_number * held.segment_s)
    head_s = max(held.heads.values(), default=Fraction(0))
    steps = max(
        (held.now_s - raw_end_s) // held.segment_s,
        -((number_s - head_s) // held.segment_s),
        held.last_number + 1 - raw_number,
    )
    return steps * held.segment_s


def resend_s(segment_s: Fraction) -> Fraction:
    """How far back a source may repeat itself (I13)."""
    return max(RESEND * segment_s, RESEND_S)
