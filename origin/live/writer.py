"""What enters a channel: the only writer of its logs and of its `channel.json`."""

from dataclasses import replace
from fractions import Fraction

from native.bmff import parse_chunk
from native.bmff.model import Chunk
from native.bmff.rebase import rebase
from origin.errors import BadMedia, WrongHeader
from origin.live.anchor import FUTURE_S, Source
from origin.live.channel import LiveChannel
from origin.live.records import INDEPENDENT, RAW, Record
from origin.live.sessions import Sessions
from origin.live.track import LiveTrack
from origin.settings import Settings

SANE_S = (Fraction(1, 5), Fraction(30))  # segment durations that are believed


class Writer:
    """The ingest rules of one channel; the clock is an argument."""

    def __init__(self, channel: LiveChannel, settings: Settings) -> None:
        self.channel = channel
        self.late_chunks = 0
        self._settings = settings
        self._sessions = Sessions(channel, settings.epoch_slack_s)

    def header(self, name: str, data: bytes) -> LiveTrack:
        """A CMAF header: opens the track, or must equal the stored one (I6, I7, AB5)."""
        channel = self.channel
        if (track := channel.tracks.get(name)) is not None:
            if track.header != data:
                raise WrongHeader("the header differs from the one this track began with")
            track.headed = True
            return track
        if len(channel.tracks) >= self._settings.track_limit:
            raise BadMedia("this channel has too many tracks", code="too_many_tracks")
        track = channel.open_track(name, data)
        track.log.put_header(data)
        return track

    def chunk(self, track: LiveTrack, data: bytes, now_s: float, source: Source) -> Record | None:
        """Store one chunk; None when it was here already or came too late (I6, I8)."""
        channel = self.channel
        chunk = parse_chunk(data, track.track)
        if chunk.samples == 0 or chunk.duration == 0:
            raise BadMedia("the chunk holds no media", code="empty_chunk")
        shift_s = self._sessions.shift(track, chunk, now_s, source)
        channel.save_if_dirty()
        ticks = round((shift_s or 0) * track.timescale)
        chunk = replace(
            chunk,
            decode_time=chunk.decode_time + ticks,
            earliest_pts=chunk.earliest_pts + ticks,
        )
        duration_s = channel.duration_s
        if shift_s is not None:
            self._check_time(track, chunk, now_s)
        track.headed = False
        if not track.wants(chunk.decode_time, chunk.independent, duration_s):
            return None
        if duration_s is not None:
            if track.number_of(chunk.decode_time, duration_s) <= channel.edge:
                self.late_chunks += 1
                return None
            self._check_length(track, chunk)
            track.close_before(chunk.decode_time, chunk.independent, duration_s)
        volume, record = track.log.append(
            rebase(data, ticks, track.timescale) if ticks else data,
            decode_time=chunk.decode_time,
            duration=chunk.duration,
            earliest=chunk.earliest_pts,
            flags=(INDEPENDENT if chunk.independent else 0) | (RAW if shift_s is None else 0),
        )
        stored = channel.place(track, volume, record)
        if duration_s is not None and stored is not None:
            track.close_full(stored, duration_s)
            if "lmsg" in chunk.brands:
                track.close(stored)
            channel.on_chunk(track, stored)
        return record

    def learn(self, track: LiveTrack, length: int, now_s: float) -> None:
        """Take the grid from the length (ticks) of the first finished segment."""
        channel = self.channel
        if channel.duration_s is not None or not self._leads(track):
            return
        duration_s = Fraction(length, track.timescale)
        if SANE_S[0] <= duration_s <= SANE_S[1]:
            self._sessions.anchor_waiting(duration_s, now_s)
            channel.kept.set_grid(duration_s)
            channel.dirty = True
            channel.save_if_dirty()
            for name, other in channel.tracks.items():
                other.settle(duration_s, channel.kept.anchor.shift(name))

    def finish(self, track: LiveTrack, *, end_of_track: bool) -> None:
        """A body ended cleanly: its segment is whole if it reaches its boundary (I3, I7)."""
        duration_s, stored = self.channel.duration_s, track.newest
        if duration_s is None or stored is None:
            return
        if end_of_track or track.grid(duration_s).reaches(stored.number, stored.end):
            track.close(stored)

    def advance(self) -> list[int]:
        """Publish what can be published; returns the new numbers, oldest first."""
        numbers = self.channel.advance()
        self.channel.save_if_dirty()
        return numbers

    def fill(self, last: int) -> list[int]:
        """Publish up to this number whatever is missing; returns the new numbers."""
        self.channel.kept.filled = last
        self.channel.dirty = True
        return self.advance()

    def _leads(self, track: LiveTrack) -> bool:
        """Video sets the grid; audio only where there is no video."""
        kinds = {t.rendition.kind for t in self.channel.tracks.values()}
        return track.rendition.kind == ("video" if "video" in kinds else "audio")

    def _check_time(self, track: LiveTrack, chunk: Chunk, now_s: float) -> None:
        end_s = Fraction(chunk.decode_time + chunk.duration, track.timescale)
        if self.channel.duration_s is not None and end_s > now_s + FUTURE_S:
            raise BadMedia("the media time is ahead of the clock", code="time_in_future")

    def _check_length(self, track: LiveTrack, chunk: Chunk) -> None:
        """A segment that rounds above the target duration can never be listed (HLS-1)."""
        channel = self.channel
        duration_s = channel.duration_s or Fraction(1)
        number, _ = track.seat(chunk.decode_time, chunk.independent, duration_s)
        stored = track.segments.get(number)
        start = chunk.decode_time if stored is None else stored.start
        limit = (channel.kept.target_s + Fraction(1, 2)) * track.timescale
        if chunk.decode_time + chunk.duration - start >= limit:
            raise BadMedia("the segment is longer than the target duration", code="too_long")
        if stored is not None:
            size_bytes = stored.size_bytes + chunk.size
            if size_bytes > self._settings.segment_bytes:
                raise BadMedia("the segment has too many bytes", code="too_large")
