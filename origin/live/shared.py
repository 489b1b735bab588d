"""Live channels of several processes over one folder: each is written by one, served by all.

Theory of operation
1. A process that takes in media for a channel claims it (owner.py); the others follow (follow.py),
   woken by the bus and, should that fail, by a slow look at the files (`poll`).
2. An idle channel belongs to nobody after a start: encoders come in where the kernel puts them, and
   so does the work. Who finds a channel free at its start puts it in order and lets go of it again.
3. When an owner dies its lock is free: the next push for the channel makes some process the owner.
   Without a push the first that finds gaps due claims it, because only an owner may publish them.
4. A process that drains gives away what no request of its own is writing.
5. Memory: segments of followed channels live in a window of their own, `follow_bytes`; what is not
   there comes from the kernel's page cache, which all processes share.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from native.http import Hot
from origin import metrics
from origin.errors import OriginError
from origin.live.bus import Bus
from origin.live.channel import LiveChannel
from origin.live.channels import Channels
from origin.live.follow import Follower
from origin.live.owner import Owners, tell_edge
from origin.live.presentation import Presentation
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.live.window import HotWindow
from origin.live.writer import Writer
from origin.protection.ring import Ring
from origin.settings import Settings
from runtime import logs

ADOPT_S = 5.0  # between tries to claim a silent channel
RUN = "run"

log = logs.get("live")


class SharedChannels(Channels):
    """Channels that this process writes, and those that it follows."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        hot: Hot,
        clock: Callable[[], float],
        *,
        wall: Callable[[], float],
        address: str,
        ring: Ring | None = None,
    ) -> None:
        super().__init__(folder, settings, hot, clock, ring)
        self.run = folder.parent / RUN
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.owners = Owners(self.run, address)
        self.followers: dict[str, Follower] = {}
        self.copied: dict[str, str] = {}
        self.on_write: Callable[[str], None] = lambda _: None
        self._bus = Bus(self.run, address, self._heard)
        self._followed = HotWindow(hot, settings.follow_bytes)
        self._busy: Counter[str] = Counter()
        self._edges: dict[str, int] = {}
        self._tried_s: dict[str, float] = {}
        self._wall = wall
        self._folder_seen = 0
        self._draining = False

    def open(self) -> None:
        """Serve every channel on disk; those that nobody writes are put in order first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._bus.start()
        for name in self._new_names():
            if self.claim(name):
                self.release(name)
            else:
                self._refresh(name)

    def advance(self, writer: Writer) -> None:
        super().advance(writer)
        self._tell(writer.channel)

    def fill_gaps(self) -> None:
        super().fill_gaps()
        for writer in self.writers.values():
            if self._edges.get(writer.channel.name) != writer.channel.edge:
                self._tell(writer.channel)

    @contextmanager
    def writing(self, name: str) -> Iterator[bool]:
        """Around one push: whether this process may write the channel while it lasts."""
        if not self.claim(name):
            yield False
            return
        self._busy[name] += 1
        try:
            yield True
        finally:
            self._busy[name] -= 1
            if not self._busy[name]:
                del self._busy[name]
                if self._draining or name not in self.writers:
                    self.release(name)

    def claim(self, name: str) -> bool:
        """Write this channel from now on; False when another process does."""
        if name in self.writers:
            return True
        if name in self.copied or not self.owners.take(name):
            return False
        try:
            if (self.folder / name).is_dir():
                self._promote(name)
        except (OSError, OriginError):
            self.owners.release(name)
            raise
        return True

    def release(self, name: str) -> None:
        """Only follow this channel from now on."""
        if (writer := self.writers.pop(name, None)) is not None:
            presentation = self.presentations[name]
            follower = Follower(writer.channel, presentation)
            follower.hand_over()
            self.followers[name] = follower
            presentation.move(self._followed)
        self.owners.release(name)

    def copy(self, name: str, url: str) -> bool:
        """Hold this channel for a copy of what the origin at `url` writes, unless a process here
        writes it.
        """
        if name in self.writers or not self.owners.take(name):
            return False
        self.copied[name] = url
        return True

    def copy_changed(self, name: str) -> None:
        """The copy's files grew."""
        self._refresh(name)
        self._bus.tell(name)

    def let_go(self, name: str) -> None:
        """No copy any more: any process here may claim the channel."""
        del self.copied[name]
        self.owners.release(name)

    def forget(self, name: str) -> None:
        """The copy began anew: what was read of it before does not count."""
        self.followers.pop(name, None)
        if (presentation := self.presentations.pop(name, None)) is not None:
            presentation.forget_all()
            for track in presentation.channel.tracks.values():
                for stored in track:
                    for each in presentation.siblings:
                        each.window.drop(each.path(track, f"{stored.number}.m4s"))
            presentation.channel.close()

    def poll(self) -> None:
        """Look for what the bus did not tell, and for channels without a writer whose gaps are due;
        call it about once a second.
        """
        for name in self._new_names():
            self._refresh(name)
        now_s, wall_s = self.clock(), self._wall()
        for name, follower in list(self.followers.items()):
            if follower.stale(wall_s):
                self._refresh(name)
            if not self._draining and follower.presentation.due(now_s) > follower.channel.edge:
                self._adopt(name, now_s)

    def drain(self) -> None:
        """Give away what no request is writing, now and as requests end."""
        self._draining = True
        for name in list(self.writers):
            if name not in self._busy:
                self.release(name)

    def close(self) -> None:
        super().close()
        self._bus.close()
        self.owners.close()

    def _adopt(self, name: str, now_s: float) -> None:
        if now_s - self._tried_s.get(name, -ADOPT_S) >= ADOPT_S:
            self._tried_s[name] = now_s
            self.claim(name)

    def _promote(self, name: str) -> None:
        follower = self.followers.pop(name, None) or self._follow(name)
        now_s = self.clock()
        try:
            follower.refresh(now_s, self._wall())
            follower.claim()
        except (OSError, OriginError):
            self.followers[name] = follower
            raise
        writer = self._write(follower.channel)
        if numbers := writer.advance():
            follower.show(numbers, now_s)
            self.on_publish(name)
        follower.presentation.move(self.window)
        self.writers[name] = writer
        self._tell(writer.channel)
        log.info("channel_claimed", channel=name, edge=writer.channel.edge)

    def _present(self, channel: LiveChannel, window: HotWindow) -> Presentation:
        presentation = super()._present(channel, window)
        show = channel.on_chunk

        def stored(track: LiveTrack, segment: Stored) -> None:
            show(track, segment)
            if not channel.read_only:
                self._changed(channel.name)

        channel.on_chunk = stored
        return presentation

    def _heard(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.writers:
                self._refresh(name)

    def _refresh(self, name: str) -> None:
        """Take in what another process wrote; a channel that cannot be read is left as it was."""
        try:
            follower = self.followers.get(name) or self._follow(name)
            self.followers[name] = follower
            if follower.refresh(self.clock(), self._wall()):
                self.on_publish(name)
        except (OSError, OriginError) as error:
            metrics.FOLLOW_ERRORS.inc()
            log.warning("follow_failed", channel=name, error=str(error))

    def _follow(self, name: str) -> Follower:
        channel = LiveChannel(name, self.folder / name, self._settings, read_only=True)
        return Follower(channel, self._present(channel, self._followed))

    def _tell(self, channel: LiveChannel) -> None:
        if self._edges.get(channel.name) != channel.edge:
            tell_edge(channel.folder, channel.edge)
            self._edges[channel.name] = channel.edge
        self._changed(channel.name)

    def _changed(self, name: str) -> None:
        self._bus.tell(name)
        self.on_write(name)

    def _new_names(self) -> list[str]:
        """Channels on disk that are neither written nor followed here."""
        seen = self.folder.stat().st_mtime_ns
        if seen == self._folder_seen:
            return []
        self._folder_seen = seen
        known = self.writers.keys() | self.followers.keys()
        return sorted(p.name for p in self.folder.iterdir() if p.is_dir() and p.name not in known)
