"""WebVTT files from the segments of a wvtt track: a function of the segment alone, so that every
process makes the same bytes for ever (TR-80 to TR-84, TR-93).
"""

from native.bmff import BoxError
from native.bmff.samples import read_chunk_samples
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.text import webvtt, wvtt
from origin.text.errors import BadText


def segment(track: LiveTrack, stored: Stored) -> bytes:
    """The cues of one segment, each with the time it has within it; samples that cannot be read are
    silence.
    """
    samples: list[list[wvtt.Cue]] = []
    for volume, record in stored.parts:
        data = track.log.read(volume, record)
        try:
            found = read_chunk_samples(data, track.track)
        except BoxError:
            continue
        for sample in found:
            start = sample.decode_time + sample.cto
            try:
                cues = wvtt.read_sample(
                    data[sample.start : sample.end], start, start + sample.duration
                )
            except BadText:
                cues = []
            samples.append(cues)
    header = wvtt.header(track.track.entry)
    return webvtt.segment(header, wvtt.merged(samples), track.timescale, stored.start)
