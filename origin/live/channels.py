"""The live channels of one origin process: opened from disk, created by a header, published."""

import shutil
from collections.abc import Callable
from pathlib import Path

from native.http import Hot
from origin.errors import BadMedia, UnknownChannel
from origin.live.channel import LiveChannel
from origin.live.dash_face import DashFace
from origin.live.hls_face import HlsFace
from origin.live.presentation import Presentation
from origin.live.window import HotWindow
from origin.live.writer import Writer
from origin.settings import Settings


class Channels:
    """Channels and their presentations by name; `on_publish` hears of every step of an edge."""

    def __init__(
        self, folder: Path, settings: Settings, hot: Hot, clock: Callable[[], float]
    ) -> None:
        self.folder = folder
        self.window = HotWindow(hot, settings.hot_bytes)
        self.presentations: dict[str, Presentation] = {}
        self.writers: dict[str, Writer] = {}
        self.on_publish: Callable[[str], None] = lambda _: None
        self._settings = settings
        self._clock = clock

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
            shutil.rmtree(writer.channel.folder, ignore_errors=True)

    def advance(self, writer: Writer) -> None:
        """Publish what became whole."""
        if numbers := writer.advance():
            name = writer.channel.name
            presentation = self.presentations[name]
            presentation.stepped(self._clock())
            presentation.publish(numbers)
            self.on_publish(name)

    def fill_gaps(self) -> None:
        """Keep the playlists of silent channels moving; call it several times a second (HLS-6)."""
        for name, writer in self.writers.items():
            presentation = self.presentations[name]
            last = presentation.due(self._clock())
            if last > presentation.channel.edge:
                presentation.publish(writer.fill(last))
                self.on_publish(name)

    def close(self) -> None:
        for presentation in self.presentations.values():
            presentation.channel.close()

    def _open(self, name: str) -> Writer:
        channel = LiveChannel(name, self.folder / name, self._settings)
        self._present(channel, self.window)
        self.writers[name] = Writer(channel, self._settings)
        return self.writers[name]

    def _present(self, channel: LiveChannel, window: HotWindow) -> Presentation:
        presentation = Presentation(channel, self._settings, window)
        presentation.faces = [HlsFace(presentation), DashFace(presentation)]
        presentation.stepped(self._clock())
        channel.on_chunk = presentation.stored
        self.presentations[channel.name] = presentation
        return presentation
