"""The live channels of one origin process: opened from disk, created by a header, published."""

import shutil
from collections.abc import Callable
from math import inf
from pathlib import Path

from native.http import Hot
from origin.errors import BadMedia, UnknownChannel
from origin.live.beside import Beside
from origin.live.channel import AHEAD, LiveChannel
from origin.live.copies import Copies
from origin.live.dash_face import DashFace
from origin.live.health import condition
from origin.live.hls_face import HlsFace
from origin.live.holds import Holds
from origin.live.presentation import Presentation
from origin.live.recordings import Recordings
from origin.live.sealing import Sealing
from origin.live.spares import Budget
from origin.live.telling import Telling
from origin.live.turns import other
from origin.live.window import HotWindow
from origin.live.writer import Writer
from origin.protection.ring import Ring
from origin.settings import Settings
from runtime import logs

QUIET_S = 0.5  # how often a silent channel is looked at


class Channels:
    """Channels and their presentations by name; `on_publish` hears of every step of an edge.

    `clock` is steady: it tells who keeps pace, never what time it is. `ring` has the keys of
    protected channels.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        hot: Hot,
        clock: Callable[[], float],
        ring: Ring | None = None,
    ) -> None:
        self.ring = ring or Ring({}, clock)
        self.folder = folder
        self.window = HotWindow(hot, settings.hot_bytes)
        self.presentations: dict[str, Presentation] = {}
        self.writers: dict[str, Writer] = {}
        self.on_publish: Callable[[str], None] = lambda _: None
        self.holds = Holds(folder.parent / "holds", settings.range_s)
        self.copies = Copies(folder.parent / "copies", settings, self.ring)
        self.recordings = Recordings(settings, self.holds, self.presentations, self.copies)
        self._settings = settings
        self.clock = clock
        self._moved: dict[str, float] = {}  # when media last moved the edge
        self._quiet: dict[str, float] = {}  # until then no gap is due
        self._judged = [name for name, c in settings.channels.items() if c.force_error.on]
        self._budget = Budget(settings.spare_bytes)

    def open(self) -> None:
        """Recover every channel on disk and publish where it left off."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.glob("*/")):
            if path.is_dir():
                self._open(path.name)
        for presentation in self.presentations.values():
            if presentation.channel.edge >= 0:
                first, last = presentation.first_listed, presentation.channel.edge
                presentation.publish(list(range(first, last + 1)))

    def known(self, name: str) -> Writer | None:
        """The channel, or None when it may be created; UnknownChannel when it may not (I5: 404)."""
        if (writer := self.writers.get(name)) is not None:
            return writer
        if not self._settings.auto_channels and name not in self._settings.channels:
            raise UnknownChannel("no such channel is configured")
        return None

    def create(self, name: str) -> Writer:
        """The channel of this name, new if no other request has made it meanwhile."""
        if (writer := self.writers.get(name)) is not None:
            return writer
        if len(self.presentations) >= self._settings.channel_limit:
            raise BadMedia("this origin has too many channels", code="too_many_channels")
        return self._open(name)

    def discard_empty(self, name: str) -> None:
        """Forget a channel whose first header was refused."""
        writer = self.writers.get(name)
        if writer is not None and not writer.channel.tracks:
            del self.presentations[name], self.writers[name]
            self._quiet.pop(name, None)
            self._moved.pop(name, None)
            shutil.rmtree(writer.channel.folder, ignore_errors=True)

    def advance(self, writer: Writer) -> None:
        """Publish what became whole."""
        if numbers := writer.advance():
            name = writer.channel.name
            presentation = self.presentations[name]
            presentation.stepped(self.clock())
            self._moved[name] = self.clock()
            self._quiet[name] = self._moved[name] + float(writer.channel.duration_s or 0)
            presentation.publish(numbers)
            self.on_publish(name)
        elif self.presentations[writer.channel.name].turned():
            self.on_publish(writer.channel.name)

    def fill_gaps(self) -> None:
        """Let sources stand in for stale ones, and keep the playlists of silent channels moving
        (HLS-6); call it several times a second.
        """
        if self._budget.used_bytes:
            for writer in list(self.writers.values()):
                if writer.tick():
                    self.advance(writer)
        now_s = self.clock()
        for name, writer in self.writers.items():
            if now_s < self._quiet.get(name, 0.0):
                continue
            presentation = self.presentations[name]
            last = presentation.due(now_s)
            if last > presentation.channel.edge:
                presentation.publish(writer.fill(last))
                self.on_publish(name)
            lasting_s = (presentation.window_segments + 2 * AHEAD) * (
                writer.channel.duration_s or 0
            )
            dead = now_s > self._moved.get(name, now_s) + lasting_s
            self._quiet[name] = inf if dead else now_s + QUIET_S

    def judge(self, now_s: float) -> None:
        """Let the manifests of unfit channels answer an error (O15); `now_s` is the wall clock."""
        for name in self._judged:
            if (presentation := self.presentations.get(name)) is None:
                continue
            setting = self._settings.channels[name].force_error
            verdict = condition(presentation.channel, setting, now_s)
            if verdict != presentation.unfit:
                logs.get("health").warning("channel_fitness", channel=name, verdict=verdict)
            for each in presentation.siblings:
                each.unfit = verdict
            if verdict is not None:
                presentation.forget_all()

    def shed(self) -> None:
        """The disk is short: keep what playlists and holds need. What there is an archive for
        leaves by way of it.
        """
        if self._settings.archive_s:
            return
        for name in self.writers:
            presentation = self.presentations[name]
            listed_s = presentation.window_segments * (presentation.channel.duration_s or 0)
            presentation.expire(2 * max(self._settings.window_s, int(listed_s)))

    def close(self) -> None:
        for presentation in self.presentations.values():
            presentation.channel.close()
        self.copies.close()

    def _open(self, name: str) -> Writer:
        channel = LiveChannel(name, self.folder / name, self._settings)
        self._present(channel, self.window)
        return self._write(channel)

    def _write(self, channel: LiveChannel) -> Writer:
        """This process writes the channel from now on."""
        writer = Writer(channel, self._settings, self._budget, self.clock)
        self.presentations[channel.name].sealing.settle()
        self.writers[channel.name] = writer
        self._moved[channel.name] = self.clock()
        return writer

    def _present(self, channel: LiveChannel, window: HotWindow) -> Presentation:
        telling = Telling(channel)
        presentation = self._faced(channel, window, telling)
        configured = self._settings.channels.get(channel.name)
        asked = configured.protection if configured is not None else None
        if asked is not None and asked.both:
            presentation.beside = self._faced(channel, window, telling, other(asked.scheme))
            presentation.faces.append(Beside(presentation.beside))
        presentation.stepped(self.clock())
        presentation.on_change = lambda: self.on_publish(channel.name)
        channel.on_chunk = presentation.stored
        channel.held = lambda *span_s: self.holds.keeps(channel.name, *span_s)
        self.presentations[channel.name] = presentation
        return presentation

    def _faced(
        self, channel: LiveChannel, window: HotWindow, telling: Telling, folder: str = ""
    ) -> Presentation:
        """The URLs below the channel's own folder, or below one in it."""
        sealing = Sealing(channel, self._settings, self.ring, beside=bool(folder))
        presentation = Presentation(channel, self._settings, window, sealing, folder)
        hls, dash = HlsFace(presentation), DashFace(presentation)
        hls.ranges, dash.events = telling.ranges, telling.streams
        presentation.faces = [hls, dash]
        return presentation
