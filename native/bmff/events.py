"""Event messages: the boxes of event tracks and of media chunks, read from bytes.

emsg: ISO/IEC 23009-1:2022, 5.10.3.3. emib, emeb and evte: ISO/IEC 23001-18:2022, 6 and 7. A sample
of an event track is a row of such boxes.
"""

import struct

from native.bmff.boxes import walk
from native.bmff.errors import BoxError
from native.bmff.model import Box, Emsg
from native.bmff.write import box, full

MAX_EVENTS = 256  # of one sample
_FILLERS = frozenset(["emeb", "embe", "free", "skip"])  # embe: older writers of the empty box


def read_events(sample: bytes, time: int, timescale: int) -> list[Emsg]:
    """The messages of one sample that is presented at `time` (ticks of the track), as version 1.

    Deltas count from the sample: those of emsg version 0 in the message's timescale, those of emib
    in the track's. BoxError: `bad_box`, `truncated`, `bad_table`.
    """
    found: list[Emsg] = []
    for event in walk(sample):
        if event.kind in _FILLERS:
            continue
        if event.kind not in ("emsg", "emib"):
            raise BoxError("bad_box", event.start, f"{event.kind!r} in an event sample")
        if len(found) == MAX_EVENTS:
            raise BoxError("bad_table", event.start, f"more than {MAX_EVENTS} events in a sample")
        read = _emsg if event.kind == "emsg" else _emib
        found.append(read(sample, event, time, timescale))
    return found


def _emsg(data: bytes, event: Box, time: int, timescale: int) -> Emsg:
    version, body = _opened(data, event, 1)
    if version == 1:
        scale, at, duration, number = _fields(">IQII", body, event)
        scheme, value, message = _names(body[20:], event)
    else:
        scheme, value, rest = _names(body, event)
        scale, delta, duration, number = _fields(">IIII", rest, event)
        at, message = time * scale // timescale + delta, rest[16:]
    return Emsg(1, scheme, value, scale, at, duration, number, message)


def _emib(data: bytes, event: Box, time: int, timescale: int) -> Emsg:
    _, body = _opened(data, event, 0)
    _, delta, duration, number = _fields(">IqII", body, event)
    scheme, value, message = _names(body[20:], event)
    if time + delta < 0:
        raise BoxError("bad_box", event.start, "an event before time began")
    return Emsg(1, scheme, value, timescale, time + delta, duration, number, message)


def _opened(data: bytes, event: Box, newest: int) -> tuple[int, bytes]:
    body = data[event.body : event.end]
    if len(body) < 4 or body[0] > newest:
        raise BoxError("bad_box", event.start, f"{event.kind} of an unknown version")
    return body[0], body[4:]


def _fields(layout: str, body: bytes, event: Box) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, body)
    except struct.error:
        raise BoxError("bad_box", event.start, f"{event.kind} is cut short") from None


def _names(body: bytes, event: Box) -> tuple[str, str, bytes]:
    """Two strings that end in a zero byte, and what follows them."""
    parts = body.split(b"\0", 2)
    if len(parts) != 3:
        raise BoxError("bad_box", event.start, f"{event.kind} has strings without an end")
    return parts[0].decode("utf-8", "replace"), parts[1].decode("utf-8", "replace"), parts[2]


def emib(event: Emsg, time: int) -> bytes:
    """The instance box of an event in a sample that is presented at `time`."""
    numbers = struct.pack(">IqII", 0, event.time - time, event.duration, event.id)
    return full("emib", 0, 0, numbers, f"{event.scheme}\0{event.value}\0".encode(), event.data)


EMPTY = box("emeb")
