"""A live channel: its tracks in step, and the edge up to which segments are published.

Theory of operation
1. The grid (segment duration) is a setting, or learned from the first finished video segment, and
   kept for the channel's life together with the target duration (HLS-2).
2. Number n is published for all tracks together: when every track has it whole, or when some track
   is AHEAD segments further on. What is missing then is a gap for ever, in every manifest (HLS-9,
   I8, I14); later media for it is accepted and dropped.
3. Both rules look only at media, never at a clock or at arrival order, and more media never makes
   fewer numbers publishable: after a restart the same log yields the same edge (AB6).
4. While no media comes, the writer fills: it publishes gaps, so that playlists keep moving (HLS-6);
   how far it went is remembered, because no log shows it.
5. Sources that do not count from 1970 are moved to the epoch timeline on the way in (sessions.py):
   the log, the numbers and all manifests know epoch time only. Until the grid is learned their
   media waits in the log as it came.
6. A number is a break when media before it is missing or does not touch it: EXT-X-DISCONTINUITY in
   all playlists alike (HLS-10) and a new DASH Period (D13).
7. State is a function of the logs and `channel.json`. Who only follows calls `reload` when that
   file changed, `open_track` for a new header, `place` for each new record, and then `advance` up
   to the edge that the writer told; it writes nothing. The writer (writer.py) does the same things
   to the same state, and saves what `advance` left `dirty`.
8. Where parts are shown, a track that is gone holds the others up once: until its first gap is
   published. From then on nobody waits for it, neither at the edge nor with parts. The number that
   it comes back in may be on show already, without a break, so that it stays a gap of that track;
   the one after it is waited for, and is a break in all playlists from its first part on.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from native.bmff import parse_chunk, parse_init
from origin.describe import describe
from origin.errors import BadMedia, DiskFull, UnsupportedMedia
from origin.events import Span
from origin.live.casts import decide, prune
from origin.live.events import Journal, Shown
from origin.live.grid import TOUCH_S
from origin.live.kept import Kept, load, save
from origin.live.log import HEADER, TrackLog
from origin.live.parts import learned
from origin.live.records import Record
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.settings import Settings
from origin.tracks import SPARSE, Rendition, Segment

AHEAD = 3  # segments: I13 lets a source resend this long after a lost connection
BIRTH = 1  # segments that a new channel's first track waits for headers of the others
VOLUMES = 8  # of the log within the retention
FRESH_BYTES = 64 << 20  # of a track in memory at most, if its edge stands still
VOLUME_S = 600  # at most, so that holds and the archive let go in small steps


class LiveChannel:
    """The tracks of one channel and its published edge; knows no socket and no clock. A `read_only`
    one begins empty, for who follows (follow.py); one that is `lasting` is a copy, which no
    retention ends (copies.py).
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: Settings,
        *,
        read_only: bool = False,
        lasting: bool = False,
    ) -> None:
        self.name = name
        self.lasting = lasting
        self.folder = folder
        self.tracks: dict[str, LiveTrack] = {}
        self.edge = -1
        self.dirty = False
        self.lapsing = False  # dirty with nothing but gaps
        self.complete: Callable[[int], None] = lambda _: None  # of its writer, before it publishes
        self.on_chunk: Callable[[LiveTrack, Stored], None] = lambda *_: None
        self.held: Callable[[Fraction, Fraction], bool] = lambda *_: lasting
        self._settings = settings
        self._ends: dict[str, int] = {}  # the number that was newest when a track ended
        self._grid: tuple[str, Fraction | None] = ("", None)
        self._part: tuple[str, Fraction | None] = ("", None)
        self.read_only = read_only
        self.kept = Kept()
        self.events = Journal(folder, settings.retention_s, read_only=read_only)
        if read_only:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self.reload()
        configured = settings.channels.get(name)
        if not self.kept.segment and configured is not None and configured.segment_s:
            self.kept.set_grid(configured.segment_s)
            self.dirty = True
        if not self.kept.part and settings.low_latency and configured and configured.part_s:
            self.kept.part = str(configured.part_s)
            self.dirty = True
        for path in sorted(folder.glob(f"*/{HEADER}")):
            track = self.open_track(path.parent.name, path.read_bytes())
            track.recover(self.duration_s)
            if self.duration_s:
                track.settle(self.duration_s, self.kept.anchor.shift(path.parent.name))
        if self.duration_s:
            self.edge = max(self.kept.first - 1, -1)
            self.advance()
        self.save_if_dirty()

    @property
    def duration_s(self) -> Fraction | None:
        """The grid, once it is known."""
        text = self.kept.segment
        if self._grid[0] != text:
            self._grid = (text, Fraction(text))
        return self._grid[1]

    @property
    def low_latency(self) -> bool:
        """Whether parts are shown before their segment is whole: what is stored then stands."""
        return bool(self.kept.part)

    @property
    def part_s(self) -> Fraction | None:
        """The part target, where there are parts (HLS-14)."""
        text = self.kept.part
        if self._part[0] != text:
            self._part = (text, Fraction(text) if text else None)
        return self._part[1]

    @property
    def ended(self) -> bool:
        """Whether the newest published number is the last, as far as the encoders say (HLS-26)."""
        return 0 <= self.kept.end == self.edge

    @property
    def live_tracks(self) -> list[LiveTrack]:
        """Tracks that ever had media, by name: video rungs first, then audio, then text."""
        order = {"video": 0, "audio": 1, "text": 2, "event": 3}
        tracks = [t for t in self.tracks.values() if t.segments.last_whole >= 0]
        return sorted(tracks, key=lambda t: (order[t.rendition.kind], t.rendition.name))

    def reload(self) -> None:
        """Read `channel.json` again."""
        self.kept = load(self.folder)

    def save_if_dirty(self) -> None:
        """Keep what changed; the writer's alone. A power cut may take the newest gaps, as it may
        the newest media (log.py): nothing waits for the disk while channels are silent.
        """
        if self.dirty or self.lapsing:
            with contextlib.suppress(DiskFull):  # it stays dirty, for the next time
                save(self.folder, self.kept, sync=self.dirty or self._settings.power_safe)
                self.dirty = self.lapsing = False

    def open_track(self, name: str, header: bytes) -> LiveTrack:
        """A track of this header, in the state before any media."""
        movie = parse_init(header)
        if len(movie.tracks) != 1:
            raise BadMedia("a CMAF header has exactly one track (C1)", code="not_one_track")
        if not movie.fragmented:
            raise UnsupportedMedia("the header has no mvex: not a fragmented file (C1)")
        track = movie.tracks[0]
        if track.timescale <= 0 or not track.entries:
            raise BadMedia("the header has no timescale or no sample entry")
        rendition = describe(name, track)
        volume_ticks = min(self._settings.retention_s // VOLUMES, VOLUME_S) * track.timescale
        log = TrackLog(
            self.folder / name,
            volume_ticks=volume_ticks,
            power_safe=self._settings.power_safe,
            read_only=self.read_only,
            fresh_bytes=FRESH_BYTES,
        )
        opened = self.tracks[name] = LiveTrack(rendition, track, header, log)
        opened.away = lambda number: self.away(opened, number)
        return opened

    def place(self, track: LiveTrack, volume: int, record: Record) -> Stored | None:
        """Take one record of the log into the state; returns the segment that took it."""
        return track.place(volume, record, self.duration_s)

    def advance(self, limit: int | None = None) -> list[int]:
        """Publish what can be published, up to `limit`; returns the new numbers, oldest first."""
        if self.read_only:
            self.events.tail()
        tracks = [t for t in self.tracks.values() if t.rendition.kind not in SPARSE]
        top = max((t.segments.last_whole for t in tracks), default=-1)
        if top < 0:
            return []
        if self.kept.first < 0:
            have = [first for t in tracks if (first := t.segments.first_whole) >= 0]
            patience = BIRTH if len(have) == len(tracks) else AHEAD
            if top < min(have) + patience:
                return []
            self.kept.first = max(have)
            self.edge = self.kept.first - 1
            self.kept.breaks = [number for number in self.kept.breaks if number > self.kept.first]
            if not self.kept.part and self._settings.low_latency:
                self.kept.part = str(
                    learned(tracks, self.kept.first, self.duration_s or Fraction(1)) or ""
                )
            self.dirty = True
        fresh = []
        last = max(top, self.kept.filled)
        self.edge = max(self.edge, last - self._reach)
        last = last if limit is None else min(last, limit)
        while self.edge < last:
            number = self.edge + 1
            forced = number <= max(self.kept.filled, top - AHEAD)
            if not forced and not all(t.whole(number) or self.away(t, number) for t in tracks):
                break
            if not self.read_only:
                self.complete(number)
            self.edge = number
            fresh.append(number)
            if self._breaks(number) and number not in self.kept.breaks:
                self.kept.breaks.append(number)
                self.dirty = True
            self._recast(number)
        for track in self.tracks.values():
            track.published = self.edge
        return fresh

    def end(self, track: LiveTrack) -> None:
        """The track's encoder said that nothing follows. Once all did, and nothing followed on any
        track, the channel ends with its highest number.
        """
        if track.newest is not None:
            self._ends[track.rendition.name] = track.newest.number
        tracks = [t for t in self.tracks.values() if t.rendition.kind not in SPARSE]
        numbers = [t.newest.number if t.newest is not None else -1 for t in tracks]
        if numbers == [self._ends.get(t.rendition.name) for t in tracks]:
            self.kept.end = max(numbers)
            self.kept.filled = max(self.kept.filled, self.kept.end)
            self.dirty = True

    def opens(self, number: int) -> bool:
        """Whether parts of the number in progress can be shown: every track that is waited for has
        begun it, so that it is settled whether it is a break (HLS-16).
        """
        tracks = [
            t
            for t in self.tracks.values()
            if t.rendition.kind not in SPARSE and (t.whole(number) or not self.away(t, number))
        ]
        begun = [(t, t.segments.get(number), t.whole(number - 1)) for t in tracks]
        if number != self.edge + 1 or not all(here for _, here, _ in begun):
            return False
        if number not in self.kept.breaks and any(_parted(*entry) for entry in begun):
            self.kept.breaks.append(number)
            self.dirty = True
        return True

    def away(self, track: LiveTrack, number: int) -> bool:
        """Whether low latency goes on without this track: it has nothing of the number before,
        which is published, and others have (rule 8).
        """
        before = number - 1
        if not self.low_latency or not 0 <= self.kept.first <= before <= self.edge:
            return False
        if track.rendition.kind in SPARSE or before in track.segments:
            return False
        tracks = [t for t in self.tracks.values() if t.rendition.kind not in SPARSE]
        return any(before in t.segments for t in tracks)

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

    def expire(self, keep_s: int = 0) -> list[tuple[str, int]]:
        """Let go of media older than the retention, or than `keep_s` when the disk is short;
        returns (track, number) of what left.
        """
        if self.duration_s is None or self.edge < 0:
            return []
        before_s = self.edge * self.duration_s - (keep_s or self._settings.keep_s)
        self.events.expire(before_s, self.held)
        return [
            (track.rendition.name, number)
            for track in self.tracks.values()
            for number in track.expire(before_s, self.held)
        ]

    def left(self, track: LiveTrack, number: int) -> bool:
        """Whether media of this number has left the origin, if there was any (O6)."""
        behind_s = (self.edge - number) * (self.duration_s or Fraction(0))
        return number < track.segments.first_whole or behind_s > self._settings.keep_s

    def describe(self, track: LiveTrack) -> Rendition:
        """The rendition with its frame rate once there is media to measure."""
        rendition = track.rendition
        if rendition.kind == "video" and rendition.frame_rate is None:
            stored = track.whole(track.segments.last_whole)
            if stored is not None:
                chunks = [parse_chunk(track.log.read(*at), track.track) for at in stored.parts]
                track.measure(sum(c.samples for c in chunks), sum(c.duration for c in chunks))
        inband = self.shown.inband(rendition.name)
        return replace(track.rendition, inband=inband) if inband else track.rendition

    @property
    def cues(self) -> tuple[Span, ...]:
        """Spans that playlists tell by cue tags too, where that is asked for (TM9)."""
        return self.shown.spans if self._settings.cue_tags else ()

    @property
    def shown(self) -> Shown:
        """The events that the manifests of this edge tell."""
        return self.events.shown(self.edge, (self.edge + 1) * (self.duration_s or Fraction(1)))

    def close(self) -> None:
        self.events.close()
        for track in self.tracks.values():
            track.log.close()

    @property
    def _reach(self) -> int:
        """Numbers that can matter: older ones have no media left and stand in no playlist."""
        return int(2 * self._settings.keep_s / (self.duration_s or Fraction(1))) + AHEAD

    def _recast(self, number: int) -> None:
        """Keep who is shown from this number on, if that changes (D3)."""
        kept = self.kept
        cast = decide(kept.casts, number, self.live_tracks, breaks=number in kept.breaks)
        if cast is not None:
            kept.casts = [*prune(kept.casts, number - self._reach), cast]
            self.dirty = True

    def _breaks(self, number: int) -> bool:
        """Whether any track's media does not touch what was listed before it."""
        if number == self.kept.first:
            return False
        tracks = [t for t in self.live_tracks if t.rendition.kind not in SPARSE]
        return any(_parted(t, t.whole(number), t.whole(number - 1)) for t in tracks)


def _parted(track: LiveTrack, here: Stored | None, before: Stored | None) -> bool:
    """Whether media does not touch what was before it."""
    if here is None:
        return False
    return before is None or abs(here.start - before.end) > TOUCH_S * track.timescale
