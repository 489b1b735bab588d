"""An event as the channel knows it, whichever box brought it (TM1, TM2)."""

from dataclasses import dataclass
from fractions import Fraction

from native.bmff.model import Emsg
from origin.events.errors import BadEvent

SPLICE = frozenset(["urn:scte:scte35:2013:bin", "urn:scte:scte35:2014:bin"])
ID3 = "https://aomedia.org/emsg/ID3"
UNKNOWN = 0xFFFFFFFF  # event_duration
DATA_BYTES = 65536
NAME_BYTES = 512

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Message:
    """One event; seconds count from 1970. `source` is the media track that carries it in band,
    empty for an event track's.
    """

    scheme: str
    value: str
    id: int
    start_s: Fraction
    duration_s: Fraction | None
    data: bytes
    source: str = ""

    @property
    def key(self) -> Key:
        """What tells a repeat (TM3)."""
        return (self.scheme, self.value, self.id)

    @property
    def is_splice(self) -> bool:
        return self.scheme in SPLICE

    def same(self, other: "Message") -> bool:
        """Whether a repeat says nothing new."""
        mine = (self.key, self.start_s, self.duration_s, self.data)
        return mine == (other.key, other.start_s, other.duration_s, other.data)


def message(event: Emsg, source: str = "") -> Message:
    """The event of a version 1 box; BadEvent for one that no manifest could carry."""
    if event.timescale == 0:
        raise BadEvent("an event with timescale 0", code="bad_event_time")
    if len(event.data) > DATA_BYTES or len(event.scheme) + len(event.value) > NAME_BYTES:
        raise BadEvent("an event with too much data", code="big_event")
    if not event.scheme.isprintable() or not event.value.isprintable() or not event.scheme:
        raise BadEvent("an event without a readable scheme", code="bad_event_scheme")
    duration = None if event.duration == UNKNOWN else Fraction(event.duration, event.timescale)
    start_s = Fraction(event.time, event.timescale)
    return Message(event.scheme, event.value, event.id, start_s, duration, event.data, source)
