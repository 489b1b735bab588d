"""Where a channel's events come from: samples of event tracks, emsg boxes of media chunks (TM1)."""

from fractions import Fraction

from native.bmff import BoxError, walk
from native.bmff.events import read_events
from native.bmff.model import Chunk, Emsg
from native.bmff.samples import MAX_SAMPLES, read_chunk_samples
from origin.errors import BadMedia
from origin.live.anchor import epoch_locked
from origin.live.channel import LiveChannel
from origin.live.track import LiveTrack

EVENTS = 1024  # of one chunk


class Hearing:
    """Hands what a channel's encoders tell to its journal, in channel time; the writer's alone."""

    def __init__(self, channel: LiveChannel, epoch_slack_s: int) -> None:
        self._channel = channel
        self._slack_s = epoch_slack_s

    def event_track(self, track: LiveTrack, chunk: Chunk, data: bytes, now_s: float) -> None:
        """A chunk of an event track. BadMedia and BoxError for one that holds no such samples;
        what comes in a source's own time before that has a place here is dropped and counted.
        """
        if chunk.samples > MAX_SAMPLES:
            raise BadMedia("an event chunk has too many samples", code="too_many_samples")
        shift_s = self._shift(Fraction(chunk.decode_time, track.timescale), now_s)
        told: dict[Emsg, None] = {}  # active events may stand in every sample (TM3)
        for sample in read_chunk_samples(data, track.track, chunk=chunk):
            time = sample.decode_time + sample.cto
            told |= dict.fromkeys(
                read_events(data[sample.start : sample.end], time, track.timescale)
            )
            if len(told) > EVENTS:
                raise BadMedia("an event chunk has too many events", code="too_many_events")
        for event in told:
            if shift_s is None:
                self._channel.events.count("late")
            else:
                self._hear(_moved(event, shift_s), "")

    def media(self, track: LiveTrack, chunk: Chunk, data: bytes) -> None:
        """The emsg boxes before a media chunk, which is in channel time already; a box that lies is
        left out, for the media is sound.
        """
        duration_s = self._channel.duration_s
        stored = None
        if duration_s is not None:
            number, _ = track.seat(chunk.decode_time, chunk.independent, duration_s)
            stored = track.segments.get(number)
        earliest = stored.parts[0][1].earliest if stored is not None else chunk.earliest_pts
        for found in walk(data[: chunk.moof.start]):
            if found.kind == "emsg":
                try:
                    events = read_events(data[found.start : found.end], earliest, track.timescale)
                except BoxError:
                    self._channel.events.count("bad")
                    continue
                for event in events:
                    self._hear(event, track.rendition.name)

    def _hear(self, event: Emsg, source: str) -> None:
        channel = self._channel
        edge_s = (channel.edge + 1) * (channel.duration_s or Fraction(0))
        channel.events.hear(event, source, channel.edge, edge_s)

    def _shift(self, raw_s: Fraction, now_s: float) -> Fraction | None:
        """Events never begin a session: they are of the newest one, or of epoch time."""
        if epoch_locked(raw_s, now_s, self._slack_s):
            return Fraction(0)
        newest = self._channel.kept.anchor.shift_s
        return Fraction(newest) if newest else None


def _moved(event: Emsg, shift_s: Fraction) -> Emsg:
    return event._replace(time=max(0, event.time + round(shift_s * event.timescale)))
