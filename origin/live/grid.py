"""The grid of one track: which segment a decode time belongs to, in whole ticks.

A segment's number is its tfdt on the grid of segment durations, so every origin fed the same media
uses the same numbers, also after a restart (AB6, O18). Encoders may start a segment a little before
its boundary (decode order, audio packets): EARLY says how much still counts for the next number.
"""

from fractions import Fraction

EARLY = Fraction(1, 8)  # of a segment
EARLY_AUDIO_S = Fraction(1, 20)  # two packets of the longest codec
FULL_SLACK_S = Fraction(1, 1000)  # rounding of the last sample's duration
TOUCH_S = Fraction(1, 50)  # two segments closer than this follow each other


class Grid:
    """Segments of `segment_s` seconds in ticks of `timescale`; integers only, once made."""

    __slots__ = ("_add", "_audio", "_full", "_over", "_times", "_touch", "segment_s", "timescale")

    def __init__(self, segment_s: Fraction, timescale: int, *, audio: bool) -> None:
        early_s = min(EARLY * segment_s, EARLY_AUDIO_S) if audio else EARLY * segment_s
        self.segment_s = segment_s
        self.timescale = timescale
        self._audio = audio
        # number = (t / timescale + early) / segment, over one common denominator
        self._times = early_s.denominator * segment_s.denominator
        self._add = early_s.numerator * timescale * segment_s.denominator
        self._over = timescale * early_s.denominator * segment_s.numerator
        self._full = (segment_s - FULL_SLACK_S) * timescale
        self._touch = int(TOUCH_S * timescale)

    def number(self, decode_time: int) -> int:
        """The segment that starts at, or holds, this time."""
        return (decode_time * self._times + self._add) // self._over

    def boundary(self, number: int) -> int:
        """Where the segment of this number should start."""
        return round(number * self.segment_s * self.timescale)

    def off_s(self, decode_time: int) -> float:
        """How far a segment that starts there is from its boundary (AB1)."""
        return (decode_time - self.boundary(self.number(decode_time))) / self.timescale

    def touches(self, end: int, start: int) -> bool:
        """Whether media that starts there follows media that ends here."""
        return abs(start - end) <= self._touch

    def reaches(self, number: int, end: int) -> bool:
        """Whether what comes next after `end` counts for a later number."""
        return self.number(end) > number

    def full(self, number: int, start: int, end: int) -> bool:
        """Whether nothing more can belong to the segment: audio once the next packet counts for
        the next number, other media at the length of the grid.
        """
        return self.reaches(number, end) if self._audio else end - start >= self._full
