"""The I frames of a live video track: fragments of one sample, made from the segments (TR-94..96).

Each is a real fragment whose sample lasts as long as its segment, a function of the segment alone.
The lowest rung has them, one a segment (TR-98).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

from native.bmff.samples import read_chunk_samples
from native.bmff.write import fragment, styp
from origin.errors import DamagedLog, NotLocal
from origin.live.channel import LiveChannel
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.tracks import Rendition

NAME = ".i"  # no track's name has a dot
MEASURED = 8  # newest segments that the declared bit rate is measured over


def segment(track: LiveTrack, stored: Stored) -> bytes:
    """The first sample of a segment, on its own."""
    volume, record = stored.parts[0]
    data = track.log.read(volume, record)
    first = read_chunk_samples(data, track.track, limit=1)[0]
    length = stored.end - stored.start
    media = fragment(
        track.track.id,
        stored.number & 0xFFFFFFFF,
        first.decode_time + first.cto,
        [(length, data[first.start : first.end])],
    )
    return styp("msdh", "msdh", "msix", "cmfs") + media


class Trick:
    """The trick rendition of one channel, its bit rates measured as segments come, or `known` by
    name where the media is not at hand.
    """

    def __init__(self, channel: LiveChannel) -> None:
        self.known: Mapping[str, int] = {}
        self._channel = channel
        self._bps: dict[tuple[str, int], int] = {}

    def renditions(
        self, tracks: Sequence[tuple[LiveTrack, Rendition]]
    ) -> list[tuple[LiveTrack, Rendition]]:
        """The lowest video rung's I frames; none where there is no video."""
        video = [(t, r) for t, r in tracks if r.kind == "video"]
        if not video:
            return []
        track, main = min(video, key=lambda pair: (pair[1].width * pair[1].height, pair[1].name))
        rates = self._rates(track)
        return [
            (
                track,
                replace(
                    main,
                    name=main.name + NAME,
                    trick_of=main.name,
                    frame_rate=1 / (self._channel.duration_s or Fraction(1)),
                    bandwidth=self.known.get(main.name + NAME, max(rates, default=0)),
                    average_bandwidth=0,
                    inband=(),
                ),
            )
        ]

    def _rates(self, track: LiveTrack) -> list[int]:
        """Bit rates of the newest I frames, each rounded up to two digits: what is declared should
        not move with every frame (TR-68).
        """
        newest = track.segments.whole_until(self._channel.edge)
        known = {}
        for number in range(max(newest - MEASURED + 1, self._channel.kept.first), newest + 1):
            key = (track.rendition.name, number)
            stored = track.whole(number)
            if key in self._bps:
                known[key] = self._bps[key]
            elif stored is not None:
                with suppress(NotLocal, DamagedLog):
                    bits = 8 * len(segment(track, stored))
                    known[key] = _rounded_up(bits * track.timescale // (stored.end - stored.start))
        self._bps = known
        return list(known.values())


def _rounded_up(value: int) -> int:
    unit = int(f"1{'0' * (len(str(value)) - 2)}")
    return -(-value // unit) * unit
