"""A channel that another process writes: its log and `channel.json` read as they grow.

Theory of operation
1. A follower's state is the writer's, a moment later: the same records placed by the same code
   (channel.py). It never decides what is published: it reads how far the writer has told (owner.py)
   first, then `channel.json`, then the logs. Both were written before the edge was told, so all
   that was published up to there is in what is read afterwards.
2. Every record is told to the presentation as the writer tells it: a chunk, together with the seal
   that came with it.
3. A follower that becomes the writer keeps its state: nobody writes then, so after a last look only
   the torn tail of the old writer is left, and that is cut. The edge never goes back: it is a
   function of what is in the logs, and more media never makes fewer numbers publishable.
"""

from pathlib import Path

from origin.live.channel import LiveChannel
from origin.live.kept import STATE
from origin.live.log import HEADER
from origin.live.owner import EDGE, told_edge
from origin.live.presentation import Presentation
from origin.live.records import END, RAW
from origin.live.track import LiveTrack

YOUNG_S = 0.1  # files changed so lately may change again within one tick of their clock


class Seen:
    """A file or folder as it was when last looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version = (0, 0)

    def changed(self, wall_s: float) -> bool:
        """Whether it may have changed since the last call; one that is not there has not."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return False
        before, self._version = self._version, (stat.st_ino, stat.st_mtime_ns)
        return before != self._version or abs(wall_s - stat.st_mtime) < YOUNG_S

    def forget(self) -> None:
        """Look again next time."""
        self._version = (0, 0)


class Follower:
    """Keeps one read-only channel and its presentation up to date."""

    def __init__(self, channel: LiveChannel, presentation: Presentation) -> None:
        self.channel = channel
        self.presentation = presentation
        self._edge = Seen(channel.folder / EDGE)
        self._kept = Seen(channel.folder / STATE)
        self._tracks = Seen(channel.folder)
        self._shown = channel.edge >= 0

    def refresh(self, now_s: float, wall_s: float) -> bool:
        """Read what is new; True when the edge moved, or the channel ended or went on.
        FileNotFoundError when the folder is gone.

        `now_s` is the clock of the presentation's steps, `wall_s` that of the files.
        """
        channel = self.channel
        self._edge.changed(wall_s)
        limit = told_edge(channel.folder)
        grid = channel.duration_s
        if self._kept.changed(wall_s):
            channel.reload()
        if self._tracks.changed(wall_s):
            self._open_tracks()
        if grid is None and channel.duration_s is not None:
            for track in channel.tracks.values():
                self._seat(track)
        for track in channel.tracks.values():
            self._tail(track)
        if limit < 0 or channel.duration_s is None:
            return False
        channel.edge = max(channel.edge, channel.kept.first - 1)
        numbers = channel.advance(limit)
        if channel.dirty:  # the writer has decided the same, and kept it before it told the edge
            channel.dirty = False
            channel.reload()
        if numbers:
            self.show(numbers, now_s)
        return self.presentation.turned() or bool(numbers)

    def stale(self, wall_s: float) -> bool:
        """Whether the writer may have published since the last refresh."""
        return self._edge.changed(wall_s)

    def show(self, numbers: list[int], now_s: float) -> None:
        """Publish these numbers, the first time all that is listed. Gaps are no step (HLS-6)."""
        presentation, channel = self.presentation, self.channel
        if not self._shown:
            self._shown = True
            numbers = list(range(presentation.first_listed, channel.edge + 1))
        if any(track.whole(channel.edge) for track in channel.tracks.values()):
            presentation.stepped(now_s)
        presentation.publish(numbers)

    def claim(self) -> None:
        """Become the writer; the caller holds the lock and has refreshed since it got it."""
        channel = self.channel
        channel.events.tail()
        channel.events.claim()
        channel.read_only = False
        channel.reload()
        for name, track in channel.tracks.items():
            track.log.claim()
            if channel.duration_s:
                track.settle(channel.duration_s, channel.kept.anchor.shift(name))

    def hand_over(self) -> None:
        """Stop writing; the caller then lets go of the lock."""
        self.channel.read_only = True
        self.channel.events.hand_over()
        for track in self.channel.tracks.values():
            track.log.hand_over()

    def _open_tracks(self) -> None:
        """Tracks whose header is there; for one that is about to get it we look again."""
        channel = self.channel
        for path in sorted(p for p in channel.folder.iterdir() if p.is_dir()):
            header = path / HEADER
            if path.name not in channel.tracks:
                if header.exists():
                    channel.open_track(path.name, header.read_bytes())
                else:
                    self._tracks.forget()

    def _seat(self, track: LiveTrack) -> None:
        """The grid is known: what waited for it takes its place, save what the writer will store
        again at another time.
        """
        waiting, track.waiting = track.waiting, []
        for volume, record in sorted(waiting, key=lambda entry: entry[1].decode_time):
            self.channel.place(track, volume, record)

    def _tail(self, track: LiveTrack) -> None:
        channel = self.channel
        told = None
        for volume, record in track.log.tail():
            media = not record.flags & (END | RAW)
            if media and told is not None:
                channel.on_chunk(track, told)
            stored = channel.place(track, volume, record)
            if media:
                told = stored
            elif stored is not None and stored is not told:
                channel.on_chunk(track, stored)  # sealed without another chunk
        if told is not None:
            channel.on_chunk(track, told)
