"""Text tracks without holes: what their encoder left out is stored as silence (C10, I15).

Theory of operation
1. Nothing waits for a text track. When a number is published that it lacks, or has only the
   beginning of, silence is stored for the rest of it. So the log has every published number from
   the first that the track was there for, and everybody who reads it agrees.
2. A chunk that comes behind a hole of its own number is stored behind the silence that fills it.
3. A chunk that reaches over a boundary is cut there, so that its text is in each segment which it
   is shown in; what of it comes too late is dropped alone.
4. The rest of a segment that is too short to be told from rounding stays as it is: the next one
   begins where it ends.
"""

from collections.abc import Callable
from fractions import Fraction

from native.bmff import parse_chunk
from native.bmff.model import Chunk
from native.bmff.samples import MAX_SAMPLES
from origin.errors import BadMedia
from origin.live.channel import LiveChannel
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.text.cutting import cut
from origin.text.silence import silence

Store = Callable[[LiveTrack, Chunk, bytes], object]
PIECES = 64  # of one chunk
PIECE_BYTES = 1 << 20  # of a chunk that is cut, for each piece may hold all of it
SLIVER_S = Fraction(1, 20)  # not worth a cue of silence


class Silence:
    """Fills one channel's text tracks; the writer's alone. `store` appends a chunk."""

    def __init__(self, channel: LiveChannel, store: Store) -> None:
        self._channel = channel
        self._store = store

    def complete(self, number: int) -> None:
        """This number is about to be published."""
        for track in self._channel.tracks.values():
            if track.rendition.kind == "text" and track.whole(number) is None:
                self._complete(track, number)

    def pieces(self, track: LiveTrack, chunk: Chunk, data: bytes) -> list[tuple[Chunk, bytes]]:
        """A chunk of a text track, one piece for each segment that it belongs to."""
        duration_s = self._channel.duration_s
        if duration_s is None:
            return [(chunk, data)]
        end = chunk.decode_time + chunk.duration
        least, most = chunk.decode_time + self._sliver(track), end - self._sliver(track)
        first, last = track.number_of(least, duration_s), track.number_of(most, duration_s) + 1
        if last - first > PIECES or chunk.samples > MAX_SAMPLES:
            raise BadMedia("the text chunk is too long", code="too_long")
        marks = [track.boundary(number, duration_s) for number in range(first, last + 1)]
        times = [mark for mark in marks if least < mark < most]
        if times and len(data) > PIECE_BYTES:
            raise BadMedia("the text chunk is too large to be cut", code="too_large")
        return cut(data, track.track, chunk, times) if times else [(chunk, data)]

    def before(self, track: LiveTrack, chunk: Chunk) -> None:
        """This chunk of a text track is about to be stored."""
        duration_s = self._channel.duration_s
        if duration_s is None:
            return
        number, _ = track.seat(chunk.decode_time, chunk.independent, duration_s)
        at = self._start(track, number, track.segments.get(number))
        if chunk.decode_time - at > self._sliver(track):
            self._put(track, at, chunk.decode_time)

    def _complete(self, track: LiveTrack, number: int) -> None:
        stored = track.segments.get(number)
        if stored is not None and stored.broken:
            track.void(stored)
            stored = None
        at = self._start(track, number, stored)
        end = track.boundary(number + 1, self._channel.duration_s or Fraction(1))
        if end - at > self._sliver(track):
            self._put(track, at, end)
        if (stored := track.segments.get(number)) is not None:
            track.close(stored)

    def _start(self, track: LiveTrack, number: int, stored: Stored | None) -> int:
        """Where the next media of this number belongs."""
        if stored is not None:
            return stored.end
        boundary = track.boundary(number, self._channel.duration_s or Fraction(1))
        before = track.segments.get(number - 1)
        near = before is not None and abs(before.end - boundary) <= self._sliver(track)
        return before.end if before is not None and near else boundary

    def _sliver(self, track: LiveTrack) -> int:
        return int(SLIVER_S * track.timescale)

    def _put(self, track: LiveTrack, start: int, end: int) -> None:
        data = silence(track.track, start, end, language=track.rendition.language)
        self._store(track, parse_chunk(data, track.track), data)
