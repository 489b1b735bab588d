"""A live channel in memory for tests of its playlists, and a reader of playlists of its own."""

import gzip
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from bench.ingester import GRID_S, Synth
from native.http import Hot
from origin.ingest.body import TrackBody
from origin.live.channels import Channels
from origin.live.sources import Peer
from origin.settings import Settings

NOW_S = 1_800_000_000
FIRST = int(NOW_S / GRID_S)
V = Synth("video", 40_000, chunks=4, seed=1)
A = Synth("audio", 20_000, chunks=4, seed=2)


class Rig:
    """Channel `c` with tracks `v` and `a`, fed chunk by chunk on a clock of its own."""

    def __init__(self, folder: Path, synths: dict[str, Synth] | None = None, **known: Any) -> None:
        self.synths = synths or {"v": V, "a": A}
        channel = {"segment_s": GRID_S} | known.pop("channel", {})
        options = {"window_s": 30, "retention_s": 120, "channels": {"c": channel}}
        self.settings = Settings.model_validate(options | known)
        self.folder = folder
        self.now_s = float(NOW_S)
        self.restart()

    def restart(self) -> None:
        self.hot = Hot()
        self.channels = Channels(self.folder, self.settings, self.hot, lambda: self.now_s)
        self.channels.open()
        self.bodies: dict[str, TrackBody] = {}

    def chunk(self, track: str, data: bytes) -> None:
        body = self.bodies.get(track)
        if body is None:
            peer = Peer(track, "10.0.0.1", 1)
            body = TrackBody(self.channels, "c", track, self.settings, lambda: self.now_s, peer)
            self.bodies[track] = body
            body.feed(self.synths[track].header)
        body.feed(data)

    def end(self) -> None:
        """Every encoder says that nothing follows (I7)."""
        for body in self.bodies.values():
            body.feed(b"\0\0\0\x10mfra\0\0\0\x08mfro")
            body.finish()
        self.bodies = {}

    def begin(self) -> None:
        """Headers of all tracks, so that the channel waits for all of them."""
        for track in self.synths:
            self.chunk(track, b"")

    def play(self, first: int, count: int) -> None:
        """Whole segments of all tracks, in step."""
        for number in range(first, first + count):
            for pieces in zip(*(s.pieces(number) for s in self.synths.values()), strict=True):
                self.now_s += float(GRID_S) / 4
                for track, piece in zip(self.synths, pieces, strict=True):
                    self.chunk(track, piece)

    @property
    def presentation(self) -> Any:
        return self.channels.presentations["c"]

    @property
    def channel(self) -> Any:
        return self.presentation.channel

    @property
    def face(self) -> Any:
        return self.presentation.faces[0]

    def entity(self, track: str = "v", query: str = "") -> Any:
        """What a request gets now: an entity, a refusal, or what it waits for."""
        leaf = f"{track}/media.m3u8"
        return self.presentation.directed(leaf, query) or self.presentation.render(leaf)

    def text(self, track: str = "v", query: str = "") -> str:
        entity = self.entity(track, query)
        plain = bytes(entity.body)
        assert gzip.decompress(entity.gzip) == plain
        return plain.decode()

    def playlist(self, track: str = "v", query: str = "") -> "Playlist":
        return read(self.text(track, query))


@dataclass
class Playlist:
    """A playlist taken apart by line: `blocks` are the lines of each segment with its URI last,
    by media sequence number; `coming` is what follows the last one.
    """

    head: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    blocks: dict[int, list[str]] = field(default_factory=dict)
    coming: list[str] = field(default_factory=list)
    skipped: int = 0
    removed: list[str] | None = None

    def value(self, tag: str) -> str | None:
        return next((x.partition(":")[2] for x in self.head if x.partition(":")[0] == tag), None)

    def number(self, tag: str) -> int:
        return int(self.value(tag) or 0)

    @property
    def first(self) -> int:
        return self.number("#EXT-X-MEDIA-SEQUENCE")

    @property
    def target_s(self) -> int:
        return self.number("#EXT-X-TARGETDURATION")

    @property
    def part_target_s(self) -> Fraction:
        return Fraction((self.value("#EXT-X-PART-INF") or "").partition("=")[2])

    @property
    def last(self) -> int:
        return max(self.blocks)

    def parts(self, number: int) -> list[dict[str, str]]:
        lines = self.blocks.get(number, self.coming)
        return [attributes(x) for x in lines if x.startswith("#EXT-X-PART:")]

    def tagged(self, tag: str) -> list[dict[str, str]]:
        """Attributes of these tags behind the last segment."""
        return [attributes(x) for x in self.coming if x.startswith(f"#EXT-X-{tag}:")]

    def seconds(self, number: int) -> Fraction:
        found = next(x for x in self.blocks[number] if x.startswith("#EXTINF:"))
        return Fraction(found[8:-1])

    def plain(self, number: int) -> list[str]:
        return [x for x in self.blocks[number] if not x.startswith("#EXT-X-PART:")]


SEGMENT_TAGS = ("#EXTINF", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-DISCONTINUITY", "#EXT-X-GAP",
                "#EXT-X-PART")  # fmt: skip
END_TAGS = ("#EXT-X-PRELOAD-HINT", "#EXT-X-RENDITION-REPORT", "#EXT-X-ENDLIST")


def read(text: str) -> Playlist:
    assert text.startswith("#EXTM3U\n") and text.endswith("\n")
    found = Playlist()
    block: list[str] = []
    number = -1
    for line in text.splitlines():
        tag = line.partition(":")[0]
        if tag == "#EXT-X-SKIP":
            values = attributes(line)
            found.skipped = int(values["SKIPPED-SEGMENTS"])
            if "RECENTLY-REMOVED-DATERANGES" in values:
                found.removed = values["RECENTLY-REMOVED-DATERANGES"].split("\t")
        elif tag == "#EXT-X-DATERANGE":
            found.dates.append(line)
        elif tag in SEGMENT_TAGS or not line.startswith("#"):
            number = found.first + found.skipped + len(found.blocks) if number < 0 else number
            block.append(line)
            if not line.startswith("#"):
                found.blocks[number], block, number = block, [], number + 1
        elif tag in END_TAGS:
            block.append(line)
        else:
            assert number < 0, f"{line} stands behind segments"
            found.head.append(line)
    found.coming = block
    return found


def attributes(line: str) -> dict[str, str]:
    """An attribute list; quotes are taken off."""
    found = {}
    rest = line.partition(":")[2]
    while rest:
        name, _, rest = rest.partition("=")
        if rest.startswith('"'):
            value, _, rest = rest[1:].partition('"')
            rest = rest.removeprefix(",")
        else:
            value, _, rest = rest.partition(",")
        found[name] = value
    return found


def merged(older: Playlist, delta: Playlist) -> Playlist:
    """What a client that has `older` makes of a delta update (HLS-23)."""
    if not delta.skipped:
        return delta
    blocks = {}
    for number in range(delta.first, delta.first + delta.skipped):
        blocks[number] = older.plain(number)  # KeyError: the delta skips what was never shown
    dates = delta.dates
    if delta.removed is not None:
        kept = [x for x in older.dates if attributes(x)["ID"] not in delta.removed]
        dates = list(dict.fromkeys([*kept, *delta.dates]))
    return Playlist(delta.head, dates, blocks | delta.blocks, delta.coming)


def lawful(older: Playlist, newer: Playlist) -> None:
    """What one version may change about the one before (HLS-1, 3, 4, 5, 8, 18)."""
    for tag in ("#EXT-X-TARGETDURATION", "#EXT-X-PART-INF", "#EXT-X-MAP"):
        assert older.value(tag) == newer.value(tag)
    removed = newer.first - older.first
    assert removed >= 0, "MEDIA-SEQUENCE went down"
    gone = [older.blocks[n] for n in range(older.first, newer.first) if n in older.blocks]
    dropped = sum("#EXT-X-DISCONTINUITY" in block for block in gone)
    tag = "#EXT-X-DISCONTINUITY-SEQUENCE"
    if len(gone) == removed:
        assert newer.number(tag) == older.number(tag) + dropped
    for number in set(older.blocks) & set(newer.blocks):
        assert older.plain(number) == newer.plain(number), "a listed segment changed"
        before, after = older.parts(number), newer.parts(number)
        assert after in (before, []), "listed parts changed"
    making = [x for x in older.coming if x.partition(":")[0] in SEGMENT_TAGS]
    if making:
        now = newer.blocks.get(older.last + 1, newer.coming)
        assert now[: len(making)] == making, "the segment in the making changed"
    assert newer.last >= older.last
    assert list(newer.blocks) == list(range(newer.first, newer.last + 1))
    end_s = Fraction(0)
    for number in reversed(newer.blocks):
        assert round(newer.seconds(number)) <= newer.target_s
        assert bool(newer.parts(number)) <= (end_s < 3 * newer.target_s)
        end_s += newer.seconds(number)
    if removed and "#EXT-X-ENDLIST" not in newer.coming:
        assert end_s >= 3 * newer.target_s
