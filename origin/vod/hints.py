"""Where an object says that its fragments are, so that their headers are fetched side by side and
not one after the other (ISO/IEC 14496-12, 8.8.9..8.8.11 and 8.16.3; TR-26, TR-48).

What is told may be stale: it is read ahead, and every header is looked at where it really is.
"""

import struct
from array import array

from native.bmff import BoxError, walk
from origin.vod.reading import Reader

HEAD_BYTES = 16_384  # of a fragment, read ahead: its moof, as a rule
BATCH = 32  # fragments on their way at a time
LONGEST_BYTES = 8 << 20  # of an mfra box
MFRO_BYTES = 16


class Hints:
    """The places that are told of, read ahead as a scan goes on."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._size = reader.identity.size
        self._places = sorted(set(random_access(reader)))
        self._sent = 0

    def reach(self, at: int) -> None:
        """The scan is at this byte."""
        places, sent = self._places, self._sent
        if sent < len(places) and at >= places[max(sent - BATCH // 2, 0)]:
            batch = [place for place in places[sent : sent + BATCH] if at <= place < self._size]
            self._sent += BATCH
            lengths = [min(HEAD_BYTES, self._size - place) for place in batch]
            self._reader.ahead(array("q", batch), array("q", lengths))

    def indexed(self, box: bytes, end: int) -> None:
        """A sidx box is met, which ends at byte `end`; it counts where nothing else was told."""
        if not self._places:
            self._places = subsegments(box, end)


def random_access(reader: Reader) -> list[int]:
    """The moofs of mfra at the end of the file (8.8.10); none where there is no such box."""
    size = reader.identity.size
    tail = reader.read(max(0, size - MFRO_BYTES), MFRO_BYTES)
    if len(tail) < MFRO_BYTES or tail[4:8] != b"mfro":
        return []
    length = int.from_bytes(tail[12:], "big")
    if not MFRO_BYTES < length <= min(size, LONGEST_BYTES):
        return []
    data, found = reader.read(size - length, length), list[int]()
    try:
        (mfra,) = walk(data)
        for box in walk(data, mfra.body, mfra.end):
            if box.kind == "tfra":
                found += _tfra(data[box.body : box.end])
    except (BoxError, ValueError, struct.error):
        return []
    return found


def _tfra(body: bytes) -> list[int]:
    widths, count = struct.unpack_from(">II", body, 8)
    place = ">QQ" if body[0] else ">II"
    row = struct.calcsize(place) + sum((widths >> shift & 3) + 1 for shift in (4, 2, 0))
    count = min(count, (len(body) - 16) // row)
    return [struct.unpack_from(place, body, 16 + row * n)[1] for n in range(count)]


def subsegments(box: bytes, end: int) -> list[int]:
    """Where the references of a sidx begin (8.16.3); `end` is the byte behind the box."""
    try:
        wide = box[8] == 1
        (first,) = struct.unpack_from(">Q" if wide else ">I", box, 28 if wide else 24)
        at, head = end + first, 36 if wide else 28
        (count,) = struct.unpack_from(">H", box, head + 2)
        found = []
        for n in range(count):
            (size,) = struct.unpack_from(">I", box, head + 4 + 12 * n)
            found.append(at)
            at += size & 0x7FFFFFFF
    except (struct.error, IndexError):
        return []
    return found
