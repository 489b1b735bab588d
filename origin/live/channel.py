"""A live channel: its tracks in step, and the edge up to which segments are published.

Theory of operation
1. The grid (segment duration) is a setting, or learned from the first finished video segment, and
   kept for the channel's life together with the target duration (HLS-2).
2. Number n is published for all tracks together: when every track has it whole, or when some track
   is AHEAD segments further on. What is missing then is a gap for ever, in every manifest (HLS-9,
   I8, I14); later media for it is accepted and dropped.
3. Both rules look only at media, never at a clock or at arrival order, and more media never makes
   fewer numbers publishable: after a restart the same log yields the same edge (AB6).
4. While no media comes, `fill` publishes gaps, so that playlists keep moving (HLS-6); how far it
   went is remembered, because no log shows it.
5. Sources that do not count from 1970 are moved to the epoch timeline on the way in (anchor.py):
   the log, the numbers and all manifests know epoch time only. Until the grid is learned their
   media waits in the log as it came.
6. A number is a break when media before it is missing or does not touch it: EXT-X-DISCONTINUITY in
   all playlists alike (HLS-10) and a new DASH Period (D13).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import msgspec

from native.bmff import parse_chunk, parse_init
from native.bmff.model import Chunk
from native.bmff.rebase import rebase
from origin.describe import describe
from origin.errors import BadMedia, UnsupportedMedia, WrongHeader
from origin.hls.media import target_duration_s
from origin.live.anchor import FUTURE_S, Anchor, Arrival, Held, Source, epoch_locked, landing
from origin.live.log import HEADER, TrackLog, replace_file
from origin.live.records import INDEPENDENT, RAW, Record
from origin.live.track import TOUCH_S, LiveTrack, Stored
from origin.settings import Settings
from origin.tracks import Rendition, Segment

AHEAD = 3  # segments: I13 lets a source resend this long after a lost connection
BIRTH = 1  # segments that a new channel's first track waits for headers of the others
SANE_S = (Fraction(1, 5), Fraction(30))  # segment durations that are believed
VOLUMES = 8  # of the log within the retention
OVERHANG_S = Fraction(1, 10)  # how much longer than the grid a segment may be within the target


@dataclass(slots=True)
class Kept:
    """What a channel must remember beside its logs (`channel.json`)."""

    segment: str = ""
    target_s: int = 0
    first: int = -1
    filled: int = -1
    breaks: list[int] = field(default_factory=list)
    anchor: Anchor = field(default_factory=Anchor)


class LiveChannel:
    """The tracks of one channel and its published edge; knows no socket and no clock."""

    def __init__(self, name: str, folder: Path, settings: Settings) -> None:
        self.name = name
        self.folder = folder
        self.tracks: dict[str, LiveTrack] = {}
        self.edge = -1
        self.late_chunks = 0
        self.on_chunk: Callable[[LiveTrack, Stored], None] = lambda *_: None
        self._settings = settings
        self._state = folder / "channel.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.kept = Kept()
        if self._state.exists():
            self.kept = msgspec.json.decode(self._state.read_bytes(), type=Kept)
        configured = settings.channels.get(name)
        if not self.kept.segment and configured is not None and configured.segment_s:
            self._set_grid(configured.segment_s)
        for path in sorted(folder.glob(f"*/{HEADER}")):
            track = self._open(path.parent.name, path.read_bytes())
            track.recover(self.duration_s)
            if self.duration_s:
                track.settle(self.duration_s, self.kept.anchor.shift(path.parent.name))
        if self.duration_s:
            self.edge = max(self.kept.first - 1, -1)
            self.advance()

    @property
    def duration_s(self) -> Fraction | None:
        return Fraction(self.kept.segment) if self.kept.segment else None

    @property
    def live_tracks(self) -> list[LiveTrack]:
        """Tracks that ever had media, by name: video rungs first, then audio, then text."""
        order = {"video": 0, "audio": 1, "text": 2}
        tracks = [t for t in self.tracks.values() if any(s.whole for s in t)]
        return sorted(tracks, key=lambda t: (order[t.rendition.kind], t.rendition.name))

    def header(self, name: str, data: bytes) -> LiveTrack:
        """A CMAF header: opens the track, or must equal the stored one (I6, I7, AB5)."""
        if (track := self.tracks.get(name)) is not None:
            if track.header != data:
                raise WrongHeader("the header differs from the one this track began with")
            track.headed = True
            return track
        if len(self.tracks) >= self._settings.track_limit:
            raise BadMedia("this channel has too many tracks", code="too_many_tracks")
        track = self._open(name, data)
        track.log.put_header(data)
        return track

    def chunk(self, track: LiveTrack, data: bytes, now_s: float, source: Source) -> Record | None:
        """Store one chunk; None when it was here already or came too late (I6, I8)."""
        chunk = parse_chunk(data, track.track)
        if chunk.samples == 0 or chunk.duration == 0:
            raise BadMedia("the chunk holds no media", code="empty_chunk")
        shift_s = self._shift(track, chunk, now_s, source)
        ticks = round((shift_s or 0) * track.timescale)
        chunk = replace(
            chunk,
            decode_time=chunk.decode_time + ticks,
            earliest_pts=chunk.earliest_pts + ticks,
        )
        if shift_s is not None:
            self._check_time(track, chunk, now_s)
        track.headed = False
        if not track.wants(chunk.decode_time, chunk.independent, self.duration_s):
            return None
        if self.duration_s is not None:
            if track.number_of(chunk.decode_time, self.duration_s) <= self.edge:
                self.late_chunks += 1
                return None
            self._check_length(track, chunk)
        volume, record = track.log.append(
            rebase(data, ticks, track.timescale) if ticks else data,
            decode_time=chunk.decode_time,
            duration=chunk.duration,
            earliest=chunk.earliest_pts,
            flags=(INDEPENDENT if chunk.independent else 0) | (RAW if shift_s is None else 0),
        )
        if self.duration_s is not None:
            track.close_before(record, self.duration_s)
        track.place(volume, record, self.duration_s)
        if self.duration_s is not None:
            track.close_full(self.duration_s)
            if "lmsg" in chunk.brands:
                track.close(force=True, duration_s=self.duration_s)
            if (stored := track.holding(record)) is not None:
                self.on_chunk(track, stored)
        return record

    def learn(self, track: LiveTrack, length: int, now_s: float) -> None:
        """Take the grid from the length (ticks) of the first finished segment."""
        if self.duration_s is not None or not self._leads(track):
            return
        duration_s = Fraction(length, track.timescale)
        if SANE_S[0] <= duration_s <= SANE_S[1]:
            self._anchor_waiting(duration_s, now_s)
            self._set_grid(duration_s)
            for name, other in self.tracks.items():
                other.settle(duration_s, self.kept.anchor.shift(name))

    def finish(self, track: LiveTrack, *, end_of_track: bool) -> None:
        """A body ended cleanly: its segment is whole if it reaches its boundary (I3, I7)."""
        if self.duration_s is not None:
            track.close(force=end_of_track, duration_s=self.duration_s)

    def advance(self) -> list[int]:
        """Publish what can be published; returns the new numbers, oldest first."""
        tracks = [t for t in self.tracks.values() if t.rendition.kind != "text"]
        whole = {t.rendition.name: [s.number for s in t if s.whole] for t in tracks}
        top = max((max(numbers, default=-1) for numbers in whole.values()), default=-1)
        if top < 0:
            return []
        if self.kept.first < 0:
            have = [min(numbers) for numbers in whole.values() if numbers]
            patience = BIRTH if len(have) == len(tracks) else AHEAD
            if top < min(have) + patience:
                return []
            self.kept.first = max(have)
            self.edge = self.kept.first - 1
            self.kept.breaks = [number for number in self.kept.breaks if number > self.kept.first]
            self._save()
        fresh = []
        breaks = len(self.kept.breaks)
        last = max(top, self.kept.filled)
        self.edge = max(self.edge, last - self._reach)
        while self.edge < last:
            number = self.edge + 1
            forced = number <= max(self.kept.filled, top - AHEAD)
            if not forced and not all(t.whole(number) for t in tracks):
                break
            self.edge = number
            fresh.append(number)
            if self._breaks(number) and number not in self.kept.breaks:
                self.kept.breaks.append(number)
        if len(self.kept.breaks) != breaks:
            self._save()
        return fresh

    def fill(self, last: int) -> list[int]:
        """Publish up to this number whatever is missing; returns the new numbers."""
        self.kept.filled = last
        self._save()
        return self.advance()

    def listed(self, track: LiveTrack, first: int, last: int) -> list[Segment]:
        """The published segments of these numbers, gaps where media is missing."""
        duration_s = self.duration_s
        assert duration_s is not None
        breaks = set(self.kept.breaks)
        found = []
        for number in range(max(first, self.kept.first), min(last, self.edge) + 1):
            if (stored := track.whole(number)) is not None:
                found.append(stored.segment(discontinuity=number in breaks))
                continue
            start = track.boundary(number, duration_s)
            length = track.boundary(number + 1, duration_s) - start
            found.append(Segment(number, start, length, gap=True, discontinuity=number in breaks))
        return found

    def expire(self) -> list[tuple[str, int]]:
        """Let go of media older than the retention; returns (track, number) of what left."""
        if self.duration_s is None or self.edge < 0:
            return []
        before_s = self.edge * self.duration_s - self._settings.retention_s
        return [
            (track.rendition.name, number)
            for track in self.tracks.values()
            for number in track.expire(before_s)
        ]

    def describe(self, track: LiveTrack) -> Rendition:
        """The rendition with its frame rate once there is media to measure."""
        rendition = track.rendition
        if rendition.kind == "video" and rendition.frame_rate is None:
            stored = next((s for s in track if s.whole), None)
            if stored is not None:
                chunks = [parse_chunk(track.log.read(*at), track.track) for at in stored.parts]
                track.measure(sum(c.samples for c in chunks), sum(c.duration for c in chunks))
        return track.rendition

    def close(self) -> None:
        for track in self.tracks.values():
            track.log.close()

    def _open(self, name: str, data: bytes) -> LiveTrack:
        movie = parse_init(data)
        if len(movie.tracks) != 1:
            raise BadMedia("a CMAF header has exactly one track (C1)", code="not_one_track")
        if not movie.fragmented:
            raise UnsupportedMedia("the header has no mvex: not a fragmented file (C1)")
        track = movie.tracks[0]
        if track.timescale <= 0 or not track.entries:
            raise BadMedia("the header has no timescale or no sample entry")
        rendition = describe(name, track)
        volume_ticks = self._settings.retention_s * track.timescale // VOLUMES
        log = TrackLog(
            self.folder / name, volume_ticks=volume_ticks, power_safe=self._settings.power_safe
        )
        self.tracks[name] = LiveTrack(rendition, track, data, log)
        return self.tracks[name]

    @property
    def _reach(self) -> int:
        """Numbers that can matter: older ones have no media left and stand in no playlist."""
        return int(2 * self._settings.retention_s / (self.duration_s or Fraction(1))) + AHEAD

    def _leads(self, track: LiveTrack) -> bool:
        """Video sets the grid; audio only where there is no video."""
        kinds = {t.rendition.kind for t in self.tracks.values()}
        return track.rendition.kind == ("video" if "video" in kinds else "audio")

    def _shift(
        self, track: LiveTrack, chunk: Chunk, now_s: float, source: Source
    ) -> Fraction | None:
        """What to add to this source's times; None while there is no grid to count in."""
        anchor, name = self.kept.anchor, track.rendition.name
        if source.shift_s is not None:
            if source.shift_s and source.shift_s != anchor.shift(name):
                raise BadMedia("a newer session of this track has begun", code="superseded")
            return source.shift_s
        if epoch_locked(
            Fraction(chunk.decode_time, track.timescale), now_s, self._settings.epoch_slack_s
        ):
            shift_s = Fraction(0)
        elif self.duration_s is None:
            return None
        else:
            shift_s = self._session(track, chunk, self._held(self.duration_s, now_s))
        if anchor.join(name, shift_s):
            self._save()
        source.shift_s = shift_s
        return shift_s

    def _session(self, track: LiveTrack, chunk: Chunk, held: Held) -> Fraction:
        """The shift of the session that this chunk continues, or begins."""
        start_s = Fraction(chunk.decode_time, track.timescale)
        end_s = Fraction(chunk.decode_time + chunk.duration, track.timescale)
        arrival = Arrival(track.rendition.name, start_s, end_s, track.headed)
        shift_s = self.kept.anchor.continued(arrival, held)
        if shift_s is not None:
            return shift_s
        number = track.number_of(chunk.decode_time, held.segment_s)
        shift_s = landing(number, start_s, end_s, held)
        if end_s + shift_s > held.now_s + FUTURE_S:
            raise BadMedia("the media comes faster than time", code="time_in_future")
        self._begin(start_s + shift_s, shift_s, number + int(shift_s / held.segment_s))
        return shift_s

    def _held(self, duration_s: Fraction, now_s: float) -> Held:
        newest = {n: t.newest for n, t in self.tracks.items() if t.newest is not None}
        return Held(
            now_s=Fraction(now_s),
            segment_s=duration_s,
            last_number=max(self.edge, *(s.number for s in newest.values()), -1),
            edge_s=(self.edge + 1) * duration_s,
            heads={n: Fraction(s.end, self.tracks[n].timescale) for n, s in newest.items()},
        )

    def _begin(self, start_s: Fraction, shift_s: Fraction, number: int) -> None:
        """A session lands: what it leaves behind is gaps, and its first number is a break."""
        self.kept.anchor.begin(start_s, shift_s)
        if self.kept.first >= 0:
            self.kept.breaks.append(number)
            self.kept.filled = max(self.kept.filled, number - 1)

    def _anchor_waiting(self, duration_s: Fraction, now_s: float) -> None:
        """The first session of a channel begins with what waited for its grid."""
        raw = [(t, r) for t in self.tracks.values() for _, r in t.waiting if r.flags & RAW]
        if not raw:
            return
        start_s = min(Fraction(r.decode_time, t.timescale) for t, r in raw)
        end_s = max(Fraction(r.end, t.timescale) for t, r in raw)
        held = self._held(duration_s, now_s)
        shift_s = landing(int(start_s / duration_s), start_s, end_s, held)
        self.kept.anchor.begin(start_s + shift_s, shift_s)
        for track in {t.rendition.name for t, _ in raw}:
            self.kept.anchor.join(track, shift_s)

    def _check_time(self, track: LiveTrack, chunk: Chunk, now_s: float) -> None:
        end_s = Fraction(chunk.decode_time + chunk.duration, track.timescale)
        if self.duration_s is not None and end_s > now_s + FUTURE_S:
            raise BadMedia("the media time is ahead of the clock", code="time_in_future")

    def _check_length(self, track: LiveTrack, chunk: Chunk) -> None:
        """A segment that rounds above the target duration can never be listed (HLS-1)."""
        stored = track.open
        number = track.number_of(chunk.decode_time, self.duration_s or Fraction(1))
        begins = stored is None or stored.number != number or stored.whole
        start = chunk.decode_time if begins or stored is None else stored.start
        limit = (self.kept.target_s + Fraction(1, 2)) * track.timescale
        if chunk.decode_time + chunk.duration - start >= limit:
            raise BadMedia("the segment is longer than the target duration", code="too_long")
        if not begins and stored is not None:
            size_bytes = stored.size_bytes + chunk.size
            if size_bytes > self._settings.segment_bytes:
                raise BadMedia("the segment has too many bytes", code="too_large")

    def _breaks(self, number: int) -> bool:
        """Whether any track's media does not touch what was listed before it."""
        if number == self.kept.first:
            return False
        for track in self.live_tracks:
            here, before = track.whole(number), track.whole(number - 1)
            if here is None:
                continue
            if before is None or abs(here.start - before.end) > TOUCH_S * track.timescale:
                return True
        return False

    def _set_grid(self, duration_s: Fraction) -> None:
        self.kept.segment = str(duration_s)
        long_s = duration_s + OVERHANG_S
        self.kept.target_s = target_duration_s([(long_s.numerator, long_s.denominator)])
        self._save()

    def _save(self) -> None:
        replace_file(self._state, msgspec.json.encode(asdict(self.kept)))
