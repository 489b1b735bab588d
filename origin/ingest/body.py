"""The CMAF receiver (DASH-IF Live Media Ingest v1.2, interface 1), free of sockets.

Rule ids I* are those of specs/cmaf-ingest.md section 2. Both request styles end in the same calls:
one segment a request, or one endless body a track. What is complete is stored before the next piece
is read; what a cut body leaves behind is never stored (I14).
"""

from collections.abc import Callable
from fractions import Fraction

from native.bmff import BoxError, Splitter, Unit
from origin import metrics
from origin.errors import OriginError, WrongHeader
from origin.live.channels import Channels
from origin.live.records import INDEPENDENT, Record
from origin.live.sources import Peer, Source
from origin.live.track import LiveTrack
from origin.settings import Settings

MANIFEST_BYTES = 2 << 20
AUDIO_SEGMENT_S = Fraction(19, 10)  # at least, of an endless body without video
ANYBODY = Peer()


class TrackBody:
    """One request body of one track, fed as it arrives.

    A body that brings its own header and media is the endless form: its segments are told apart by
    the channel's grid. Otherwise the body is one segment (I3).
    """

    def __init__(
        self,
        channels: Channels,
        channel: str,
        track: str,
        settings: Settings,
        clock: Callable[[], float],
        peer: Peer = ANYBODY,
    ) -> None:
        self.stored_chunks = 0
        self._channels = channels
        self._name = channel
        self._track_name = track
        self._clock = clock
        self._splitter = Splitter(settings.chunk_bytes)
        self._writer = channels.known(channel)
        self._endless = False
        self._ended = False
        self._peer = peer
        self._source: Source | None = None
        self._start = self._end = 0  # ticks: what this body stored

    def feed(self, piece: bytes) -> None:
        """Take some bytes; an OriginError says what to answer."""
        try:
            for unit in self._splitter.feed(piece):
                self._take(unit)
        except BoxError as error:
            raise _refusal(error) from error

    def finish(self) -> None:
        """The body ended as HTTP says it should; an empty one was a probe (I2)."""
        try:
            self._splitter.finish()
        except BoxError as error:
            raise _refusal(error) from error
        track = self._track()
        if self._writer is not None and track is not None:
            if not self._endless and self.stored_chunks:
                self._writer.learn(track, self._end - self._start, self._clock())
            source, self._source = self._opened(track), None
            self._writer.finish(track, source, end_of_track=self._ended)
            self._channels.advance(self._writer)

    def close(self) -> None:
        """The request is over; without `finish` it was cut (I14)."""
        track = self._track()
        if self._source is not None and self._writer is not None and track is not None:
            self._writer.cut(track, self._source)
            self._source = None
            self._channels.advance(self._writer)

    def _track(self) -> LiveTrack | None:
        return self._writer.channel.tracks.get(self._track_name) if self._writer else None

    def _opened(self, track: LiveTrack) -> Source:
        """This body among the sources of its track."""
        if self._source is None:
            assert self._writer is not None
            self._source = self._writer.redundancy(track).inputs.open(self._peer)
        return self._source

    def _take(self, unit: Unit) -> None:
        if unit.kind == "header":
            self._header(unit.data)
        elif unit.kind == "end":
            self._ended = True  # I7
        else:
            self._chunk(unit.data)

    def _header(self, data: bytes) -> None:
        self._endless = True
        writer = self._writer or self._channels.create(self._name)
        try:
            writer.header(self._track_name, data)
        except (BoxError, OriginError):
            self._channels.discard_empty(self._name)
            raise
        self._writer = writer

    def _chunk(self, data: bytes) -> None:
        track = self._track()
        if self._writer is None or track is None:
            raise WrongHeader("send the track's CMAF header first", code="no_header")
        now_s = self._clock()
        record = self._writer.chunk(track, data, now_s, self._opened(track))
        if record is not None:
            self._count(track, record, now_s)
        if self._endless:
            self._channels.advance(self._writer)

    def _count(self, track: LiveTrack, record: Record, now_s: float) -> None:
        """A chunk of this body was stored; the first segment of a channel tells its grid."""
        assert self._writer is not None
        if not self.stored_chunks:
            self._start = record.decode_time
        elif self._endless and self._begins_segment(track, record):
            self._writer.learn(track, record.decode_time - self._start, now_s)
        self._end = record.end
        self.stored_chunks += 1
        metrics.BYTES.inc(record.size)
        metrics.CHUNKS.inc()

    def _begins_segment(self, track: LiveTrack, record: Record) -> bool:
        """Video begins one at a random access point; any chunk of audio is one, so that only time
        tells.
        """
        length = record.decode_time - self._start
        enough = track.rendition.kind != "audio" or length >= AUDIO_SEGMENT_S * track.timescale
        return bool(record.flags & INDEPENDENT) and enough


def _refusal(error: BoxError) -> OriginError:
    """A box error with the status that I5 gives it: 412 and 415 where named, else 400."""
    refusal = OriginError(f"byte {error.offset}: {error.detail}", code=error.code)
    refusal.status = error.status if error.status in (412, 415) else 400
    return refusal
