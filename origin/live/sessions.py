"""Which encoder session a source's media belongs to, and how far it is moved (anchor.py has the
rules, this applies them to a channel's state)."""

from fractions import Fraction

from native.bmff.model import Chunk
from origin import metrics
from origin.errors import BadMedia
from origin.live.anchor import FUTURE_S, Arrival, Held, epoch_locked, landing, resend_s
from origin.live.channel import LiveChannel
from origin.live.records import RAW
from origin.live.sources import Source
from origin.live.track import LiveTrack


class Sessions:
    """The shifts of one channel's tracks; `epoch_slack_s` tells epoch time from any other."""

    def __init__(self, channel: LiveChannel, epoch_slack_s: int) -> None:
        self._channel = channel
        self._slack_s = epoch_slack_s

    def shift(
        self, track: LiveTrack, chunk: Chunk, now_s: float, source: Source, *, rivals: bool
    ) -> Fraction | None:
        """What to add to this source's times; None while there is no grid to count in.

        With `rivals`, other sources that are sending this track, no session can begin: who does not
        share their time (AB1) is refused.
        """
        channel, name = self._channel, track.rendition.name
        anchor = channel.kept.anchor
        self._watch(track, chunk, source)
        if source.shift_s is not None:
            if source.shift_s and source.shift_s != anchor.shift(name):
                raise BadMedia("a newer session of this track has begun", code="superseded")
            return source.shift_s
        if epoch_locked(Fraction(chunk.decode_time, track.timescale), now_s, self._slack_s):
            shift_s = Fraction(0)
        elif channel.duration_s is None:
            return None
        else:
            held = self._held(channel.duration_s, now_s)
            shift_s = self._session(track, chunk, held, rivals=rivals)
        if anchor.join(name, shift_s):
            channel.dirty = True
        source.shift_s = shift_s
        return shift_s

    def anchor_waiting(self, duration_s: Fraction, now_s: float) -> None:
        """The first session of a channel begins with what waited for its grid."""
        channel = self._channel
        raw = [(t, r) for t in channel.tracks.values() for _, r in t.waiting if r.flags & RAW]
        if not raw:
            return
        start_s = min(Fraction(r.decode_time, t.timescale) for t, r in raw)
        end_s = max(Fraction(r.end, t.timescale) for t, r in raw)
        held = self._held(duration_s, now_s)
        shift_s = landing(int(start_s / duration_s), start_s, end_s, held)
        channel.kept.anchor.begin(start_s + shift_s, shift_s)
        channel.dirty = True
        for track in {t.rendition.name for t, _ in raw}:
            channel.kept.anchor.join(track, shift_s)

    def _watch(self, track: LiveTrack, chunk: Chunk, source: Source) -> None:
        """Timestamps that leap within a body are another timeline: its session is told anew."""
        ahead_s = Fraction(chunk.decode_time - source.raw_end, track.timescale)
        source.raw_end, first = chunk.decode_time + chunk.duration, source.raw_end < 0
        segment_s = self._channel.duration_s or Fraction(1)
        if first or -resend_s(segment_s) <= ahead_s <= FUTURE_S:
            return
        metrics.LEAPS.labels("back" if ahead_s < 0 else "forward").inc()
        source.shift_s = None

    def _session(self, track: LiveTrack, chunk: Chunk, held: Held, *, rivals: bool) -> Fraction:
        """The shift of the session that this chunk continues, or begins."""
        start_s = Fraction(chunk.decode_time, track.timescale)
        end_s = Fraction(chunk.decode_time + chunk.duration, track.timescale)
        arrival = Arrival(track.rendition.name, start_s, end_s, track.headed)
        shift_s = self._channel.kept.anchor.continued(arrival, held)
        if shift_s is not None:
            return shift_s
        if rivals:
            raise BadMedia("other sources of this track keep another time", code="unaligned")
        number = track.number_of(chunk.decode_time, held.segment_s)
        shift_s = landing(number, start_s, end_s, held)
        if end_s + shift_s > held.now_s + FUTURE_S:
            raise BadMedia("the media comes faster than time", code="time_in_future")
        self._begin(start_s + shift_s, shift_s, number + int(shift_s / held.segment_s))
        return shift_s

    def _held(self, duration_s: Fraction, now_s: float) -> Held:
        channel = self._channel
        newest = {n: t.newest for n, t in channel.tracks.items() if t.newest is not None}
        return Held(
            now_s=Fraction(now_s),
            segment_s=duration_s,
            last_number=max(channel.edge, *(s.number for s in newest.values()), -1),
            edge_s=(channel.edge + 1) * duration_s,
            heads={n: Fraction(s.end, channel.tracks[n].timescale) for n, s in newest.items()},
        )

    def _begin(self, start_s: Fraction, shift_s: Fraction, number: int) -> None:
        """A session lands: what it leaves behind is gaps, and its first number is a break."""
        kept = self._channel.kept
        kept.anchor.begin(start_s, shift_s)
        self._channel.dirty = True
        if kept.first >= 0:
            kept.breaks.append(number)
            kept.filled = max(kept.filled, number - 1)
