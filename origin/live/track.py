"""One live track: its chunks from the log, grouped into segments on the channel's grid."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from native.bmff.model import Track
from native.bmff.rebase import rebase
from origin.live.grid import Grid
from origin.live.log import TrackLog
from origin.live.records import END, INDEPENDENT, RAW, VOID, Record
from origin.live.shelf import Shelf, Stored
from origin.tracks import Rendition, frame_rate

__all__ = ["LiveTrack", "Stored"]


class LiveTrack:
    """Segments of one track by number."""

    def __init__(self, rendition: Rendition, track: Track, header: bytes, log: TrackLog) -> None:
        self.rendition = rendition
        self.track = track
        self.header = header
        self.log = log
        self.segments = Shelf(log.rows)
        self.newest: Stored | None = None
        self.headed = False
        self.published = -1  # the channel's edge
        self.away: Callable[[int], bool] = lambda _: False  # LiveChannel.away
        self.waiting: list[tuple[int, Record]] = []
        self._grid: Grid | None = None

    @property
    def timescale(self) -> int:
        return self.rendition.timescale

    def grid(self, duration_s: Fraction) -> Grid:
        """The channel's grid in this track's ticks."""
        if self._grid is None or self._grid.segment_s is not duration_s:
            audio = self.rendition.kind == "audio"
            self._grid = Grid(duration_s, self.timescale, audio=audio)
        return self._grid

    def number_of(self, decode_time: int, duration_s: Fraction) -> int:
        return self.grid(duration_s).number(decode_time)

    def boundary(self, number: int, duration_s: Fraction) -> int:
        """Where the segment of this number should start, in ticks."""
        return self.grid(duration_s).boundary(number)

    def recover(self, duration_s: Fraction | None) -> None:
        """Read the log back; without a grid everything waits for one."""
        for volume, record in self.log.recover():
            self.place(volume, record, duration_s)

    def place(self, volume: int, record: Record, duration_s: Fraction | None) -> Stored | None:
        """Take a record of the log into the index; returns the segment it belongs to, if any."""
        if duration_s is None or record.flags & RAW:
            self.waiting.append((volume, record))
            return None
        if record.flags & (END | VOID):
            number = self.number_of(record.decode_time, duration_s)
            found = self.segments.get(number)
            if found is not None and record.flags & VOID:
                self._forget(number)
            elif found is not None:
                found.whole = not found.broken
            return found
        return self._extend(volume, record, duration_s)

    def settle(self, duration_s: Fraction, shift_s: Fraction) -> None:
        """The grid is known: place what waited for it.

        Raw media is stored again where the shift puts it, unless that was done before a restart.
        """
        waiting = sorted(self.waiting, key=lambda entry: entry[1].decode_time)
        self.waiting = []
        for volume, record in waiting:
            if record.flags & RAW:
                moved = self._rebased(volume, record, duration_s, shift_s) if shift_s else None
                if moved is None:
                    continue
                volume, record = moved
            media = not record.flags & (END | VOID)
            if media:
                independent = bool(record.flags & INDEPENDENT)
                self.close_before(record.decode_time, independent, duration_s)
            stored = self.place(volume, record, duration_s)
            if media and stored is not None:
                self.close_full(stored, duration_s)

    def wants(self, decode_time: int, independent: bool, duration_s: Fraction | None) -> bool:
        """False for media that is here already (I6), and until a stream that joins in the middle
        of a segment reaches its first independent chunk (C3).
        """
        if duration_s is None:
            known = {record.decode_time for _, record in self.waiting}
            return decode_time not in known if known else independent
        number, fresh = self.seat(decode_time, independent, duration_s)
        if fresh:
            return independent
        stored = self.segments[number]
        return decode_time >= stored.end and not stored.whole

    def close_before(self, decode_time: int, independent: bool, duration_s: Fraction) -> None:
        """The segment before a new one is whole when the new one starts exactly at its end."""
        number, fresh = self.seat(decode_time, independent, duration_s)
        if not fresh:
            return
        before = self.segments.get(number - 1) or self.segments.get(number - 2)
        if before is not None and self.grid(duration_s).touches(before.end, decode_time):
            self.close(before)

    def close_full(self, stored: Stored, duration_s: Fraction) -> None:
        """The segment is whole as soon as nothing more can belong to it."""
        if self.grid(duration_s).full(stored.number, stored.start, stored.end):
            self.close(stored)

    def close(self, stored: Stored) -> None:
        """Seal a segment, unless media is missing inside, or it is a gap to everybody (I8)."""
        shut = stored.number <= self.published or self.away(stored.number)
        if not (stored.whole or stored.broken or shut):
            self.log.seal(stored.start)
            stored.whole = True

    def void(self, stored: Stored) -> None:
        """Take back a segment that nobody was shown, for another source's to take its place."""
        self.log.append(b"", decode_time=stored.start, duration=0, earliest=0, flags=VOID)
        self._forget(stored.number)

    def measure(self, samples: int, ticks: int) -> None:
        """Set the frame rate from a stretch of media."""
        rate = frame_rate(samples, ticks, self.timescale)
        self.rendition = replace(self.rendition, frame_rate=rate)

    def read(self, stored: Stored) -> bytes:
        return b"".join(self.pieces(stored))

    def pieces(self, stored: Stored, first: int = 0, end: int | None = None) -> list[bytes]:
        """The octets of a segment, or of some of its chunks, chunk by chunk."""
        return [self.log.read(volume, record) for volume, record in stored.parts[first:end]]

    def settle_fresh(self, edge: int) -> None:
        """This number is published: chunks before it need not be at hand any more."""
        if (stored := self.segments.get(edge)) is not None:
            self.log.fresh.drop(stored.start)
        elif self._grid is not None:
            self.log.fresh.drop(self._grid.boundary(edge))

    def whole(self, number: int) -> Stored | None:
        stored = self.segments.get(number)
        return stored if stored is not None and stored.whole else None

    def expire(self, before_s: Fraction, held: Callable[[Fraction, Fraction], bool]) -> list[int]:
        """Drop volumes older than this media time, unless held; returns the numbers that left."""
        scale = self.timescale
        gone = self.log.expire(
            int(before_s * scale),
            lambda oldest, newest: held(Fraction(oldest, scale), Fraction(newest, scale)),
        )
        return self.segments.drop(set(gone)) if gone else []

    def seat(self, decode_time: int, independent: bool, duration_s: Fraction) -> tuple[int, bool]:
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

    def _forget(self, number: int) -> None:
        del self.segments[number]
        if self.newest is not None and self.newest.number == number:
            self.newest = self.segments[max(self.segments)] if self.segments else None

    def _extend(self, volume: int, record: Record, duration_s: Fraction) -> Stored:
        independent = bool(record.flags & INDEPENDENT)
        number, fresh = self.seat(record.decode_time, independent, duration_s)
        if fresh:
            stored = Stored(number, record.decode_time, record.decode_time)
            self.segments[number] = stored
        else:
            stored = self.segments[number]
        stored.take(volume, record, self.log.fresh.get(volume, record.offset))
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
