"""PES packets of a segment, cut into transport packets (ISO/IEC 13818-1, 2.4.3; TR-105..110)."""

from collections.abc import Sequence

from native.mpegts.model import Stream

PCR_LEAD: int
AUDIO_FRAMES: int

def mux(tables: bytes, streams: Sequence[Stream]) -> bytes:
    """The packets of one segment: the tables, then the PES packets of all streams by decode time.

    The clock is on the first stream, PCR_LEAD ticks of 90 kHz before each decode time. MuxError for
    a NAL unit that passes its sample, or columns of different lengths.
    """
