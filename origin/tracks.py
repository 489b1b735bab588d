"""What a presentation is made of: renditions and their segments, the same nouns for live and VOD.

Times are integers in the rendition's timescale (ticks); no float ever holds media time (TR-9).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from origin.systems import Protected

Kind = Literal["video", "audio", "text", "event"]
VideoRange = Literal["SDR", "PQ", "HLG"]
SPARSE: frozenset[Kind] = frozenset(["text", "event"])  # may be silent: never hold an edge (I15)


@dataclass(frozen=True, slots=True)
class Part:
    """One or more whole chunks of a segment, a partial segment of LL-HLS; times in ticks."""

    start: int
    duration: int
    independent: bool = False
    size_bytes: int = 0
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment: `start` is its tfdt, `duration` the sum of its sample durations (ticks).

    A gap stands for media that never came (HLS-9). `discontinuity` is true for the first segment
    after a break in the timeline or the encoding (HLS-10).
    """

    number: int
    start: int
    duration: int
    size_bytes: int = 0
    gap: bool = False
    discontinuity: bool = False
    parts: tuple[Part, ...] = ()

    @property
    def end(self) -> int:
        return self.start + self.duration


@dataclass(frozen=True, slots=True)
class Rendition:
    """One track as players see it. `name` is its URL folder; bit rates are in bits per second.

    A rendition with `trick_of` holds the I frames of that video rendition (TR-95, TR-96): its media
    lies in the folder of the main one, under names of its own.
    """

    name: str
    kind: Kind
    codecs: str
    timescale: int
    language: str = "und"
    bandwidth: int = 0
    average_bandwidth: int = 0
    width: int = 0
    height: int = 0
    sample_aspect: Fraction = Fraction(1)
    frame_rate: Fraction | None = None
    video_range: VideoRange = "SDR"
    channels: int = 0
    sample_rate: int = 0
    label: str = ""
    default: bool = False
    roles: tuple[str, ...] = field(default=("main",))
    supplemental: str = ""  # SUPPLEMENTAL-CODECS: codec/brand (TR-66)
    sap: int = 1  # the highest type of a segment's start (ISO/IEC 14496-12, annex I; TR-32)
    interlaced: bool = False  # its pictures may be of two fields (TR-74)
    channel_index: int = 0  # ChannelConfiguration of ISO/IEC 23091-3, 0: by the count (TR-72)
    dolby_mask: int = 0  # chanmap of a Dolby layout without one
    joc: int = 0  # complexity index of E-AC-3 with joint object coding (TR-65)
    switching_set: str = ""  # as the encoder names it (I11)
    inband: tuple[tuple[str, str], ...] = ()  # (scheme, value) of emsg boxes in the media
    trick_of: str = ""
    turned: bool = False  # players swap width and height (TR-53)
    header: str = "init.mp4"  # its name in the folder
    protected: Protected | None = None

    @property
    def sparse(self) -> bool:
        """Whether it may be silent, so that nothing waits for it (I15)."""
        return self.kind in SPARSE

    @property
    def folder(self) -> str:
        """Where its header and media are."""
        return self.trick_of or self.name

    @property
    def suffix(self) -> str:
        """What follows the number in its media names."""
        return ".i.m4s" if self.trick_of else ".m4s"


# TR-64: ISO/IEC 23091-2 transfer characteristics -> VIDEO-RANGE; all others are SDR
VIDEO_RANGE: dict[int, VideoRange] = {16: "PQ", 18: "HLG"}


def peak_bps(segments: Sequence[Segment], timescale: int, target_duration_s: int) -> int:
    """Highest bit rate of any contiguous run lasting 0.5..1.5 target durations (TR-67).

    Without such a run it is the rate of the whole; rounded up.
    """
    real = [s for s in segments if not s.gap]
    low, high = target_duration_s * timescale, 3 * target_duration_s * timescale  # doubled
    best_size, best_ticks = 0, 1
    for first in range(len(real)):
        size = ticks = 0
        for segment in real[first:]:
            size += segment.size_bytes
            ticks += segment.duration
            if 2 * ticks > high:
                break
            if 2 * ticks >= low and size * best_ticks > best_size * ticks:
                best_size, best_ticks = size, ticks
    return -(-best_size * 8 * timescale // best_ticks) or average_bps(real, timescale)


def average_bps(segments: Sequence[Segment], timescale: int) -> int:
    """Total bits by total time, rounded up (TR-67)."""
    ticks = sum(s.duration for s in segments if not s.gap)
    bits = 8 * sum(s.size_bytes for s in segments if not s.gap)
    return -(-bits * timescale // ticks) if ticks else 0


def frame_rate(samples: int, ticks: int, timescale: int) -> Fraction | None:
    """The frame rate of a run of samples, snapped to n/1001 or an integer if it is one (TR-71)."""
    if ticks <= 0 or samples <= 0:
        return None
    rate = Fraction(samples * timescale, ticks)
    whole, ntsc = Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    snapped = min((whole, ntsc), key=lambda candidate: abs(rate - candidate))
    if snapped and abs(1 / rate - 1 / snapped) * timescale <= 1:
        return snapped
    return rate.limit_denominator(1001)
