"""Events of sessions as the control API tells them: `playback.heartbeat`, `qoe.metric` (RT-1).

CloudEvents 1.0 objects whose subject is the session. Their data has the names of the API's
heartbeat (CTL-106) and, of a metric, what players measure beside it. An event becomes what the
player would have said of itself in CMCD, and goes the same way from there.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from .cmcd.record import Data

MAX_EVENT_BYTES = 20_000
TYPES = frozenset({"playback.heartbeat", "qoe.metric"})
STATES = {"playing": "p", "paused": "a", "buffering": "r", "ended": "e", "failed": "f"}

Kbps = Annotated[int, Meta(ge=0, le=10_000_000)]
Milliseconds = Annotated[int, Meta(ge=0, le=86_400_000)]


class EventError(Exception):
    """Why an event is none of ours, as a stable code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Told(Struct):
    """Data of either type; members that we do not know are a newer sender's."""

    state: Literal["playing", "paused", "buffering", "ended", "failed"] | None = None
    cdn: Annotated[str, Meta(max_length=64)] = ""
    bitrate_kbps: Kbps | None = None
    top_kbps: Kbps | None = None
    throughput_kbps: Kbps | None = None
    buffer_ms: Milliseconds | None = None
    start_ms: Milliseconds | None = None
    stalled_ms: Milliseconds | None = None


class Event(Struct):
    """One event; `time` is when it happened."""

    type: str
    subject: str
    time: datetime
    data: Told

    @property
    def session_id(self) -> str:
        return self.subject

    @property
    def at_ms(self) -> int:
        """A time without a zone is of UTC."""
        at = self.time if self.time.tzinfo else self.time.replace(tzinfo=UTC)
        return int(at.timestamp() * 1000)

    def told(self, at_ms: int) -> Data:
        """The same in CMCD. `h` has the CDN's own name, where players would have its host."""
        data, told = self.data, Data({"e": "t", "ts": at_ms})
        if data.state is not None:
            told["sta"] = STATES[data.state]
        if data.cdn:
            told["h"] = data.cdn
        if data.start_ms is not None:
            told["msd"] = data.start_ms
        for name, value in (
            ("br", data.bitrate_kbps),
            ("tb", data.top_kbps),
            ("mtp", data.throughput_kbps),
            ("bl", data.buffer_ms),
            ("bsd", data.stalled_ms),
        ):
            if value is not None:
                told[name] = [value]
        return told


def read(raw: bytes) -> Event:
    """An event from its JSON; EventError for what is not one, or of another type."""
    if len(raw) > MAX_EVENT_BYTES:
        raise EventError("too_long")
    try:
        event = _EVENT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise EventError("malformed") from None
    if event.type not in TYPES:
        raise EventError("other_type")
    return event


_EVENT = msgspec.json.Decoder(Event)
