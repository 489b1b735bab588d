"""A channel's files as bytes: read where they are written, and written elsewhere just so.

Order is what makes a copy safe to follow at any moment: media before its record, and both before
the edge that counts them (origin.live.follow).
"""

import os
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

from origin.live.kept import STATE
from origin.live.log import HEADER
from origin.live.owner import told_edge
from origin.live.records import RECORD_BYTES, unpack
from origin.live.volume import replace_file, storing
from origin.replica.entry import BadEntry, Listing, Rows, VolumeState

INDEX, MEDIA = "index", "cmaf"
JOURNAL = "-"  # no track's name
SEAL_BYTES = 16


def home_of(folder: Path, track: str) -> Path:
    """Where a track's volumes are; the journal's (origin.live.events) are the channel's own."""
    return folder if track == JOURNAL else folder / track


def path_of(folder: Path, track: str, volume: int, suffix: str) -> Path:
    return home_of(folder, track) / f"{volume:08d}.{suffix}"


def name_of(track: str, volume: int, suffix: str) -> str:
    """How a peer is asked for the file."""
    return f"{track}/{volume:08d}.{suffix}"


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def rows_of(folder: Path, track: str, volume: int) -> int:
    """Whole records in a volume's index; 0 when there is none."""
    return size_of(path_of(folder, track, volume, INDEX)) // RECORD_BYTES


def volumes_of(folder: Path, track: str) -> list[int]:
    home = home_of(folder, track)
    return sorted(int(p.stem) for p in home.glob(f"*.{INDEX}") if p.stem.isdigit() and int(p.stem))


def tracks_of(folder: Path) -> list[str]:
    """Whose volumes there may be, the journal first: it is told before the media it came with."""
    return [JOURNAL, *sorted(p.parent.name for p in folder.glob(f"*/{HEADER}"))]


def opened(folder: Path, track: str) -> bool:
    """Whether the track's header is here; the journal needs none."""
    return track == JOURNAL or (folder / track / HEADER).exists()


def listing(folder: Path) -> Listing:
    """What this folder has. The edge is read first: all that it counts is in the rest."""
    edge = told_edge(folder)
    state = folder / STATE
    kept = state.read_bytes() if state.exists() else b""
    tracks = {
        track: [_state(folder, track, volume) for volume in volumes_of(folder, track)]
        for track in tracks_of(folder)
    }
    return Listing(edge, kept, tracks)


def seal_of(folder: Path, track: str, volume: int, rows: int, rest: bytes = b"") -> bytes:
    """What names the first `rows` records of a volume's index, with `rest` after them.

    No CRC: over records that end in a CRC of their own it tells nothing but their count.
    """
    path = path_of(folder, track, volume, INDEX)
    stat = path.stat()
    seal = _sealed(path, rows * RECORD_BYTES, stat.st_ino, stat.st_mtime_ns).copy()
    seal.update(rest)
    return seal.digest()


def put_state(folder: Path, kept: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if kept:
        replace_file(folder / STATE, kept)


def put_header(folder: Path, track: str, header: bytes) -> None:
    (folder / track).mkdir(parents=True, exist_ok=True)
    if not (folder / track / HEADER).exists():
        replace_file(folder / track / HEADER, header)


def put_rows(folder: Path, rows: Rows, start: int, media: bytes) -> None:
    """Append records and the media they tell of, which begins at `start` of the volume.

    BadEntry when bytes and checksums disagree; then nothing was written.
    """
    records = unpack(rows.rows)
    if len(records) * RECORD_BYTES != len(rows.rows):
        raise BadEntry("a record's seal is broken")
    for record in records:
        at = record.offset - start
        if record.size and (at < 0 or crc32(media[at : at + record.size]) != record.crc):
            raise BadEntry("media and record disagree")
    if media:
        _write_at(path_of(folder, rows.track, rows.volume, MEDIA), media, start)
    put_index(folder, rows)


def put_index(folder: Path, rows: Rows) -> None:
    """Append records alone."""
    at = rows.first * RECORD_BYTES
    _write_at(path_of(folder, rows.track, rows.volume, INDEX), rows.rows, at)


def span(rows: bytes) -> tuple[int, int]:
    """Where the media of these records begins and ends in its volume."""
    media = [record for record in unpack(rows) if record.size]
    if not media:
        return 0, 0
    return min(r.offset for r in media), max(r.offset + r.size for r in media)


def drop_volume(folder: Path, track: str, volume: int) -> None:
    for suffix in (MEDIA, INDEX):
        path_of(folder, track, volume, suffix).unlink(missing_ok=True)


def _state(folder: Path, track: str, volume: int) -> VolumeState:
    rows = rows_of(folder, track, volume)
    media_bytes = size_of(path_of(folder, track, volume, MEDIA))
    return VolumeState(volume, rows, media_bytes, seal_of(folder, track, volume, rows))


@lru_cache(maxsize=4096)
def _sealed(path: Path, size: int, _inode: int, _modified_ns: int) -> blake2b:
    with path.open("rb") as file:
        return blake2b(file.read(size), digest_size=SEAL_BYTES)


def _write_at(path: Path, data: bytes, offset: int) -> None:
    with storing():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            rest = memoryview(data)
            while rest:
                written = os.pwrite(descriptor, rest, offset)
                rest, offset = rest[written:], offset + written
        finally:
            os.close(descriptor)
