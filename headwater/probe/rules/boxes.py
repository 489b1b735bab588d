"""What fetched media must hold (specs/cmaf-ingest.md 1), and whether manifests tell the truth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from headwater.probe.model import Breach, Evidence, Media, Piece, Rule
from native.bmff import BoxError, Chunk, Splitter, Track, parse_chunk, parse_init, tree

BRANDS = {"cmfc", "cmf2"}
EXTINF_S = 0.005  # rounding of both ends
META = {"meta", "udta"}  # C6: not at file level


@dataclass(frozen=True, slots=True)
class Read:
    """A rendition's track, and the chunks of each piece that could be read."""

    media: Media
    track: Track
    segments: tuple[tuple[Piece, tuple[Chunk, ...]], ...]
    parts: tuple[tuple[Piece, tuple[Chunk, ...]], ...]


def _fragmented(media: Media) -> bool:
    return media.header[4:8] == b"ftyp"


def chunks_of(body: bytes, track: Track) -> tuple[Chunk, ...]:
    """The chunks of a segment or part. Raises BoxError."""
    splitter = Splitter()
    units = splitter.feed(body)
    splitter.finish()
    return tuple(parse_chunk(u.data, track) for u in units if u.kind == "chunk")


def _read(media: Media) -> Read | None:
    try:
        track = parse_init(media.header).tracks[0]
    except (BoxError, IndexError):
        return None
    read: list[list[tuple[Piece, tuple[Chunk, ...]]]] = [[], []]
    for out, pieces in zip(read, (media.segments, media.parts), strict=True):
        for piece in pieces:
            try:
                out.append((piece, chunks_of(piece.body, track)))
            except BoxError:
                continue
    return Read(media, track, tuple(read[0]), tuple(read[1]))


def each(find: Callable[[Read], Iterator[Breach]]) -> Callable[[Evidence], Iterator[Breach]]:
    """Judge every rendition whose header can be read."""

    def breaches(seen: Evidence) -> Iterator[Breach]:
        for media in seen.tracks:
            if _fragmented(media) and (read := _read(media)) is not None:
                try:
                    yield from find(read)
                except BoxError as error:
                    yield Breach(media.url, 0, f"its boxes cannot be walked: {error}")

    return breaches


def _structure(seen: Evidence) -> Iterator[Breach]:
    for media in seen.tracks:
        if not _fragmented(media):
            continue
        try:
            movie = parse_init(media.header)
        except BoxError as error:
            yield Breach(media.url, 0, f"the header cannot be read: {error}")
            continue
        if len(movie.tracks) != 1:
            yield Breach(media.url, 0, f"{len(movie.tracks)} tracks in one file")
        if not movie.fragmented:
            yield Breach(media.url, 0, "the header has no mvex")
        if not BRANDS & set(movie.brands):
            yield Breach(media.url, 0, f"no CMAF brand among {', '.join(movie.brands)}")
        for piece in (*media.segments, *media.parts) if movie.tracks else ():
            try:
                if not chunks_of(piece.body, movie.tracks[0]):
                    yield Breach(piece.url, 0, "holds no moof and mdat")
            except BoxError as error:
                yield Breach(piece.url, 0, f"cannot be read: {error}")


def _offsets(read: Read) -> Iterator[Breach]:
    if read.track.handler != "vide":
        return
    edited = any(edit.media_time > 0 for edit in read.track.edits)
    for piece, _ in read.segments:
        for _, box in tree(piece.body):
            signed = box.kind == "trun" and piece.body[box.body] >= 1
            offsets = box.kind == "trun" and piece.body[box.body + 2] & 0x08
            if signed and offsets and edited:
                yield Breach(piece.url, 0, "signed composition offsets and an edit list")
                break
            if offsets and not signed and not edited:
                yield Breach(piece.url, 0, "unsigned composition offsets without an edit list")
                break


def _starts(read: Read) -> Iterator[Breach]:
    for piece, chunks in read.segments:
        if read.track.handler == "vide" and chunks and not chunks[0].independent:
            yield Breach(piece.url, 0, "the segment does not start with a sync sample")


def _continuity(read: Read) -> Iterator[Breach]:
    for runs in (read.segments, read.parts):
        for (a, before), (b, after) in pairwise(runs):
            if b.number - a.number > 1 or not before or not after:
                continue
            yield from _follow(b.url, before[-1], after[0])
        for piece, chunks in runs:
            for one, two in pairwise(chunks):
                yield from _follow(piece.url, one, two)


def _follow(url: str, a: Chunk, b: Chunk) -> Iterator[Breach]:
    if b.decode_time != a.decode_time + a.duration:
        wrong = f"tfdt {b.decode_time} follows {a.decode_time} + {a.duration}"
        yield Breach(url, 0, wrong)
    if b.sequence <= a.sequence:
        yield Breach(url, 0, f"mfhd sequence {b.sequence} follows {a.sequence}")


def _file_level(read: Read) -> Iterator[Breach]:
    for url, data in [
        (read.media.url, read.media.header),
        *((p.url, p.body) for p, _ in read.segments),
    ]:
        found = {box.kind for depth, box in tree(data) if depth == 0} & META
        if found:
            yield Breach(url, 0, f"{', '.join(sorted(found))} at file level")


def _told(read: Read) -> Iterator[Breach]:
    for piece, chunks in read.segments:
        if not chunks:
            continue
        if piece.start is not None and piece.start not in (
            chunks[0].decode_time,
            chunks[0].earliest_pts,
        ):
            wrong = f"S@t is {piece.start}, tfdt {chunks[0].decode_time}"
            yield Breach(piece.url, 0, wrong)
        real = sum(c.duration for c in chunks)
        if piece.duration is not None and piece.duration != real:
            yield Breach(piece.url, 0, f"S@d is {piece.duration}, the samples last {real}")


def _extinf(read: Read) -> Iterator[Breach]:
    for piece, chunks in read.segments:
        real_s = sum(c.duration for c in chunks) / read.track.timescale
        if chunks and piece.told_s is not None and abs(piece.told_s - real_s) > EXTINF_S:
            wrong = f"EXTINF is {piece.told_s:.3f} s, the samples last {real_s:.3f} s"
            yield Breach(piece.url, 0, wrong)


def _independent(read: Read) -> Iterator[Breach]:
    for piece, chunks in read.parts:
        if chunks and piece.independent is not None and not piece.gap:
            real = any(chunk.independent for chunk in chunks)
            if real != piece.independent:
                told = "" if piece.independent else "out"
                yield Breach(
                    piece.url, 0, f"a part with{told} INDEPENDENT=YES, its samples disagree"
                )


def _whole(read: Read) -> Iterator[Breach]:
    for piece, _ in read.segments:
        if read.parts and piece.number == read.media.parts_of:
            joined = b"".join(_samples(p.body) for p, _ in read.parts)
            if not any(p.gap for p, _ in read.parts) and joined != _samples(piece.body):
                yield Breach(piece.url, 0, "its parts do not add up to the segment")


def _samples(body: bytes) -> bytes:
    return b"".join(body[b.body : b.end] for depth, b in tree(body) if b.kind == "mdat")


RULES = (
    Rule("C1", "M", "one track, CMAF brands, whole chunks", _structure),
    Rule("C2", "M", "signed offsets or an edit list", each(_offsets)),
    Rule("C3", "M", "a segment starts with a sync sample", each(_starts)),
    Rule("C4", "M", "decode times and sequence numbers run on", each(_continuity)),
    Rule("C6", "M", "no metadata boxes at file level", each(_file_level)),
    Rule("D6", "M", "the manifest's times are the boxes'", each(_told)),
    Rule("TR-35", "M", "EXTINF is what the samples last", each(_extinf)),
    Rule("HLS-15", "S", "INDEPENDENT=YES tells the truth", each(_independent)),
    Rule("HLS-19", "P", "parts add up to their segment", each(_whole)),
)
