"""Segments in the making, sent chunk by chunk as they arrive (L11, O10).

A stream exists once somebody asks for the number in progress after its first chunk was stored, and
until that number is published. What it sends is read back from the log, so it begins with all that
is there, and a process that only follows the log streams as well as the one that writes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from native.http import Growing
from origin.errors import OriginError
from origin.live.presentation import MEDIA_TYPE, Presentation
from origin.live.track import LiveTrack, Stored


@dataclass(slots=True)
class _Stream:
    track: LiveTrack
    segment: Stored
    growing: Growing
    sent: int = 0  # chunks


class Growth:
    """The streams of one channel."""

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation
        self._streams: dict[tuple[str, int], _Stream] = {}

    def early(self, track: LiveTrack, number: int) -> Growing | None:
        """What is there of a number that is not published; None before its first chunk, and where
        chunks are not shown before their segment is whole.
        """
        channel, media_type = self._presentation.channel, MEDIA_TYPE.get(track.rendition.kind)
        segment = track.segments.get(number)
        if channel.part_s is None or number != channel.edge + 1 or media_type is None:
            return None
        key = (track.rendition.name, number)
        stream = self._streams.get(key)
        if stream is not None and stream.segment is segment:
            return stream.growing
        if stream is not None:
            self._streams.pop(key).growing.abort()
        if segment is None or segment.broken:
            return None
        self._presentation.sealing.pieces(track, segment, 0, 1)  # or no answer at all (PR-43)
        growing = self._presentation.labels.growing(track, segment, media_type)
        stream = self._streams[key] = _Stream(track, segment, growing)
        self._send(stream)
        return growing

    def part(self, track: LiveTrack, segment: Stored) -> None:
        """A chunk was stored."""
        for stream in self._streams.values():
            if not stream.growing.ended:
                self._send(stream)

    def published(self, numbers: Sequence[int]) -> None:
        """Everything up to the edge is whole now, or never will be: a cut must show (HT-114)."""
        edge = self._presentation.channel.edge
        for key, stream in list(self._streams.items()):
            if stream.segment.number <= edge:
                self._send(stream)
                stream.growing.abort()
                del self._streams[key]

    def _send(self, stream: _Stream) -> None:
        """Send what came since the last time, and end a whole segment cleanly, a broken one not."""
        track, segment, growing = stream.track, stream.segment, stream.growing
        lost = track.segments.get(segment.number) is not segment
        if growing.ended:
            return
        if lost or segment.broken:
            growing.abort()
            return
        first, stream.sent = stream.sent, len(segment.parts)
        try:
            sealing = self._presentation.sealing
            data = b"".join(sealing.pieces(track, segment, first, stream.sent))
        except OriginError:
            growing.abort()
            return
        if segment.whole:
            growing.finish(data=data)
        else:
            growing.append(data)
