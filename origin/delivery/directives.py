"""HLS delivery directives, as pure functions (draft-pantos-hls-rfc8216bis-22, 6.2.5).

Rules HLS-21 to HLS-30 of specs/hls.md, in the order that they are given there.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Skip = Literal["", "YES", "v2"]
Verdict = Literal["now", "wait"]

INTEGER = re.compile(r"[0-9]+")
DIGITS = 18  # more cannot name anything that will ever be
SEGMENTS_AHEAD = 2  # HLS-27
SKIPS: dict[str, Skip] = {"YES": "YES", "v2": "v2"}  # HLS-22: any other value is ignored


class BadDirectives(Exception):
    """Answered 400; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Directives:
    """What a playlist request asks for."""

    msn: int | None = None
    part: int | None = None
    skip: Skip = ""

    @property
    def blocking(self) -> bool:
        return self.msn is not None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a playlist ends: its last finished segment, how many parts that one has, and how many
    of the segment after it are listed. `part_s` is None where there are no parts.
    """

    msn: int
    parts: int = 0
    next_parts: int = 0
    part_s: Fraction | None = None

    def holds(self, msn: int, part: int | None) -> bool:
        """Whether the playlist is what the directives wait for (HLS-24)."""
        if part is None or self.part_s is None:
            return msn <= self.msn
        if msn == self.msn and part >= self.parts:
            msn, part = msn + 1, 0
        return msn <= self.msn or (msn == self.msn + 1 and part < self.next_parts)


def parse(query: str) -> Directives:
    """The directives of a raw query; unknown ones are ignored (HLS-30). BadDirectives."""
    found = dict(pair.partition("=")[::2] for pair in query.split("&"))
    msn, part = found.get("_HLS_msn"), found.get("_HLS_part")
    skip = SKIPS.get(found.get("_HLS_skip", ""), "")
    if part is not None and msn is None:
        raise BadDirectives("part_without_msn")  # HLS-28
    return Directives(_integer(msn), _integer(part), skip)


def judge(asked: Directives, at: Position) -> Verdict:
    """What to do with a request for a playlist that has not ended. BadDirectives (HLS-27)."""
    msn, part = asked.msn, asked.part
    if msn is None:
        return "now"
    if msn > at.msn + SEGMENTS_AHEAD:
        raise BadDirectives("msn_too_far")
    if at.holds(msn, part):
        return "now"
    if part is not None and at.part_s is not None:
        last = at.parts - 1 if msn == at.msn else at.next_parts - 1 if msn == at.msn + 1 else -1
        if part - last > advance_limit(at.part_s):
            raise BadDirectives("part_too_far")
    return "wait"


def advance_limit(part_s: Fraction) -> Fraction:
    """The Advance Part Limit: how many parts ahead a request may be."""
    return 3 / part_s if part_s < 1 else Fraction(3)


def _integer(text: str | None) -> int | None:
    if text is None:
        return None
    if INTEGER.fullmatch(text) is None:
        raise BadDirectives("not_a_number")
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= DIGITS else 10**DIGITS
