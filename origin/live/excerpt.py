"""What a copy keeps of a channel beside its media: the channel's folder, cut to some numbers."""

import asyncio
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from origin.live.channel import LiveChannel
from origin.live.copies import Facts
from origin.live.kept import save
from origin.live.log import HEADER
from origin.live.presentation import Presentation
from origin.live.ranges import SETTLED, Range, Window
from origin.live.records import END, Record, pack
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.live.volume import Volume, replace_file

STRIDE = 32  # numbers between two places where long work pauses


@dataclass(slots=True)
class Stretch:
    """Octets `start` to `end` of a volume's media are wanted; `taken` of them are in objects."""

    start: int
    end: int
    objects: int = 0
    taken: int = 0

    @property
    def left(self) -> int:
        return self.end - self.start - self.taken


@dataclass(slots=True)
class Lane:
    """One track of a copy: the next number to look at, and what is wanted by volume. What was
    `lost` can be had nowhere.
    """

    track: LiveTrack
    next: int
    stretches: dict[int, Stretch] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)

    async def look(self, last: int) -> None:
        """Note what is wanted up to this number."""
        for number in range(self.next, last + 1):
            stored = self.track.whole(number)
            for ordinal, record in stored.parts if stored is not None else ():
                end = record.offset + record.size
                known = self.stretches.setdefault(ordinal, Stretch(record.offset, end))
                known.end = max(known.end, end)
            self.next = number + 1
            if not number % STRIDE:
                await asyncio.sleep(0)

    @property
    def kept(self) -> Mapping[int, Stretch]:
        """What can be had."""
        return {o: stretch for o, stretch in self.stretches.items() if o not in self.lost}


async def write(folder: Path, channel: LiveChannel, window: Window, lanes: Iterable[Lane]) -> None:
    """Write the folder anew but for its journals; its edge is so far on that the range is settled
    (HLS-3).
    """
    for lane in lanes:
        rows: dict[int, list[bytes]] = {ordinal: [] for ordinal in lane.kept}
        for number in range(window.first, window.last + 1):
            stored = lane.track.whole(number)
            if stored is not None and not lane.lost & {ordinal for ordinal, _ in stored.parts}:
                _copy_rows(rows, stored, lane.kept)
            if not number % STRIDE:
                await asyncio.sleep(0)
        beside = folder / lane.track.log.folder.name
        for ordinal, packed in rows.items():
            replace_file(Volume(beside, ordinal).index, b"".join(packed))
        if rows:
            replace_file(beside / HEADER, lane.track.header)
    await asyncio.to_thread(_copy_events, channel.folder, folder)
    settled = -int(-SETTLED * channel.kept.target_s // (channel.duration_s or 1))
    kept = replace(channel.kept, first=window.first, filled=window.last + settled, end=-1)
    save(folder, kept)


def facts(presentation: Presentation, wanted: Range, objects: Mapping[str, int]) -> Facts:
    """What a complete copy of a range tells, of objects of these sizes."""
    channel = presentation.channel
    described = [(track, channel.describe(track)) for track in channel.live_tracks]
    rates = {r.name: str(r.frame_rate) for _, r in described if r.frame_rate is not None}
    tricks = {r.name: r.bandwidth for _, r in presentation.trick.renditions(described)}
    return Facts(
        "complete",
        objects=len(objects),
        bytes=sum(objects.values()),
        channel=channel.name,
        start=str(wanted.start_s),
        end=str(wanted.end_s),
        frame_rates=rates,
        tricks=tricks,
    )


def _copy_rows(
    rows: Mapping[int, list[bytes]], stored: Stored, stretches: Mapping[int, Stretch]
) -> None:
    """The records of a segment, where its chunks are in the copy, and that it is whole."""
    ordinal = 0
    for ordinal, record in stored.parts:
        offset = record.offset - stretches[ordinal].start
        rows[ordinal].append(pack(replace(record, offset=offset)))
    rows[ordinal].append(pack(Record(0, 0, 0, stored.start, 0, 0, END)))


def _copy_events(source: Path, target: Path) -> None:
    """The journal of events: its index first, so that no record lacks its octets."""
    for suffix in ("index", "cmaf"):
        for path in source.glob(f"*.{suffix}"):
            shutil.copyfile(path, target / path.name)
