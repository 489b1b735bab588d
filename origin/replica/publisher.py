"""What a machine tells the others of the channels it writes: records, headers, state, edge."""

from dataclasses import dataclass, field
from pathlib import Path

from origin.live.kept import STATE
from origin.live.log import HEADER
from origin.live.owner import told_edge
from origin.live.records import RECORD_BYTES
from origin.replica import files
from origin.replica.entry import ROWS_BYTES, Entry, Rows


@dataclass(slots=True)
class Told:
    """How much of one channel was told so far."""

    kept: bytes = b""
    headers: set[str] = field(default_factory=set)
    ends: dict[str, tuple[int, int]] = field(default_factory=dict)  # track: (volume, rows)


class Publisher:
    """Makes entries out of a channel's files; knows no store and no socket."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._told: dict[str, Told] = {}

    def forget(self, channel: str) -> None:
        """Another process writes it now; what it tells is not known here."""
        self._told.pop(channel, None)

    def entry(self, channel: str) -> Entry:
        """What is new in a channel. The first entry, and one that would be too long, only says that
        there is more than can be told: others catch up.
        """
        folder = self._folder / channel
        edge = told_edge(folder)
        anew = channel not in self._told
        told = self._told.setdefault(channel, Told())
        kept = (folder / STATE).read_bytes() if (folder / STATE).exists() else b""
        headers: dict[str, bytes] = {}
        rows: list[Rows] = []
        for track in files.tracks_of(folder):
            if track != files.JOURNAL and track not in told.headers:
                told.headers.add(track)
                headers[track] = (folder / track / HEADER).read_bytes()
            rows += _rows(folder, track, told)
        changed = kept if kept != told.kept else b""
        told.kept = kept
        if anew or sum(len(each.rows) for each in rows) > ROWS_BYTES:
            return Entry(self._url, channel, anew=True)
        return Entry(self._url, channel, False, edge, changed, headers, rows)


def _rows(folder: Path, track: str, told: Told) -> list[Rows]:
    """Records that were not told yet."""
    at, done = told.ends.get(track, (0, 0))
    found = []
    for volume in [v for v in files.volumes_of(folder, track) if v >= at]:
        start = done if volume == at else 0
        end = files.rows_of(folder, track, volume)
        if end > start:
            before = files.rows_of(folder, track, volume - 1) if not start else 0
            data = _read(folder, track, volume, start, end - start)
            found.append(Rows(track, volume, start, data, before))
        told.ends[track] = (volume, end)
    return found


def _read(folder: Path, track: str, volume: int, row: int, count: int) -> bytes:
    with files.path_of(folder, track, volume, files.INDEX).open("rb") as file:
        file.seek(row * RECORD_BYTES)
        return file.read(count * RECORD_BYTES)
