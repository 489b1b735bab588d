"""Which track each request of a channel is about: by its path, or as a pushed MPD says (I4)."""

from pathlib import Path

from origin.errors import BadMedia, WrongPath
from origin.ingest.names import Target, target
from origin.ingest.templates import Shapes, templates, track_of
from origin.live.log import replace_file
from origin.live.writer import Writer

PLAYLIST = b"#EXTM3U"


class Naming:
    """The names that encoders announced, remembered beside the channels of `folder`."""

    def __init__(self, folder: Path, channel_limit: int) -> None:
        self._folder = folder
        self._channel_limit = channel_limit
        self._shapes: dict[str, Shapes] = {}

    def target(self, channel: str, path: str, writer: Writer | None) -> Target:
        """What a path is about. A track that is there already keeps the names it came with."""
        announced = track_of(self._announced(channel), path)
        try:
            aim = target(path)
        except WrongPath:
            if announced is None:
                raise
            return Target("track", announced)
        known = writer is not None and aim.track in writer.channel.tracks
        if announced is None or known or aim.kind != "track":
            return aim
        return Target("track", announced)

    def announce(self, channel: str, body: bytes, writer: Writer | None) -> None:
        """A manifest was pushed. The first MPD names objects; later ones are read, not heeded, and
        no pushed playlist is ever published: ours name what we hold (I17).
        """
        if body.startswith(PLAYLIST):
            return
        running = writer is not None and bool(writer.channel.tracks)
        found = templates(body, strict=not running)
        if running or not found:
            return
        if len(self._shapes) >= self._channel_limit and channel not in self._shapes:
            raise BadMedia("this origin has too many channels", code="too_many_channels")
        self._shapes[channel] = found
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._kept(channel), body)

    def _announced(self, channel: str) -> Shapes:
        if channel not in self._shapes and self._kept(channel).exists():
            self._shapes[channel] = templates(self._kept(channel).read_bytes())
        return self._shapes.get(channel, ())

    def _kept(self, channel: str) -> Path:
        return self._folder / f"{channel}.mpd"
