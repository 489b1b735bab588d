"""Registration: from input files to a title whose segments can be made on request."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from operator import add
from pathlib import Path

from native.bmff import Track
from native.bmff.write import gapless, header
from origin.codecs import brands
from origin.describe import describe
from origin.errors import OriginError
from origin.tracks import Rendition, Segment, average_bps, frame_rate, peak_bps
from origin.vod import chapters, entries, index, inside, messages, sheets, sidecars, thumbnails
from origin.vod.catalog import Record, folder, load_record, save_record, title_name
from origin.vod.cutting import boundaries_s, first_samples, ticks
from origin.vod.errors import VodError
from origin.vod.ladder import Rung, common_raps, fitting
from origin.vod.opened import InputKeys
from origin.vod.rates import shown_rate
from origin.vod.reading import Objects
from origin.vod.served import Served
from origin.vod.source import Source
from origin.vod.timeline import Edited, Placed, apply_edits, place, without_holes

SEGMENT_S = Fraction(4)
LONGEST_S = 14 * 86_400  # of a title: more is a lie of its tables


@dataclass(frozen=True, slots=True)
class Report:
    """What `headwater package` tells its user."""

    title: str
    renditions: list[Rendition]
    segments: int
    duration_s: Fraction
    notes: list[str] = field(default_factory=list)


def register(
    data_dir: Path,
    inputs: Sequence[Path | str],
    title: str,
    *,
    segment_s: Fraction = SEGMENT_S,
    objects: Objects | None = None,
    ffmpeg: str = "",
    drop_misaligned: bool = False,
    keys: InputKeys | None = None,
) -> Report:
    """Make a title of one file or of a ladder of files; media stays where it is. An input is a path
    or, with `objects`, s3://BUCKET/NAME; objects are read from another thread than their loop's.

    `drop_misaligned` leaves out rungs that do not fit the first one, with a note each (TR-39).
    `keys` open files that come protected (PR-150).
    `ffmpeg` draws thumbnails; without it a title keeps those that it has of the same file.

    Writes {data_dir}/origin/vod/{title}/. Raises VodError with TR-28's code; then nothing is
    registered.
    """
    title_name(title)
    sources: list[Source] = []
    try:
        for path in inputs:
            if not sidecars.is_text(str(path)):
                sources.append(Source.open(str(path), objects, keys))
        if not sources:
            raise VodError("unreadable", title, "no input file was given")
        beside = [sidecars.read(str(p), objects) for p in inputs if sidecars.is_text(str(p))]
        wish = _Wish(title, segment_s, ffmpeg, drop_misaligned)
        return _register(data_dir, sources, beside, wish)
    finally:
        for source in sources:
            source.close()


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for."""

    title: str
    segment_s: Fraction
    ffmpeg: str
    drop_misaligned: bool


_Chosen = list[tuple[Source, Placed]]


def _register(
    data_dir: Path, sources: list[Source], beside: list[sidecars.Sidecar], wish: _Wish
) -> Report:
    title, segment_s = wish.title, wish.segment_s
    edited = [(source, _edited(source, 2 * segment_s)) for source in sources]
    everything = [track for _, tracks in edited for track in tracks]
    if not everything:
        raise VodError("unsupported_codec", title, "there is neither video nor audio in the input")
    wanted = [(s, track) for s, tracks in edited for track in _wanted(s, tracks, sources[0])]
    notes: list[str] = []
    chosen = _placed(wanted)
    if wish.drop_misaligned:
        kept = {id(rung.placed.edited) for rung in fitting(_rungs(chosen), segment_s, notes)}
        wanted = [(s, t) for s, t in wanted if t.track.handler != "vide" or id(t) in kept]
        sources = [s for s in sources if any(owner is s for owner, _ in wanted)]
        chosen = _placed(wanted)
    rungs = _rungs(chosen)
    common = common_raps(rungs, segment_s, notes)
    duration_s = max(Fraction(p.end, p.edited.track.timescale) for _, p in chosen)
    count = sum(p.stop - p.first for _, p in chosen)
    if duration_s > min(Fraction(LONGEST_S), segment_s * (count + 1)):
        what = f"the tables tell of {float(duration_s):.0f} s in {count} samples"
        raise VodError("bad_table", title, what)
    video_end_s = min((rung.end_s for rung in rungs), default=Fraction(0))
    holes = [rung.placed.holes_s for rung in rungs]
    holes_s = {
        end: start
        for end, start in (holes[0] if holes else {}).items()
        if all(other.get(end) == start for other in holes)
    }
    cuts = boundaries_s(common, video_end_s, duration_s, segment_s, title, holes_s)
    notes += [
        f"{title}: no pictures for {float(end - start):.3f} s from {float(start):.3f} s on"
        for end, start in holes_s.items()
    ]
    taken: set[str] = set()
    made = [(source, _cut(source, placed, cuts, taken)) for source, placed in chosen]
    made = _measured(made, segment_s)
    first = chosen[0][1]
    shift_s = -Fraction(first.zero, first.edited.track.timescale)
    found = [chapters.find(source) for source in sources]
    told = next((each for each in found if each.starts), chapters.NONE)
    own = [
        text
        for source, each in zip(sources, found, strict=True)
        for text in inside.texts(source, each.tracks)
    ]
    texts = [text.saved(shift_s, taken) for text in (*own, *beside) if not text.of_chapters]
    for text in beside:
        told = chapters.Found(text.lines) if text.of_chapters else told
    record = Record(
        title,
        [source.reader.location for source in sources] + [text.location for text in beside],
        [],
        str(duration_s),
        str(segment_s),
        texts,
        chapters=told.chapters(shift_s, duration_s),
        events=messages.find(*chosen[0]),
    )
    _save(folder(data_dir, title), sources, made, record, wish.ffmpeg, notes)
    notes += [note for source in sources for note in source.notes]
    notes += [note for text in (*own, *beside) for note in text.notes]
    return Report(title, [cut.rendition for _, cut in made], len(cuts), duration_s, notes)


def _placed(wanted: list[tuple[Source, Edited]]) -> _Chosen:
    placed = place([track for _, track in wanted])
    return [(source, p) for (source, _), p in zip(wanted, placed, strict=True)]


def _rungs(chosen: _Chosen) -> list[Rung]:
    return [
        Rung(source.name, placed, _rate(placed))
        for source, placed in chosen
        if placed.edited.track.handler == "vide"
    ]


def _edited(source: Source, longest_s: Fraction) -> list[Edited]:
    tracks = []
    for track in source.media_tracks():
        samples = source.samples(track)
        raps = []
        if track.handler == "vide":
            raps = source.closed_raps(track, samples)
            track = source.completed(track, samples)
        timescale = source.movie.timescale
        edited = apply_edits(track, samples, raps, timescale, source.name)
        edited = without_holes(edited, longest_s)
        if edited.mid_gop:
            source.notes.append(
                f"{source.name}: begins at the first key frame behind its edit, "
                f"{float(edited.start_s):.3f} s later"
            )
        tracks.append(edited)
    return tracks


def _wanted(source: Source, tracks: list[Edited], first: Source) -> list[Edited]:
    """Video of every file; audio of the first file, for rungs usually repeat it."""
    if source is first:
        return tracks
    left_out = [t for t in tracks if t.track.handler == "soun"]
    if left_out:
        source.notes.append(f"{source.name}: audio is taken from {first.name}")
    return [t for t in tracks if t.track.handler == "vide"]


def _rate(placed: Placed) -> Fraction | None:
    scale, samples = placed.edited.track.timescale, placed.edited.samples
    kept = slice(placed.first, placed.stop)
    if len({*samples.duration[kept]}) > 1:
        return shown_rate(map(add, samples.dts[kept], samples.cto[kept]), scale)
    return frame_rate(placed.stop - placed.first, sum(samples.duration[kept]), scale)


def _cut(source: Source, placed: Placed, cuts: Sequence[Fraction], taken: set[str]) -> index.Cut:
    track = entries.served(placed.edited.track, placed.edited.samples, placed.first, placed.stop)
    name = _name(track, taken)
    if track.handler == "vide":
        told = entries.warning(track.entry)
        source.notes += [f"{source.name}: {name} is {told}"] if told else []
    try:
        rendition = describe(name, track, frame_rate=_rate(placed))
    except OriginError as error:
        raise VodError("unsupported_codec", source.name, error.detail) from error
    if rendition.interlaced:
        source.notes.append(f"{source.name}: {name} may be interlaced; browsers show combs")
    is_first_audio = track.handler == "soun" and not any(n.startswith("a") for n in taken - {name})
    durations = placed.edited.samples.duration
    if track.handler == "soun" and durations[placed.stop - 1] < durations[placed.first]:
        source.notes.append(
            f"{source.name}: the last packet of {name} is cut short; players may play it whole"
        )
    note = b""
    if placed.preroll and track.entry.fourcc == "mp4a":
        length = placed.end - placed.time(placed.first) - placed.preroll
        note = gapless(placed.preroll, 0, length)
    bounds = first_samples(placed, cuts)
    opened = source.open_raps.get(track.id, set()).intersection(bounds)
    return index.Cut(
        replace(rendition, default=is_first_audio, sap=3 if opened else 1),
        placed,
        bounds,
        [ticks(cut, track.timescale) for cut in cuts],
        header(track, brands(track.entry, rendition)),
        note,
    )


def _name(track: Track, taken: set[str]) -> str:
    """The URL folder of a track: v360, a-eng, a-eng-2."""
    stem = f"v{track.entry.height}" if track.handler == "vide" else f"a-{track.language}"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def segments_of(cut: index.Cut) -> list[Segment]:
    """Segments of a cut with their sizes, moof bytes estimated at 12 a sample."""
    placed, sizes = cut.placed, cut.placed.edited.samples.size
    out = []
    for number, (a, b) in enumerate(pairwise(cut.bounds), 1):
        if a < b:
            end = placed.time(b) if b < placed.stop else placed.end
            start = max(0, placed.time(a))
            out.append(Segment(number, start, end - start, sum(sizes[a:b]) + 12 * (b - a) + 140))
    return out


def _measured(
    made: list[tuple[Source, index.Cut]], segment_s: Fraction
) -> list[tuple[Source, index.Cut]]:
    """Bit rates from the segments themselves (TR-67)."""
    out = []
    for source, cut in made:
        timescale = cut.rendition.timescale
        segments = segments_of(cut)
        rendition = replace(
            cut.rendition,
            bandwidth=peak_bps(segments, timescale, max(1, round(segment_s))),
            average_bandwidth=average_bps(segments, timescale),
        )
        out.append((source, replace(cut, rendition=rendition)))
    return out


def _save(
    home: Path,
    sources: list[Source],
    made: list[tuple[Source, index.Cut]],
    record: Record,
    ffmpeg: str,
    notes: list[str],
) -> None:
    home.mkdir(parents=True, exist_ok=True)
    for number, source in enumerate(sources):
        cuts = [cut for owner, cut in made if owner is source]
        record.indexes.append(f"{number}-{source.digest[:16]}.idx")
        index.write(home / record.indexes[-1], source, cuts)
    drawn = _drawn(home, sources, record, ffmpeg, notes)
    save_record(home, replace(record, thumbnails=drawn))


def _drawn(
    home: Path, sources: list[Source], record: Record, ffmpeg: str, notes: list[str]
) -> sheets.Saved | None:
    """Thumbnails of the lowest rung: those of before if they show the same file, else new ones."""
    rungs = [
        (source, Served(track, source.reader, "", 0))
        for source, name in zip(sources, record.indexes, strict=True)
        for track in index.load(home / name).tracks
        if track.rendition.kind == "video"
    ]
    if not rungs:
        return None
    source, lowest = min(rungs, key=lambda r: r[1].rendition.width * r[1].rendition.height)
    before = load_record(home)
    if not ffmpeg:
        kept = before.thumbnails if before is not None else None
        return kept if kept is not None and kept.source == source.digest else None
    try:
        planned = thumbnails.plan(lowest, source.digest, Fraction(record.duration_s))
        if not planned.exact:
            notes.append(f"{source.name}: thumbnails show the last key frame before their time")
        return thumbnails.draw(home, planned, lowest, ffmpeg)
    except VodError as error:
        notes.append(f"no thumbnails: {error}")
        return None
