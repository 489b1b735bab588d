"""One MP4 input: its boxes found by header alone, its tables and fragments read once (TR-1..26)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from native.bmff import BoxError, Movie, Track, parse_init
from native.bmff.fragments import read_fragments
from native.bmff.tables import Samples, read_samples
from origin.vod import entries
from origin.vod.encrypted import plain, rows_of
from origin.vod.errors import VodError
from origin.vod.hints import Hints
from origin.vod.opened import InputKeys, OpenedReader, Seals
from origin.vod.reading import Identity, Objects, Reader, name_of, open_reader

MAX_BOXES = 1 << 21  # at the top level: two a fragment
MAX_MOOV_BYTES = 512 << 20
SKIPPED_FORMATS = frozenset(["jpeg", "mjpa", "mjpb", "png ", "tmcd"])  # TR-11
MAX_SET_BYTES = 4096
MAX_SIDX_BYTES = 1 << 20
MAX_EVENTS, MAX_EVENT_BYTES = 2_000, 1 << 14  # emsg boxes beyond are skipped
TEXT_HANDLERS = frozenset(["text", "sbtl", "subt", "clcp"])  # TR-11
TEXT_FORMATS = frozenset(["tx3g", "text", "wvtt", "stpp"])


@dataclass(slots=True)
class _Layout:
    """What lies at the top level of an input; spans are (first byte, byte after)."""

    head: bytes = b""  # ftyp and moov
    moov: bytes = b""
    tables: bytes = b""  # the two, as they are read
    mdats: list[tuple[int, int]] = field(default_factory=list)
    moofs: list[tuple[int, bytes]] = field(default_factory=list)
    emsgs: list[tuple[int, bytes]] = field(default_factory=list)  # number of the moof behind it


@dataclass(slots=True)
class Source:
    """An open input. `digest` names its tables: equal files have equal digests anywhere."""

    reader: Reader
    identity: Identity
    movie: Movie
    digest: str
    _layout: _Layout
    _fragments: dict[int, Samples] | None = None
    notes: list[str] = field(default_factory=list)
    seals: Seals | None = None  # of an input that came protected
    open_raps: dict[int, set[int]] = field(default_factory=dict)  # samples, by track (TR-32)

    @classmethod
    def open(
        cls, location: str, objects: Objects | None = None, keys: InputKeys | None = None
    ) -> Self:
        """Open and read everything but the media; VodError says what is wrong with the input.
        `keys` open what is protected.
        """
        reader = open_reader(location, objects)
        name = name_of(location)
        try:
            identity = reader.identity
            layout = _scan(reader, identity.size, name)
            try:
                movie = parse_init(layout.tables)
            except BoxError as error:
                raise VodError.of_box(error, name) from error
        except BaseException:
            reader.close()
            raise
        digest = hashlib.sha256(layout.tables)
        for _, moof in layout.moofs:
            digest.update(moof)
        found = cls(reader, identity, movie, digest.hexdigest(), layout)
        if keys is not None:
            found._open(keys)
        return found

    def _open(self, keys: InputKeys) -> None:
        """Read protected tracks as clear ones from now on (PR-150)."""
        layout, told, tracks = self._layout, [], []
        for track in self.movie.tracks:
            if track.handler in ("vide", "soun") and any(e.protection for e in track.entries):
                samples = self.samples(track)
                rows = rows_of(track, layout.tables, layout.moofs, samples.size, self.reader.read)
                told.append((samples, rows))
                track = replace(track, entries=tuple(map(plain, track.entries)))
            tracks.append(track)
        if told:
            self.seals = Seals.of(told)
            try:
                self.reader = OpenedReader(self.reader, self.seals, keys)
            except VodError as error:
                raise VodError("encrypted", self.name, error.detail) from error
            self.movie = replace(self.movie, tracks=tuple(tracks))

    def close(self) -> None:
        self.reader.close()

    @property
    def name(self) -> str:
        return name_of(self.reader.location)

    @property
    def moov(self) -> bytes:
        return self._layout.moov

    @property
    def messages(self) -> list[tuple[bytes, bytes]]:
        """The moof behind each emsg box, and the box."""
        moofs = self._layout.moofs
        return [(moofs[n][1], box) for n, box in self._layout.emsgs if n < len(moofs)]

    def text_tracks(self) -> list[Track]:
        """Timed text that `origin.vod.inside` reads, chapters among it, in file order."""
        return [t for t in self.movie.tracks if t.handler in TEXT_HANDLERS and _is_text(t)]

    def media_tracks(self) -> list[Track]:
        """Video and audio, in file order; other tracks are left out with a note (TR-11)."""
        chosen = []
        text = {t.id for t in self.text_tracks()}
        for track in self.movie.tracks:
            if track.id in text:
                continue
            if track.handler not in ("vide", "soun") or track.entry.fourcc in SKIPPED_FORMATS:
                what = f"{track.handler} {track.entry.fourcc}"
                self.notes.append(f"{self.name}: track {track.id} ({what}) is left out")
                continue
            for p in [e.protection for e in track.entries if e.protection]:
                raise VodError(
                    "encrypted",
                    self.name,
                    f"track {track.id} is encrypted ({p.scheme}, KID {p.kid.hex()}); give the "
                    "clear file, or its key (origin.protection.inputs)",
                )
            chosen.append(track)
        return chosen

    def samples(self, track: Track) -> Samples:
        """The track's tables and fragments, each sample inside an mdat (TR-3, TR-7)."""
        layout = self._layout
        tables = layout.tables
        try:
            samples = read_samples(tables, track, layout.mdats, self.identity.size)
            if layout.moofs:
                if self._fragments is None:
                    tracks = self.movie.tracks
                    begun = {
                        t.id: read_samples(tables, t, layout.mdats, self.identity.size)
                        for t in tracks
                    }
                    self._fragments = read_fragments(layout.moofs, tracks, begun, layout.mdats)
                samples = self._fragments[track.id]
        except BoxError as error:
            raise VodError.of_box(error, f"{self.name}: track {track.id}") from error
        if not len(samples):
            raise VodError("bad_table", self.name, f"track {track.id} has no samples")
        return samples

    def closed_raps(self, track: Track, samples: Samples) -> list[int]:
        """Sync samples at which a decoder can start (TR-14): for AVC, those with an IDR slice.

        HEVC's open ones stay, with a note (TR-32). VodError `resolution_change` where the parameter
        sets within the samples are no longer those of the first (TR-10).
        """
        claimed = _claimed(samples)
        layout = LAYOUTS.get(track.entry.config_kind)
        config = track.entry.config
        if layout is None or len(config) <= layout.length_at:
            return claimed
        if not self.reader.near:
            self.notes.append(f"{self.name}: its sync samples are taken at their word")
            return claimed
        width = (config[layout.length_at] & 3) + 1
        kept, opened, sets = [], set[int](), b""
        for i in claimed:
            kind, own = self._picture(samples.offset[i], samples.size[i], width, layout)
            if own and sets and own != sets:
                at_s = samples.dts[i] / track.timescale
                raise VodError(
                    "resolution_change",
                    self.name,
                    f"the parameter sets of track {track.id} change at {at_s:.3f} s; "
                    "re-encode it as one stream",
                )
            sets = sets or own
            if kind in layout.closed or kind in layout.open:
                kept.append(i)
            if kind in layout.open and self._leads(samples, i + 1, width, layout):
                opened.add(i)
        if len(kept) < len(claimed):
            self.notes.append(
                f"{self.name}: {len(claimed) - len(kept)} of {len(claimed)} sync samples are no "
                "IDR pictures and are not used as cuts (open GOP)"
            )
        if opened:
            self.notes.append(
                f"{self.name}: {len(opened)} of {len(claimed)} key frames are of open GOPs; "
                "re-encode with closed ones (x265: open-gop=0) for clean starts"
            )
        self.open_raps[track.id] = opened
        return kept

    def completed(self, track: Track, samples: Samples) -> Track:
        """The track with a sample entry that says all that its pictures say (TR-53, TR-54)."""
        layout = LAYOUTS.get(track.entry.config_kind)
        config, units = track.entry.config, []
        if layout is None or len(config) <= layout.length_at:
            return track
        first = next(iter(_claimed(samples)), None)
        if first is not None and self.reader.near:
            width = (config[layout.length_at] & 3) + 1
            for kind, at, size in self._units(
                samples.offset[first], samples.size[first], width, layout
            ):
                if kind in layout.slices:
                    break
                if kind in layout.sets and size <= MAX_SET_BYTES:
                    units.append(self.reader.read(at, size))
        entry = entries.completed(track.entry, units)
        return replace(track, entries=(entry, *track.entries[1:]))

    def _leads(self, samples: Samples, at: int, width: int, layout: "_Nals") -> bool:
        """Whether pictures that are shown earlier, and need what was before, follow from here."""
        while at < len(samples):
            kind, _ = self._picture(samples.offset[at], samples.size[at], width, layout)
            if kind not in layout.leading:
                return False
            if kind in layout.skipped:
                return True
            at += 1
        return False

    def _picture(self, at: int, size: int, width: int, layout: "_Nals") -> tuple[int, bytes]:
        """The kind of the first slice of a sample, and the sequence parameter sets before it."""
        sets = b""
        for kind, start, length in self._units(at, size, width, layout):
            if kind in layout.slices:
                return kind, sets
            if kind == layout.sequence and length <= MAX_SET_BYTES:
                sets += self.reader.read(start, length)
        return -1, sets

    def _units(
        self, at: int, size: int, width: int, layout: "_Nals"
    ) -> Iterator[tuple[int, int, int]]:
        """Kind, place and length of the NAL units of a sample."""
        end = at + size
        while at + width < end:
            head = self.reader.read(at, width + 1)
            if len(head) <= width:
                raise VodError("truncated", self.name, f"the file ends at byte {at}")
            length = int.from_bytes(head[:width], "big")
            yield (
                head[width] >> layout.shift & layout.mask,
                at + width,
                min(length, end - at - width),
            )
            at += width + length


def _claimed(samples: Samples) -> list[int]:
    return [i for i, sync in enumerate(samples.sync) if sync]


def _is_text(track: Track) -> bool:
    return track.entry.fourcc in TEXT_FORMATS and track.entry.protection is None  # PR-153


class _Nals(NamedTuple):
    """Where a codec keeps its NAL lengths, and which kinds of NAL there are."""

    length_at: int  # byte of the configuration with lengthSizeMinusOne
    shift: int
    mask: int
    slices: range
    closed: frozenset[int]  # a decoder can start here and shows all that follows
    open: frozenset[int]
    sequence: int  # sequence parameter set
    sets: frozenset[int]  # all parameter sets
    leading: range  # pictures shown before the key frame that they follow
    skipped: range  # those of them that a decoder which starts there cannot show


LAYOUTS = {
    # ISO/IEC 14496-10, table 7-1
    "avcC": _Nals(
        4,
        0,
        31,
        range(1, 6),
        frozenset([5]),
        frozenset(),
        7,
        frozenset(entries.AVC_SETS),
        range(0),
        range(0),
    ),
    # ISO/IEC 23008-2, table 7-1
    "hvcC": _Nals(
        21,
        1,
        63,
        range(32),
        frozenset(range(16, 21)),
        frozenset([21]),
        33,
        entries.PARAMETER_SETS,
        range(6, 10),
        range(8, 10),
    ),
}


def _scan(reader: Reader, size: int, name: str) -> _Layout:
    """Headers of all top-level boxes; ftyp, moov and moofs whole, media never (TR-2, TR-26)."""
    at = 0
    found = _Layout()
    hints: Hints | None = None
    for _ in range(MAX_BOXES):
        if at == size:
            break
        if hints is not None:
            hints.reach(at)
        kind, body, end = _header(reader, at, size, name)
        if kind == b"sidx" and hints is not None and end - at <= MAX_SIDX_BYTES:
            hints.indexed(reader.read(at, end - at), end)
        if kind == b"mdat":
            found.mdats.append((body, min(end, size)))
        elif kind == b"emsg" and end - at <= MAX_EVENT_BYTES and len(found.emsgs) < MAX_EVENTS:
            found.emsgs.append((len(found.moofs), reader.read(at, end - at)))
        elif kind in (b"ftyp", b"moov", b"moof"):
            if end > size:
                raise VodError("truncated", name, f"{kind.decode()} ends past the file")
            if end - at > MAX_MOOV_BYTES:
                raise VodError("bad_box", name, f"{kind.decode()} of {end - at} bytes")
            piece = reader.read(at, end - at)
            if kind == b"moof":
                found.moofs.append((at, piece))
            elif kind == b"ftyp":
                found.head = piece
            else:
                found.moov = found.moov or piece
                if not reader.near and b"mvex" in piece:
                    hints = Hints(reader)
        if end > size:
            what = kind.decode("latin-1")
            raise VodError(
                "truncated" if found.moov or kind == b"mdat" else "no_moov",
                name,
                f"{what!r} at byte {at} ends {end - size} bytes after the file; copy it again",
            )
        at = end
    else:
        raise VodError("bad_box", name, f"more than {MAX_BOXES} boxes at the top level")
    if not found.moov:
        raise VodError("no_moov", name, "there is no moov box: not an MP4 file, or cut short")
    found.tables = found.head + found.moov
    return found


def _header(reader: Reader, at: int, size: int, name: str) -> tuple[bytes, int, int]:
    """Kind, body and end of a top-level box; the end may pass the file."""
    raw = reader.read(at, 16)
    if len(raw) < 8:
        raise VodError("truncated", name, f"{len(raw)} stray bytes at byte {at}")
    length, kind, body = int.from_bytes(raw[:4], "big"), raw[4:8], at + 8
    if length == 1 and len(raw) == 16:
        length, body = int.from_bytes(raw[8:], "big"), at + 16
    elif length == 0:
        length = size - at
    if length < body - at:
        raise VodError("bad_box", name, f"box {kind!r} at byte {at} declares {length} bytes")
    return kind, body, at + length
