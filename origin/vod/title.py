"""One registered title, open: manifests rendered once, segments made on request (TR-56)."""

import os
import weakref
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from native.bmff import BoxError
from native.bmff.fragment import segment
from native.bmff.gather import read_runs
from native.bmff.runs import place_runs
from native.http import Entity
from origin import dash, hls
from origin.tracks import Segment
from origin.vod.catalog import Record
from origin.vod.errors import VodError
from origin.vod.index import Index, TrackIndex
from origin.vod.source import Identity

MEDIA = "public, max-age=1209600, immutable"  # origin-http.md section 3: finished segment
MANIFEST = "public, max-age=60"
MEDIA_TYPE = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}


@dataclass(frozen=True, slots=True)
class Served:
    """A track of the title: its index, its open source, its segment list."""

    index: TrackIndex
    source: Path
    fd: int
    tag: str  # what names the bytes of this track on every origin that has the same file
    segments: list[Segment]


@dataclass(slots=True, weakref_slot=True)
class Title:
    """An open title. Its files close when nobody holds it any more, a reading thread included."""

    name: str
    identities: dict[Path, Identity]
    tracks: dict[str, Served]
    leaves: dict[str, Entity] = field(default_factory=dict)

    @classmethod
    def open(cls, record: Record, indexes: list[Index]) -> "Title":
        tracks: dict[str, Served] = {}
        identities: dict[Path, Identity] = {}
        fds: list[int] = []
        try:
            for index in indexes:
                fd = os.open(index.source, os.O_RDONLY | os.O_CLOEXEC)
                fds.append(fd)
                identities[index.source] = index.identity
                for track in index.tracks:
                    name = track.rendition.name
                    tag = f"{index.digest[:20]}-{record.segment_s.replace('/', '_')}-{name}"
                    tracks[name] = Served(track, index.source, fd, tag, _segments(track))
        except OSError as error:
            for fd in fds:
                os.close(fd)
            raise VodError("unreadable", record.title, f"a source is gone: {error}") from error
        title = cls(record.title, identities, tracks)
        for fd in fds:
            weakref.finalize(title, os.close, fd)
        title._render(Fraction(record.duration_s), Fraction(record.segment_s))
        return title

    def stale(self) -> bool:
        """Whether a source has changed since it was indexed (TR-42)."""
        try:
            return any(Identity.of(path.stat()) != i for path, i in self.identities.items())
        except OSError:
            return True

    def _render(self, duration_s: Fraction, segment_s: Fraction) -> None:
        """Everything but segments."""
        served = list(self.tracks.values())
        renditions = [track.index.rendition for track in served]
        target_s = hls.target_duration_s(
            (s.duration, t.index.rendition.timescale) for t in served for s in t.segments
        )
        period = dash.Period(
            "1",
            Fraction(0),
            [dash.Timeline(t.index.rendition, t.segments) for t in served],
            duration_s,
        )
        self._text("master.m3u8", hls.multivariant(renditions), hls.CONTENT_TYPE)
        mpd = dash.static_mpd(period, min_buffer_s=segment_s)
        self._text("manifest.mpd", mpd, dash.CONTENT_TYPE)
        for name, track in self.tracks.items():
            playlist = hls.media_playlist(
                track.segments,
                timescale=track.index.rendition.timescale,
                target_duration_s=target_s,
                playlist_type="VOD",
                end=True,
            )
            self._text(f"{name}/media.m3u8", playlist, hls.CONTENT_TYPE)
            kind = MEDIA_TYPE[track.index.rendition.kind]
            self.leaves[f"{name}/init.mp4"] = Entity(
                track.index.init, content_type=kind, cache_control=MEDIA
            )

    def _text(self, leaf: str, text: str, content_type: str) -> None:
        self.leaves[leaf] = Entity(text.encode(), content_type=content_type, cache_control=MANIFEST)

    def segment(self, name: str, number: int, *, wait: bool) -> Entity | None:
        """Segment `number` (from 1), read from the source; None if that would wait for a disk.

        KeyError when there is no such segment; VodError when the source is not what it was.
        """
        track = self.tracks[name]
        columns = track.index.columns
        k = number - 1
        if not 0 <= k < track.index.segments:
            raise KeyError(number)
        first, stop = columns["first_sample"].slice(k, k + 2)
        if first == stop:
            raise KeyError(number)
        sizes = columns["size"].slice(first, stop)
        body, at = segment(
            number,
            columns["decode_time"].slice(k, k + 1)[0],
            sizes,
            columns["duration"].slice(first, stop),
            columns["cto"].slice(first, stop),
            columns["sync"].slice(first, stop),
            track.index.rendition.kind == "video",
            track.index.note if columns["first_sample"].slice(0, 1)[0] == first else b"",
        )
        low, high = columns["first_run"].slice(k, k + 2)
        starts, lengths = place_runs(
            sizes,
            columns["run_samples"].slice(low, high),
            columns["run_gap"].slice(low, high),
            columns["first_byte"].slice(k, k + 1)[0],
        )
        try:
            if not read_runs(track.fd, body, at, starts, lengths, wait):
                return None
        except (BoxError, OSError) as error:
            raise VodError("unreadable", f"{self.name}/{name}", str(error)) from error
        return Entity(
            body,
            content_type=MEDIA_TYPE[track.index.rendition.kind],
            cache_control=MEDIA,
            etag=f"{track.tag}-{number}",
        )


def _segments(track: TrackIndex) -> list[Segment]:
    """The segment list of a track, holes marked."""
    columns = track.columns
    count = track.segments
    firsts = columns["first_sample"].slice(0, count + 1)
    starts = columns["start"].slice(0, count + 1)
    sizes = columns["bytes"].slice(0, count)
    filled = [k for k in range(count) if firsts[k] < firsts[k + 1]]
    out: list[Segment] = []
    for k, after in zip(filled, [*filled[1:], count], strict=True):
        out.append(Segment(k + 1, starts[k], starts[after] - starts[k], sizes[k]))
    return out
