"""Which date ranges stand in a playlist, and which a delta update leaves out.

Rules HLS-12, HLS-21, HLS-40 and HLS-42 of specs/hls.md. All times are media times in seconds from
1970, so that every playlist of a channel and every origin lists the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class DateRange:
    """One EXT-X-DATERANGE, formatted.

    `end_s` is None while the end is unknown. `since_s` is the end of the newest published segment
    when `lines` became what they are: of the last line, where a range was closed by a second one
    with the same ID.
    """

    id: str
    start_s: Fraction
    end_s: Fraction | None
    since_s: Fraction
    lines: tuple[str, ...]

    def reaches(self, time_s: Fraction) -> bool:
        """Whether it overlaps what is listed from this time on; one without length counts."""
        return self.end_s is None or max(self.end_s, self.start_s) >= time_s


@dataclass(frozen=True, slots=True)
class Selection:
    """The lines to list, and in a version 2 delta the IDs that left (tab separated in the tag)."""

    lines: tuple[str, ...]
    removed: tuple[str, ...] = ()


def listed(ranges: Sequence[DateRange], first_s: Fraction) -> Selection:
    """What a playlist shows whose first segment starts at `first_s` (HLS-12)."""
    return Selection(tuple(x for r in ranges if r.reaches(first_s) for x in r.lines))


def recent(
    ranges: Sequence[DateRange], first_s: Fraction, before_s: Fraction, since_s: Fraction
) -> Selection:
    """What a version 2 delta shows: ranges that changed after `since_s`, and the IDs of those that
    a playlist of that time, whose first segment started at `before_s`, may still have had.
    """
    kept = [r for r in ranges if r.reaches(first_s)]
    gone = [r.id for r in ranges if r.reaches(before_s) and not r.reaches(first_s)]
    return Selection(
        tuple(x for r in kept if r.since_s > since_s for x in r.lines),
        tuple(dict.fromkeys(gone)),
    )
