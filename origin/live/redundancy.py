"""Several sources of one track: whose chunk is stored, whose is kept aside, and who takes over.

Theory of operation (rules AB* of specs/cmaf-ingest.md section 4)
1. The body whose chunk was the first stored of a segment owns it. What others send of the same
   segment is kept aside (spares.py); no segment is ever a mixture of two encoders' bytes (AB2).
2. Without parts nobody sees a segment before it is whole. A copy that becomes whole first therefore
   takes the segment's place: the log notes that what it held is void, and stores the copy (AB2).
3. With parts, what is stored is seen and stands. When the owner dies (its body was cut, or it is
   stale, AB9), a copy goes on for it if the log holds a byte-equal beginning of that copy or the
   copy has an independent chunk there; else the segment is closed short (AB3). The next segment is
   anybody's, and what was kept aside of it is stored at once (AB4).
4. While a preferred input keeps pace, others only begin a segment that it left out (AB8).
5. A body of the owner's own input, or one that begins exactly where the log ends, is the owner come
   back (I13).

All this only decides what is appended. What was decided is read from the log, so every process and
every restart agrees; the copies are lost with the process, their senders are still there.
"""

from collections.abc import Callable
from fractions import Fraction
from zlib import crc32

from native.bmff.model import Chunk
from origin import metrics
from origin.errors import BadMedia
from origin.live.channel import LiveChannel
from origin.live.records import SLATE
from origin.live.shelf import Stored
from origin.live.sources import Input, Inputs, Source
from origin.live.spares import Budget, Copy, Spares
from origin.live.track import LiveTrack
from origin.settings import Settings
from origin.tracks import SPARSE

Store = Callable[[LiveTrack, Chunk, bytes], object]


class Redundancy:
    """The arbiter of one track. `store` appends a chunk; `now_s` is of the steady clock."""

    def __init__(
        self,
        channel: LiveChannel,
        track: LiveTrack,
        store: Store,
        budget: Budget,
        settings: Settings,
    ) -> None:
        self.inputs = Inputs(sparse=track.rendition.kind in SPARSE)
        configured = settings.channels.get(channel.name)
        self.preferred = configured.preferred if configured is not None else ""
        self.late_chunks = 0
        self.spares = Spares(budget)
        self._channel = channel
        self._track = track
        self._store = store
        self._segment_bytes = settings.segment_bytes
        self._owners: dict[int, Source] = {}
        self._first: Source | None = None

    def admits(self, chunk: Chunk, data: bytes, source: Source, now_s: float) -> bool:
        """Whether this chunk goes to the log now; if not, it was kept aside or is not needed."""
        duration_s = self._channel.duration_s
        if duration_s is None:
            return self._admits_waiting(chunk, source)
        if self._first is not None:
            self._adopt(self._first)
        number, fresh = self._track.seat(chunk.decode_time, chunk.independent, duration_s)
        if not fresh:
            return self._admits_more(self._track.segments[number], chunk, data, source, now_s)
        if number <= self._channel.edge:
            self.late_chunks += 1
            return False
        copy = self.spares.continued(number, chunk, source)
        if copy is None and not chunk.independent:
            return False  # joins in the middle of a segment (C3)
        if copy is not None or self._must_wait(source, now_s):
            self._aside(number, chunk, data, source, now_s)
            return False
        self._fits(chunk, len(data), chunk.decode_time)
        self._owners[number] = source
        self._moved_on(source, number, now_s)
        return True

    def rivals(self, source: Source) -> list[Input]:
        """Other inputs that are sending this track."""
        return [i for i in self.inputs.others(source) if i.chunks]

    def closed(self, source: Source, *, cut: bool, now_s: float) -> None:
        """A body ended: cut, or as HTTP says it should."""
        source.closed, source.cut = True, cut
        source.input.bodies -= 1
        duration_s = self._channel.duration_s
        if duration_s is None:
            return
        grid = self._track.grid(duration_s)
        for copy in self.spares.by(source):
            copy.whole = copy.whole or grid.reaches(copy.number, copy.end)
        self.tick(now_s)

    def owned(self, source: Source) -> Stored | None:
        """The newest segment of this body."""
        numbers = [number for number, owner in self._owners.items() if owner is source]
        return self._track.segments.get(max(numbers)) if numbers else None

    def tick(self, now_s: float) -> None:
        """Let copies take the place of owners that are gone."""
        for number in self.spares.numbers:
            self._settle(number, now_s)
        self._promote(now_s)

    def published(self) -> None:
        """The edge moved."""
        edge = self._channel.edge
        for number in [n for n in self._owners if n <= edge]:
            del self._owners[number]
        for number in self.spares.numbers:
            if number <= edge:
                self.spares.drop(number)

    def _admits_waiting(self, chunk: Chunk, source: Source) -> bool:
        """Before there is a grid only one source is heard."""
        first = self._first
        if first is not None and first is not source and not first.closed:
            return False
        self._first = source
        return self._track.wants(chunk.decode_time, chunk.independent, None)

    def _adopt(self, first: Source) -> None:
        """The grid was learned: what waited for it is the segments of the source that was heard."""
        for stored in self._track.segments.values():
            if not stored.whole:
                self._owners.setdefault(stored.number, first)
        self._first = None

    def _admits_more(
        self, stored: Stored, chunk: Chunk, data: bytes, source: Source, now_s: float
    ) -> bool:
        """A chunk of a segment that the log holds something of."""
        number, owner = stored.number, self._owners.get(stored.number)
        if stored.whole and not (_filler(stored) and "slat" not in chunk.brands):
            return False  # a repeat (I6) or a loser (AB2)
        if number <= self._channel.edge:
            self.late_chunks += 1
            return False
        broken = stored.broken or stored.whole
        if owner is source and not (broken and chunk.decode_time < stored.end):
            self._fits(chunk, stored.size_bytes + len(data), stored.start)
            return chunk.decode_time >= stored.end
        if self._gone(owner, source, now_s) and self._goes_on(stored, chunk, source):
            self._fits(chunk, stored.size_bytes + len(data), stored.start)
            self._owners[number] = source
            return True
        self._aside(number, chunk, data, source, now_s)
        return False

    def _goes_on(self, stored: Stored, chunk: Chunk, source: Source) -> bool:
        """Whether a body may write on where another one stopped (rules 3 and 5)."""
        if chunk.decode_time != stored.end or stored.broken or stored.whole:
            return False
        return chunk.independent or not source.chunks

    def _gone(self, owner: Source | None, source: Source | None, now_s: float) -> bool:
        if owner is None or owner.cut or owner.input.stale(now_s, self._channel.duration_s):
            return True
        return owner.closed and source is not None and owner.input is source.input

    def _must_wait(self, source: Source, now_s: float) -> bool:
        """Whether a preferred input is there to begin this segment (AB8)."""
        if not self.preferred or source.input.peer.name == self.preferred:
            return False
        best = self.inputs.named(self.preferred)
        if best is None or not best.chunks:
            return False
        return not best.stale(now_s, self._channel.duration_s)

    def _aside(self, number: int, chunk: Chunk, data: bytes, source: Source, now_s: float) -> None:
        grid = self._track.grid(self._channel.duration_s or Fraction(1))
        copy = self.spares.continued(number, chunk, source)
        start, size_bytes = (copy.start, copy.size_bytes) if copy else (chunk.decode_time, 0)
        self._fits(chunk, size_bytes + len(data), start)
        copy = self.spares.add(number, chunk, data, crc32(data), source)
        for before in self.spares.by(source):
            if before.number < number and grid.touches(before.end, chunk.decode_time):
                before.whole = True
                self._settle(before.number, now_s)
        if copy is not None:
            metrics.REDUNDANT.inc()
            copy.whole = copy.whole or grid.full(copy.number, copy.start, copy.end)
            self._settle(copy.number, now_s)

    def _settle(self, number: int, now_s: float) -> None:
        """What the copies of a segment can do for what the log holds of it."""
        stored = self._track.segments.get(number)
        if stored is None:
            return
        settled = stored.whole and (self._channel.low_latency or not _filler(stored))
        if settled or number <= self._channel.edge:
            self.spares.drop(number)
            return
        owner, copies = self._owners.get(number), self.spares.of(number)
        gone = any(self._gone(owner, copy.source, now_s) for copy in copies)
        if not self._channel.low_latency:
            for copy in copies:
                if copy.whole and (gone or not self._kept_by_preference(number)):
                    self._replace(stored, copy)
                    return
        elif gone:
            self._take_over(stored)

    def _kept_by_preference(self, number: int) -> bool:
        owner = self._owners.get(number)
        return (
            bool(self.preferred) and owner is not None and (owner.input.peer.name == self.preferred)
        )

    def _replace(self, stored: Stored, copy: Copy) -> None:
        """The copy was whole first (rule 2)."""
        self._track.void(stored)
        metrics.FAILOVERS.labels("replaced").inc()
        self._store_copy(copy, copy.chunks)
        if (fresh := self._track.segments.get(copy.number)) is not None:
            self._seal(fresh)

    def _take_over(self, stored: Stored) -> None:
        """The owner died with parts on show (rule 3)."""
        for copy in self.spares.of(stored.number):
            rest = [c for c in copy.chunks if c[0].decode_time >= stored.end]
            if not rest or rest[0][0].decode_time != stored.end or stored.broken:
                continue
            if rest[0][0].independent or copy.agrees(stored):
                metrics.FAILOVERS.labels("taken_over").inc()
                self._store_copy(copy, rest)
                return
        if any(copy.end > stored.end for copy in self.spares.of(stored.number)):
            metrics.FAILOVERS.labels("closed_short").inc()
            self._seal(stored)
            self.spares.drop(stored.number)

    def _promote(self, now_s: float, below: int | None = None) -> None:
        """Store segments that waited for an input that is gone or has left them out (rule 4)."""
        for number in self.spares.numbers:
            if number in self._track.segments or number <= self._channel.edge:
                continue
            copy = self.spares.of(number)[0]
            if (below is not None and number < below) or not self._must_wait(copy.source, now_s):
                metrics.FAILOVERS.labels("stood_in").inc()
                self._store_copy(copy, copy.chunks)

    def _store_copy(self, copy: Copy, chunks: list[tuple[Chunk, bytes, int]]) -> None:
        self._owners[copy.number] = copy.source
        self.spares.discard(copy)
        for chunk, data, _ in chunks:
            self._store(self._track, chunk, data)

    def _moved_on(self, source: Source, number: int, now_s: float) -> None:
        """A source began this segment: what it left behind is open to others."""
        for older in [n for n, owner in self._owners.items() if owner is source and n < number]:
            stored = self._track.segments.get(older)
            if stored is not None and not stored.whole:
                del self._owners[older]
                self._settle(older, now_s)
        self._promote(now_s, below=number)
        before = self._track.segments.get(number - 1)
        if before is None or before.whole or not self._channel.low_latency:
            return
        if self._gone(self._owners.get(before.number), None, now_s):
            metrics.FAILOVERS.labels("closed_short").inc()
            self._seal(before)

    def _seal(self, stored: Stored) -> None:
        """Nothing more comes: a hint for its next part must go (HLS-16)."""
        self._track.close(stored)
        self._channel.on_chunk(self._track, stored)

    def _fits(self, chunk: Chunk, size_bytes: int, start: int) -> None:
        """A segment that rounds above the target duration can never be listed (HLS-1)."""
        limit = (self._channel.kept.target_s * 2 + 1) * self._track.timescale
        if 2 * (chunk.decode_time + chunk.duration - start) >= limit:
            raise BadMedia("the segment is longer than the target duration", code="too_long")
        if size_bytes > self._segment_bytes:
            raise BadMedia("the segment has too many bytes", code="too_large")


def _filler(stored: Stored) -> bool:
    """Whether a segment only holds a place (I8)."""
    return any(record.flags & SLATE for _, record in stored.parts)
