"""A chunk of text cut where segments begin: a sample that goes on is in both (TR-86, TR-93).

Text may be cut anywhere: the same cues or the same document stand in each piece, and a document's
own times are those of the track (ISO/IEC 14496-30:2018, 5 and 7).
"""

from collections.abc import Sequence

from native.bmff import parse_chunk
from native.bmff.model import Chunk, Track
from native.bmff.samples import read_chunk_samples
from native.bmff.write import fragment, styp


def cut(data: bytes, track: Track, chunk: Chunk, times: Sequence[int]) -> list[tuple[Chunk, bytes]]:
    """The pieces of `data` between rising `times` (ticks) inside of it, as chunks."""
    samples = read_chunk_samples(data, track, chunk=chunk)
    shift = chunk.decode_time - samples[0].decode_time
    ends = [*times, chunk.decode_time + chunk.duration]
    pieces = []
    for start, end in zip([chunk.decode_time, *times], ends, strict=True):
        parts = []
        for sample in samples:
            begins, stops = sample.decode_time + shift, sample.decode_time + shift + sample.duration
            if (length := min(stops, end) - max(begins, start)) > 0:
                parts.append((length, data[sample.start : sample.end]))
        piece = styp("msdh", "msdh", "cmfs") + fragment(track.id, chunk.sequence, start, parts)
        pieces.append((parse_chunk(piece, track), piece))
    return pieces
