"""Which key is in force in which segment of a channel: crypto periods (PR-33, PR-50..PR-54).

Theory of operation
1. A period is named by when it begins, in whole seconds since 1970, a multiple of the rotation; a
   key that is never changed has the period 0. It begins with the first segment of the grid at or
   after its time, for all tracks alike: a function of media time, so that origins agree (PR-50).
2. What is asked of a channel can change while it runs. Each change is kept as Terms from a number
   on that nobody has seen yet, so that older media keeps the keys that it was served under (PR-54).
3. A period whose key did not come in time keeps the key of the one before, to its end (PR-43). That
   is decided once, by whoever writes the channel, and kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from origin.protection.contract import Contract
from origin.protection.keys import SAMPLE_BITS, Scheme
from origin.systems import AudioPreset, VideoPreset

Mode = Literal["init", "inband"]
PLAIN = Contract(), Contract("SHARED", "SHARED")  # of which names of headers say nothing
COUNTED_S = 1 << 31  # times since 1970, of a key that never changes: until 2038


@dataclass(frozen=True, slots=True)
class Terms:
    """How segments are protected from `number` on; scheme "": not at all. `lead_s`: how long they
    stay clear at first (PR-33). `video`, `audio`: which tracks have a key of their own (PR-104).
    `beside`: the scheme of the presentation beside the first one (PR-170).
    """

    number: int
    scheme: Literal["", "cenc", "cbcs"] = ""
    content_id: str = ""
    rotation_s: int = 0
    mode: Mode = "init"
    shared: bool = False
    lead_s: int = 0
    video: VideoPreset = "V3"
    audio: AudioPreset = "A1"
    beside: Literal["", "cenc", "cbcs"] = ""

    @property
    def contract(self) -> Contract:
        return Contract("SHARED", "SHARED") if self.shared else Contract(self.video, self.audio)

    def like(self, other: "Terms") -> bool:
        """Whether both ask for the same."""
        return replace(self, number=0) == replace(other, number=0)


@dataclass(frozen=True, slots=True)
class Slot:
    """A run of segments under the same keys, from `first` on.

    `period` names the keys. `header` is the period that the header tells of: the same, but for keys
    that fragments tell themselves (PR-52). `clear`: the lead, whose header is the protected one.
    """

    first: int
    scheme: Scheme
    content_id: str
    period: int
    header: int
    contract: Contract
    inband: bool
    clear: bool = False
    lead: bool = False  # the header serves clear media too

    def under(self, scheme: Scheme) -> "Slot":
        """The same segments under another scheme: its keys are others."""
        return replace(self, scheme=scheme)

    @property
    def init(self) -> str:
        """The name of the header: a key change is a new URL (PR-160)."""
        presets = f"_{self.contract.video}{self.contract.audio}".lower()
        mark = "" if self.contract in PLAIN else presets
        return f"init-{self.scheme}{mark}-{self.header}.mp4"


def period_of(number: int, segment_s: Fraction, rotation_s: int) -> int:
    """The period of a segment: the last that begins no later than it."""
    return int(number * segment_s // rotation_s) * rotation_s if rotation_s else 0


def countable(timescale: int, rotation_s: int) -> bool:
    """Whether the IVs of cenc can name samples by their decode times (PR-16), also those of a key
    that stays for the period behind its own (PR-43).
    """
    return timescale * (2 * rotation_s or COUNTED_S) < 1 << SAMPLE_BITS


def first_of(period: int, segment_s: Fraction) -> int:
    """The first segment of a period."""
    return -int(-period // segment_s)


def terms_at(table: Sequence[Terms], number: int) -> Terms | None:
    return next((terms for terms in reversed(table) if terms.number <= number), None)


def slot_at(
    table: Sequence[Terms],
    stood: Mapping[int, int],
    segment_s: Fraction,
    number: int,
    oldest: int = -1,
) -> Slot | None:
    """What protects this segment; None for nothing. `stood`: periods that kept an older key;
    `oldest`: the channel's first segment, once there is one.
    """
    terms = terms_at(table, number)
    if terms is None or not terms.scheme:
        return None
    period = period_of(number, segment_s, terms.rotation_s)
    first = max(terms.number, first_of(period, segment_s)) if terms.rotation_s else terms.number
    period = stood.get(period, period)
    inband = terms.mode == "inband"
    header = period
    if inband:
        begin = number if oldest < 0 else max(terms.number, oldest)
        header = period_of(begin, segment_s, terms.rotation_s)
        header = stood.get(header, header)
    lead = _lead(terms, segment_s, number, oldest)
    clear = number < lead
    if not clear:
        first = max(first, lead)
    told = terms.scheme, terms.content_id, period, header, terms.contract
    return Slot(first, *told, inband, clear, terms.lead_s > 0)


def next_after(
    table: Sequence[Terms], segment_s: Fraction, number: int, oldest: int = -1
) -> int | None:
    """The first segment behind this one that other keys may protect; None where none is known."""
    terms = terms_at(table, number)
    later = min((t.number for t in table if t.number > number), default=None)
    if terms is None or not terms.scheme:
        return later
    found = [] if later is None else [later]
    if terms.rotation_s:
        period = period_of(number, segment_s, terms.rotation_s)
        found.append(first_of(period + terms.rotation_s, segment_s))
    lead = _lead(terms, segment_s, number, oldest)
    if number < lead:
        found.append(lead)
    return min(found, default=None)


def _lead(terms: Terms, segment_s: Fraction, number: int, oldest: int) -> int:
    """The first segment that is not clear by its terms' lead (PR-33)."""
    if not terms.lead_s:
        return terms.number
    begin = number if oldest < 0 else max(terms.number, oldest)
    return begin + -int(-terms.lead_s // segment_s)


def agreed(table: Sequence[Terms], wanted: Terms, fresh: int) -> list[Terms] | None:
    """The table with what is wanted now, from a number on that nobody has seen: `fresh`, 0 for a
    channel without media. None when nothing changes.
    """
    last = table[-1] if table else Terms(0)
    if last.like(wanted):
        return None
    begun = list(table) or ([Terms(0)] if fresh else [])
    kept = [terms for terms in begun if terms.number < fresh]
    return [*kept, replace(wanted, number=fresh)]
