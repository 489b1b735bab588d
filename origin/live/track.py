"""One live track: its chunks from the log, grouped into segments on the channel's grid.

A segment's number is its tfdt on the grid of segment durations, so every origin fed the same media
uses the same numbers, also after a restart (AB6, O18). Encoders may start a segment a little before
its boundary (decode order, audio packets): EARLY says how much still counts for the next number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from native.bmff.model import Track
from native.bmff.rebase import rebase
from origin.live.log import TrackLog
from origin.live.records import END, INDEPENDENT, RAW, Record
from origin.tracks import Rendition, Segment, frame_rate

EARLY = Fraction(1, 8)  # of a segment
EARLY_AUDIO_S = Fraction(1, 20)  # two packets of the longest codec
FULL_SLACK_S = Fraction(1, 1000)  # rounding of the last sample's duration
TOUCH_S = Fraction(1, 50)  # two segments closer than this follow each other


@dataclass(slots=True)
class Stored:
    """One segment in the log: its chunks in decode order as (volume, record)."""

    number: int
    start: int
    end: int
    size_bytes: int = 0
    whole: bool = False
    broken: bool = False
    parts: list[tuple[int, Record]] = field(default_factory=list)

    def segment(self, *, discontinuity: bool = False) -> Segment:
        length = self.end - self.start
        return Segment(
            self.number, self.start, length, self.size_bytes, discontinuity=discontinuity
        )


class LiveTrack:
    """Segments of one track by number."""

    def __init__(self, rendition: Rendition, track: Track, header: bytes, log: TrackLog) -> None:
        self.rendition = rendition
        self.track = track
        self.header = header
        self.log = log
        self.segments: dict[int, Stored] = {}
        self.open: Stored | None = None
        self.newest: Stored | None = None
        self.headed = False
        self.waiting: list[tuple[int, Record]] = []

    @property
    def timescale(self) -> int:
        return self.rendition.timescale

    def number_of(self, decode_time: int, duration_s: Fraction) -> int:
        early_s = EARLY * duration_s
        if self.rendition.kind == "audio":
            early_s = min(early_s, EARLY_AUDIO_S)
        return int((Fraction(decode_time, self.timescale) + early_s) / duration_s)

    def boundary(self, number: int, duration_s: Fraction) -> int:
        """Where the segment of this number should start, in ticks."""
        return round(number * duration_s * self.timescale)

    def recover(self, duration_s: Fraction | None) -> None:
        """Read the log back; without a grid everything waits for one."""
        for volume, record in self.log.recover():
            self.place(volume, record, duration_s)

    def place(self, volume: int, record: Record, duration_s: Fraction | None) -> Stored | None:
        """Take a record of the log into the index; returns the segment it belongs to, if any."""
        if duration_s is None or record.flags & RAW:
            self.waiting.append((volume, record))
            return None
        if record.flags & END:
            number = self.number_of(record.decode_time, duration_s)
            if (found := self.segments.get(number)) is not None:
                found.whole = not found.broken
            return found
        return self._extend(volume, record, duration_s)

    def settle(self, duration_s: Fraction, shift_s: Fraction) -> list[Stored]:
        """The grid is known: place what waited for it; returns segments that became whole.

        Raw media is stored again where the shift puts it, unless that was done before a restart.
        """
        waiting = sorted(self.waiting, key=lambda entry: entry[1].decode_time)
        self.waiting = []
        done = []
        for volume, record in waiting:
            if record.flags & RAW:
                moved = self._rebased(volume, record, duration_s, shift_s) if shift_s else None
                if moved is None:
                    continue
                volume, record = moved
            if not record.flags & END:
                done += self.close_before(record, duration_s)
            self.place(volume, record, duration_s)
            done += self.close_full(duration_s)
        return done

    def wants(self, decode_time: int, independent: bool, duration_s: Fraction | None) -> bool:
        """False for media that is here already (I6), and until a stream that joins in the middle
        of a segment reaches its first independent chunk (C3).
        """
        if duration_s is None:
            known = {record.decode_time for _, record in self.waiting}
            return decode_time not in known if known else independent
        number, fresh = self._seat(decode_time, independent, duration_s)
        if fresh:
            return independent
        stored = self.segments[number]
        return decode_time >= stored.end and not stored.whole

    def close_before(self, record: Record, duration_s: Fraction) -> list[Stored]:
        """The open segment is whole when the next one starts exactly at its end."""
        number, fresh = self._seat(record.decode_time, bool(record.flags & INDEPENDENT), duration_s)
        if self.open is None or not fresh or number < self.open.number:
            return []
        touches = abs(record.decode_time - self.open.end) <= TOUCH_S * self.timescale
        return self.close(force=touches, duration_s=duration_s)

    def close_full(self, duration_s: Fraction) -> list[Stored]:
        """The open segment is whole as soon as nothing more can belong to it: audio once the next
        packet counts for the next number, other media at the length of the grid.
        """
        stored = self.open
        if stored is None:
            return []
        if self.rendition.kind == "audio":
            return self.close(force=False, duration_s=duration_s)
        length_s = Fraction(stored.end - stored.start, self.timescale)
        full = length_s >= duration_s - FULL_SLACK_S
        return self.close(force=True, duration_s=duration_s) if full else []

    def close(self, *, force: bool, duration_s: Fraction) -> list[Stored]:
        """Seal the open segment if it is forced or reaches its boundary."""
        stored = self.open
        if stored is None or stored.whole or stored.broken:
            return []
        reach = self.number_of(stored.end, duration_s) > stored.number
        if not (force or reach):
            return []
        stored.whole = True
        self.log.seal(stored.start)
        self.open = None
        return [stored]

    def measure(self, samples: int, ticks: int) -> None:
        """Set the frame rate from a stretch of media."""
        rate = frame_rate(samples, ticks, self.timescale)
        self.rendition = replace(self.rendition, frame_rate=rate)

    def read(self, stored: Stored) -> bytes:
        return b"".join(self.log.read(volume, record) for volume, record in stored.parts)

    def whole(self, number: int) -> Stored | None:
        stored = self.segments.get(number)
        return stored if stored is not None and stored.whole else None

    def expire(self, before_s: Fraction) -> list[int]:
        """Drop volumes older than this media time; returns the numbers that left."""
        gone = set(self.log.expire(int(before_s * self.timescale)))
        if not gone:
            return []
        numbers = [n for n, s in self.segments.items() if any(v in gone for v, _ in s.parts)]
        for number in numbers:
            del self.segments[number]
        return numbers

    def _seat(self, decode_time: int, independent: bool, duration_s: Fraction) -> tuple[int, bool]:
        """(number, whether it starts a new segment) for a chunk at this time."""
        number = self.number_of(decode_time, duration_s)
        for candidate in (number, number - 1):
            stored = self.segments.get(candidate)
            if stored is None:
                continue
            inside = stored.start <= decode_time < stored.end
            if inside or candidate == number or (decode_time == stored.end and not independent):
                return candidate, False
        return number, True

    def _extend(self, volume: int, record: Record, duration_s: Fraction) -> Stored:
        independent = bool(record.flags & INDEPENDENT)
        number, fresh = self._seat(record.decode_time, independent, duration_s)
        if fresh:
            stored = Stored(number, record.decode_time, record.decode_time)
            self.segments[number] = stored
        else:
            stored = self.segments[number]
        if record.decode_time != stored.end:
            stored.broken = True
        stored.end = max(stored.end, record.end)
        stored.size_bytes += record.size
        stored.parts.append((volume, record))
        self.open = stored
        if self.newest is None or number >= self.newest.number:
            self.newest = stored
        return stored

    def _rebased(
        self, volume: int, record: Record, duration_s: Fraction, shift_s: Fraction
    ) -> tuple[int, Record] | None:
        ticks = round(shift_s * self.timescale)
        independent = bool(record.flags & INDEPENDENT)
        if not self.wants(record.decode_time + ticks, independent, duration_s):
            return None
        return self.log.append(
            rebase(self.log.read(volume, record), ticks, self.timescale),
            decode_time=record.decode_time + ticks,
            duration=record.duration,
            earliest=record.earliest + ticks,
            flags=record.flags & ~RAW,
        )

    def __iter__(self) -> Iterator[Stored]:
        return iter(self.segments.values())
