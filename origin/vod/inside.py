"""Text tracks within an MP4: their samples read as cues (TR-22, TR-91)."""

from array import array
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate, pairwise

from native.bmff import BoxError, Track
from native.bmff.tables import Samples
from origin.describe import ROLE_SCHEME
from origin.text import ttml, tx3g, wvtt
from origin.text.document import MAX_BYTES, MAX_CUES, Document, TextCue, arranged
from origin.text.errors import BadText
from origin.vod.errors import VodError
from origin.vod.sidecars import Sidecar
from origin.vod.source import Source
from origin.vod.timeline import edit_of

Spans = list[tuple[int, int, bytes]]  # start and end in milliseconds, and the sample


def _tx3g(track: Track, spans: Spans) -> Document:
    cues = [TextCue(a, b, text) for a, b, data in spans if (text := tx3g.payload(data))]
    return arranged("WEBVTT", cues)


def _wvtt(track: Track, spans: Spans) -> Document:
    whole = wvtt.merged(wvtt.read_sample(data, a, b) for a, b, data in spans)
    cues = [TextCue(c.start, c.end, c.text, c.id, c.settings) for c in whole]
    return arranged(wvtt.header(track.entry), cues)


def _stpp(track: Track, spans: Spans) -> Document:
    """Documents on the track's timeline, each within its sample; one cue is told once."""
    cues: dict[tuple[int, str], TextCue] = {}
    notes: list[str] = []
    for start, end, data in spans:
        if not data:
            continue
        document = ttml.read(data)
        notes += document.notes
        for c in document.cues:
            a, b = max(c.start_ms, start), min(c.end_ms, end)
            before = cues.get((a, c.text)) or next(
                (k for k in reversed(cues.values()) if k.text == c.text and k.end_ms == a), None
            )
            if before is not None:
                cues[before.start_ms, c.text] = TextCue(before.start_ms, b, c.text)
            elif a < b:
                cues[a, c.text] = TextCue(a, b, c.text, c.id, c.settings)
    return arranged("WEBVTT", list(cues.values()), list(dict.fromkeys(notes)))


READERS: dict[str, Callable[[Track, Spans], Document]] = {
    "tx3g": _tx3g,
    "wvtt": _wvtt,
    "stpp": _stpp,
}


def texts(source: Source, chapters: frozenset[int]) -> list[Sidecar]:
    """What can be read of a file's text tracks, those of chapters left out."""
    found = []
    for track in source.text_tracks():
        if track.id in chapters or track.entry.fourcc not in READERS:
            continue
        where = f"{source.name}: track {track.id}"
        try:
            document = READERS[track.entry.fourcc](track, spans(source, track))
        except BadText as error:
            raise VodError("bad_text", where, error.detail) from error
        roles = [k.value for k in track.kinds if k.scheme == ROLE_SCHEME] or ["main"]
        if track.entry.fourcc == "tx3g" and tx3g.forced(track.entry.data):
            roles = ["forced-subtitle"]
        notes = [f"{where}: {note}" for note in document.notes]
        found.append(Sidecar("", track.language, roles, document, notes))
    return found


def spans(source: Source, track: Track) -> Spans:
    """The samples of a text track with the times of its edit list, in milliseconds."""
    samples: Samples = source.samples(track)
    where = f"{source.name}: track {track.id}"
    if len(samples) > MAX_CUES or sum(samples.size) > MAX_BYTES:
        raise VodError("bad_text", where, f"{len(samples)} samples, {sum(samples.size)} bytes")
    media_time, delay, _ = edit_of(track, source.name, source.movie.timescale)
    times = list(accumulate(samples.duration, initial=samples.dts[0] - media_time + delay))
    filled = [n for n, size in enumerate(samples.size) if size]
    starts = array("q", [samples.offset[n] for n in filled])
    lengths = array("q", [samples.size[n] for n in filled])
    try:
        data = source.reader.runs(bytes(sum(lengths)), 0, starts, lengths, True) or b""
    except (BoxError, OSError) as error:
        raise VodError("truncated", where, str(error)) from error
    places = pairwise(accumulate(samples.size, initial=0))
    return [
        (_ms(start, track), _ms(end, track), data[a:b])
        for (start, end), (a, b) in zip(pairwise(times), places, strict=True)
    ]


def _ms(ticks: int, track: Track) -> int:
    return int(Fraction(ticks * 1000, track.timescale))
