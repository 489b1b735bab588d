"""One progressive MP4 file: its boxes found by header alone, its tables read once (TR-1..TR-16)."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from native.bmff import BoxError, Movie, Track, parse_init
from native.bmff.tables import Samples, read_samples
from origin.vod.errors import VodError

MAX_BOXES = 65536  # at the top level
MAX_MOOV_BYTES = 512 << 20
SKIPPED_FORMATS = frozenset(["jpeg", "mjpa", "mjpb", "png ", "tmcd"])  # TR-11
NAL_IDR = 5  # ISO/IEC 14496-10, table 7-1
NAL_SLICE = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What must be unchanged for an index to hold (TR-42)."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(slots=True)
class Source:
    """An open input. `digest` names its tables: equal files have equal digests anywhere."""

    path: Path
    fd: int
    identity: Identity
    movie: Movie
    digest: str
    _head: bytes
    _mdats: list[tuple[int, int]]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open and read everything but the media; VodError says what is wrong with the file."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise VodError("unreadable", path.name, error.strerror or "cannot be opened") from error
        try:
            identity = Identity.of(os.fstat(fd))
            head, mdats = _scan(fd, identity.size, path.name)
            try:
                movie = parse_init(head)
            except BoxError as error:
                raise VodError.of_box(error, path.name) from error
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, identity, movie, hashlib.sha256(head).hexdigest(), head, mdats)

    def close(self) -> None:
        os.close(self.fd)

    @property
    def name(self) -> str:
        return self.path.name

    def media_tracks(self) -> list[Track]:
        """Video and audio, in file order; other tracks are left out with a note (TR-11)."""
        chosen = []
        for track in self.movie.tracks:
            if track.handler not in ("vide", "soun") or track.entry.fourcc in SKIPPED_FORMATS:
                what = f"{track.handler} {track.entry.fourcc}"
                self.notes.append(f"{self.name}: track {track.id} ({what}) is left out")
                continue
            if track.entry.protection:
                p = track.entry.protection
                raise VodError(
                    "encrypted",
                    self.name,
                    f"track {track.id} is encrypted ({p.scheme}, KID {p.kid.hex()}); "
                    "give the clear file",
                )
            chosen.append(track)
        return chosen

    def samples(self, track: Track) -> Samples:
        """The track's tables, each sample inside an mdat of the file (TR-7)."""
        try:
            samples = read_samples(self._head, track, self._mdats, self.identity.size)
        except BoxError as error:
            raise VodError.of_box(error, f"{self.name}: track {track.id}") from error
        if not len(samples):
            raise VodError("bad_table", self.name, f"track {track.id} has no samples")
        return samples

    def closed_raps(self, track: Track, samples: Samples) -> list[int]:
        """Sync samples at which a decoder can start (TR-14): for AVC, those with an IDR slice."""
        claimed = [i for i, sync in enumerate(samples.sync) if sync]
        config = track.entry.config
        if track.entry.config_kind != "avcC" or len(config) < 5:
            return claimed
        width = (config[4] & 3) + 1
        closed = [i for i in claimed if self._is_idr(samples.offset[i], samples.size[i], width)]
        if len(closed) < len(claimed):
            self.notes.append(
                f"{self.name}: {len(claimed) - len(closed)} of {len(claimed)} sync samples are no "
                "IDR pictures and are not used as cuts (open GOP)"
            )
        return closed

    def _is_idr(self, at: int, size: int, width: int) -> bool:
        """Whether the first slice of a sample is an IDR slice."""
        end = at + size
        while at + width < end:
            head = os.pread(self.fd, width + 1, at)
            if len(head) <= width:
                raise VodError("truncated", self.name, f"the file ends at byte {at}")
            kind = head[width] & 31
            if NAL_SLICE <= kind <= NAL_IDR:
                return kind == NAL_IDR
            at += width + int.from_bytes(head[:width], "big")
        return False


def _scan(fd: int, size: int, name: str) -> tuple[bytes, list[tuple[int, int]]]:
    """ftyp and moov as one piece, and where the mdats lie (TR-2). Media is never read."""
    at = 0
    head = b""
    moov = b""
    mdats: list[tuple[int, int]] = []
    for _ in range(MAX_BOXES):
        if at == size:
            break
        kind, body, end = _header(fd, at, size, name)
        if kind == b"mdat":
            mdats.append((body, min(end, size)))
        elif kind == b"moof":
            raise VodError("fragmented", name, "fragmented MP4 is not read here; remux to one moov")
        elif kind in (b"ftyp", b"moov"):
            if end > size:
                raise VodError("truncated", name, f"{kind.decode()} ends past the file")
            if end - at > MAX_MOOV_BYTES:
                raise VodError("bad_box", name, f"{kind.decode()} of {end - at} bytes")
            piece = os.pread(fd, end - at, at)
            head, moov = (piece, moov) if kind == b"ftyp" else (head, moov or piece)
        if end > size:
            what = kind.decode("latin-1")
            raise VodError(
                "truncated" if moov or kind == b"mdat" else "no_moov",
                name,
                f"{what!r} at byte {at} ends {end - size} bytes after the file; copy it again",
            )
        at = end
    if not moov:
        raise VodError("no_moov", name, "there is no moov box: not an MP4 file, or cut short")
    return head + moov, mdats


def _header(fd: int, at: int, size: int, name: str) -> tuple[bytes, int, int]:
    """Kind, body and end of a top-level box; the end may pass the file."""
    raw = os.pread(fd, 16, at)
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
