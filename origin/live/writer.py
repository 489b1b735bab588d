"""What enters a channel: the only writer of its logs and of its `channel.json`."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from native.bmff import parse_chunk
from native.bmff.model import Chunk
from native.bmff.rebase import rebase
from origin.errors import BadMedia, DiskFull, WrongHeader
from origin.live.anchor import FUTURE_S
from origin.live.channel import LiveChannel
from origin.live.headers import same_header
from origin.live.hearing import Hearing
from origin.live.records import INDEPENDENT, RAW, SLATE, Record
from origin.live.redundancy import Redundancy
from origin.live.sessions import Sessions
from origin.live.silence import Silence
from origin.live.sources import Source
from origin.live.spares import Budget
from origin.live.track import LiveTrack
from origin.protection.keys import role_of
from origin.protection.periods import countable
from origin.settings import Settings

SANE_S = (Fraction(1, 5), Fraction(30))  # segment durations that are believed
ALONE_S = 3.0  # audio without video for so long is an audio channel


class Writer:
    """The ingest rules of one channel. `now_s` is the wall clock, which places media without epoch
    time; `steady` is the clock that tells who keeps pace.
    """

    def __init__(
        self, channel: LiveChannel, settings: Settings, budget: Budget, steady: Callable[[], float]
    ) -> None:
        self.channel = channel
        self.tracks: dict[str, Redundancy] = {}
        self._settings = settings
        self._budget = budget
        self._steady = steady
        self._sessions = Sessions(channel, settings.epoch_slack_s)
        self._hearing = Hearing(channel, settings.epoch_slack_s)
        self._silence = Silence(channel, self._append)
        self._offer: tuple[Fraction, float] | None = None  # what audio would teach, and since when
        channel.complete = self._silence.complete

    @property
    def late_chunks(self) -> int:
        """Chunks that came after their number was published."""
        return sum(redundancy.late_chunks for redundancy in self.tracks.values())

    def redundancy(self, track: LiveTrack) -> Redundancy:
        """The arbiter between the sources of this track."""
        name = track.rendition.name
        if (found := self.tracks.get(name)) is None:
            found = Redundancy(self.channel, track, self._append, self._budget, self._settings)
            self.tracks[name] = found
        return found

    def header(self, name: str, data: bytes) -> LiveTrack:
        """A CMAF header: opens the track, or must equal the stored one (I6, I7, AB5)."""
        channel = self.channel
        if (track := channel.tracks.get(name)) is not None:
            if not same_header(track.header, data):
                raise WrongHeader("the header differs from the one this track began with")
            track.headed = True
            return track
        if len(channel.tracks) >= self._settings.track_limit:
            raise BadMedia("this channel has too many tracks", code="too_many_tracks")
        track = channel.open_track(name, data)
        try:
            self._countable(track)
            track.log.put_header(data)
        except (DiskFull, BadMedia):
            del channel.tracks[name]
            raise
        return track

    def _countable(self, track: LiveTrack) -> None:
        """BadMedia for a timescale with which no sample could be protected (PR-16)."""
        configured = self._settings.channels.get(self.channel.name)
        asked = configured.protection if configured is not None else None
        if (
            asked is None
            or (asked.scheme != "cenc" and not asked.both)
            or not role_of(track.rendition)
        ):
            return
        if not countable(track.timescale, asked.rotation_s):
            what = f"cenc cannot count {track.timescale} ticks a second; use fewer, or cbcs"
            raise BadMedia(what, code="timescale")

    def chunk(self, track: LiveTrack, data: bytes, now_s: float, source: Source) -> Record | None:
        """Store one chunk; None when it was here already, came too late, or is kept aside for the
        case that the segment's owner dies (I6, I8, AB2).
        """
        channel = self.channel
        steady_s = self._steady()
        arbiter = self.redundancy(track)
        chunk = parse_chunk(data, track.track)
        if chunk.samples == 0 or chunk.duration == 0:
            raise BadMedia("the chunk holds no media", code="empty_chunk")
        if track.rendition.kind == "event":
            self._hearing.event_track(track, chunk, data, now_s)
            return None
        rivals = any(not i.stale(steady_s, channel.duration_s) for i in arbiter.rivals(source))
        shift_s = self._sessions.shift(track, chunk, now_s, source, rivals=rivals)
        channel.save_if_dirty()
        if shift_s:
            ticks = round(shift_s * track.timescale)
            chunk = replace(
                chunk,
                decode_time=chunk.decode_time + ticks,
                earliest_pts=chunk.earliest_pts + ticks,
            )
            data = rebase(data, ticks, track.timescale)
        end_s = (chunk.decode_time + chunk.duration) / track.timescale
        if shift_s is not None and channel.duration_s is not None and end_s > now_s + FUTURE_S:
            raise BadMedia("the media time is ahead of the clock", code="time_in_future")
        track.headed = False
        source.input.note(end_s, steady_s)
        if channel.duration_s is not None and chunk.independent:
            source.input.off_grid_s = track.grid(channel.duration_s).off_s(chunk.decode_time)
        record = None
        text = track.rendition.kind == "text" and shift_s is not None
        for piece in self._silence.pieces(track, chunk, data) if text else [(chunk, data)]:
            if arbiter.admits(*piece, source, steady_s):
                record = self._append(track, *piece, raw=shift_s is None)
            source.chunks += 1
        if "lmsg" in chunk.brands and record is not None:
            self._end(track, source)
        return record

    def learn(self, track: LiveTrack, length: int, now_s: float) -> None:
        """Take the grid from the length (ticks) of the first finished segment."""
        channel = self.channel
        if channel.duration_s is not None or not self._leads(track):
            return
        duration_s = Fraction(length, track.timescale)
        if not SANE_S[0] <= duration_s <= SANE_S[1]:
            return
        if track.rendition.kind == "audio":  # under load it may come before the video does
            self._offer = self._offer or (duration_s, self._steady())
            duration_s, since_s = self._offer
            if self._steady() - since_s < ALONE_S:
                return
        self._sessions.anchor_waiting(duration_s, now_s)
        channel.kept.set_grid(duration_s)
        channel.dirty = True
        channel.save_if_dirty()
        for name, other in channel.tracks.items():
            other.settle(duration_s, channel.kept.anchor.shift(name))

    def finish(self, track: LiveTrack, source: Source, *, end_of_track: bool) -> None:
        """A body ended cleanly: its segment is whole if it reaches its boundary (I3, I7)."""
        arbiter = self.redundancy(track)
        duration_s, stored = self.channel.duration_s, arbiter.owned(source)
        if duration_s is not None and stored is not None:
            reaches = track.grid(duration_s).reaches(stored.number, stored.end)
            if (end_of_track or reaches) and not stored.whole:
                track.close(stored)
                self.channel.on_chunk(track, stored)
        if end_of_track:
            self._end(track, source)
        arbiter.closed(source, cut=False, now_s=self._steady())

    def cut(self, track: LiveTrack, source: Source) -> None:
        """A body ended without its end: others may go on for it (AB3, I14)."""
        self.redundancy(track).closed(source, cut=True, now_s=self._steady())

    def tick(self) -> bool:
        """Let others stand in for sources that went stale (AB9); whether any might have."""
        kept = [redundancy for redundancy in self.tracks.values() if len(redundancy.spares)]
        for redundancy in kept:
            redundancy.tick(self._steady())
        return bool(kept)

    def advance(self) -> list[int]:
        """Publish what can be published; returns the new numbers, oldest first."""
        numbers = self.channel.advance()
        self.channel.save_if_dirty()
        if numbers:
            for redundancy in self.tracks.values():
                redundancy.published()
        return numbers

    def fill(self, last: int) -> list[int]:
        """Publish up to this number whatever is missing; returns the new numbers."""
        self.channel.kept.filled = last
        self.channel.lapsing = True
        return self.advance()

    def _end(self, track: LiveTrack, source: Source) -> None:
        """A source said that nothing follows; others of the track may know better."""
        now_s, duration_s = self._steady(), self.channel.duration_s
        rivals = self.redundancy(track).rivals(source)
        if duration_s is None or any(not rival.stale(now_s, duration_s) for rival in rivals):
            return
        self.channel.end(track)
        self.channel.save_if_dirty()

    def _append(self, track: LiveTrack, chunk: Chunk, data: bytes, *, raw: bool = False) -> Record:
        """Write a chunk to the log, and close what it completes."""
        duration_s = self.channel.duration_s
        if duration_s is not None:
            track.close_before(chunk.decode_time, chunk.independent, duration_s)
        if track.rendition.kind == "text" and not raw:
            self._silence.before(track, chunk)
        if chunk.emsgs and not raw:
            self._hearing.media(track, chunk, data)
        volume, record = track.log.append(
            data,
            decode_time=chunk.decode_time,
            duration=chunk.duration,
            earliest=chunk.earliest_pts,
            flags=(INDEPENDENT if chunk.independent else 0)
            | (RAW if raw else 0)
            | (SLATE if "slat" in chunk.brands else 0),
        )
        stored = self.channel.place(track, volume, record)
        if duration_s is not None and stored is not None:
            track.close_full(stored, duration_s)
            if "lmsg" in chunk.brands:
                track.close(stored)
            self.channel.on_chunk(track, stored)
        return record

    def _leads(self, track: LiveTrack) -> bool:
        """Video sets the grid; audio only where there is no video."""
        kinds = {t.rendition.kind for t in self.channel.tracks.values()}
        return track.rendition.kind == ("video" if "video" in kinds else "audio")
