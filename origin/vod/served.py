"""A track of an open title: its segments, its I frames, and what they are cut from."""

from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

from native.bmff import BoxError
from native.bmff.cutter import Cutter
from native.bmff.runs import place_runs
from native.bmff.write import fragment, styp
from origin.tracks import Rendition, Segment
from origin.vod.errors import VodError
from origin.vod.index import TrackIndex
from origin.vod.reading import Reader
from origin.vod.spans import Pace

STYP = styp("msdh", "msdh", "msix", "cmfs")


class Lock(Protocol):
    """What encrypts a title's transport streams, object by object (PR-145). `tracks` are the names
    of the renditions inside, `frame` tells an I frame from its segment (TR-97).
    """

    def line(self, tracks: Sequence[str], segment: Segment, *, frame: bool) -> str: ...

    def close(
        self, data: bytes, tracks: Sequence[str], segment: Segment, *, frame: bool
    ) -> bytes: ...


class Guard(Protocol):
    """What turns the clear objects of a title into protected ones (origin.protection).

    `tag` names scheme and keys within ETags, and never tells a key. `track` is a rendition's name,
    `first_sample` the index of the first sample in the title's track: equal for a segment and the I
    frame cut from it, so that a sample has one IV (TR-97).
    """

    tag: str

    @property
    def lock(self) -> Lock | None:
        """None where transport streams are not offered."""

    def shown(self, rendition: Rendition) -> Rendition: ...

    def init(self, track: str, data: bytes) -> bytes: ...

    def seal(self, track: str, data: bytes, first_sample: int) -> Sequence[bytes]: ...

    def seal_fresh(
        self, track: str, head: bytes, sizes: bytes, media: bytes, first_sample: int
    ) -> Sequence[bytes]:
        """A segment that nobody has seen: its `media` is encrypted in place (PR-163). `head` is all
        before it, `sizes` u32 per sample.
        """


class Guarding(Protocol):
    """Guards of titles by name; `scheme` "" asks for a title's default."""

    def get(self, title: str, scheme: str) -> Guard | None: ...


class Samples(NamedTuple):
    """The samples of one segment as int64 columns, and the runs of the source that hold them."""

    first: int
    decode_time: int
    sizes: "array[int]"
    durations: "array[int]"
    ctos: "array[int]"
    syncs: "array[int]"
    starts: "array[int]"
    lengths: "array[int]"


@dataclass(frozen=True)
class Served:
    """`tag` names the bytes of this track on every origin that has the same file."""

    index: TrackIndex
    reader: Reader
    tag: str
    modified: int  # epoch seconds of the source

    @property
    def rendition(self) -> Rendition:
        return self.index.rendition

    @property
    def name(self) -> str:
        return self.rendition.name

    @property
    def is_video(self) -> bool:
        return self.rendition.kind == "video"

    @cached_property
    def segments(self) -> list[Segment]:
        """What there is, holes left out; sizes are those of whole segments."""
        columns = self.index.columns
        count = self.index.segments
        firsts = columns["first_sample"].slice(0, count + 1)
        starts = columns["start"].slice(0, count + 1)
        sizes = columns["bytes"].slice(0, count)
        heads = columns["head"].slice(0, count)
        filled = [k for k in range(count) if firsts[k] < firsts[k + 1]]
        return [
            Segment(k + 1, starts[k], starts[after] - starts[k], heads[k] + sizes[k])
            for k, after in zip(filled, [*filled[1:], count], strict=True)
        ]

    @cached_property
    def played(self) -> list[Segment]:
        """The segments, and gaps where there is nothing between two of them (TR-23)."""
        columns, out = self.index.columns, self.segments[:1]
        starts = columns["start"].slice(0, self.index.segments + 1)
        firsts = columns["first_sample"].slice(0, self.index.segments + 1)
        for s in self.segments[1:]:
            before, missing = out[-1], range(out[-1].number, s.number - 1)
            if missing:
                k = before.number - 1
                end = before.start + sum(columns["duration"].slice(firsts[k], firsts[k + 1]))
                if 2 * end < starts[missing.start] + s.start:  # not one sample over all of them
                    out[-1] = replace(before, duration=starts[missing.start] - before.start)
                    out += [Segment(n + 1, starts[n], starts[n + 1] - starts[n], gap=True)
                            for n in missing]  # fmt: skip
            out.append(s)
        return out

    @cached_property
    def frames(self) -> list[Segment]:
        """The I frames that stand for the segments (TR-94, TR-98)."""
        firsts = self.index.columns["first_sample"]
        sizes = self.index.columns["size"]
        overhead = len(STYP) + len(fragment(1, 0, 0, [(0, b"")]))
        out = []
        for s in self.segments:
            at = firsts.slice(s.number - 1, s.number)[0]
            size = overhead + sizes.slice(at, at + 1)[0]
            out.append(Segment(s.number, s.start, s.duration, size))
        return out

    def samples(self, number: int) -> Samples:
        """What segment `number` (from 1) is made of; KeyError when there is no such segment."""
        columns = self.index.columns
        k = number - 1
        if not 0 <= k < self.index.segments:
            raise KeyError(number)
        first, stop = columns["first_sample"].slice(k, k + 2)
        if first == stop:
            raise KeyError(number)
        sizes = columns["size"].slice(first, stop)
        low, high = columns["first_run"].slice(k, k + 2)
        starts, lengths = place_runs(
            sizes,
            columns["run_samples"].slice(low, high),
            columns["run_gap"].slice(low, high),
            columns["first_byte"].slice(k, k + 1)[0],
        )
        return Samples(
            first,
            columns["decode_time"].slice(k, k + 1)[0],
            sizes,
            columns["duration"].slice(first, stop),
            columns["cto"].slice(first, stop),
            columns["sync"].slice(first, stop),
            starts,
            lengths,
        )

    def media(self, number: int, *, wait: bool) -> bytes | None:
        """A whole CMAF segment; None if reading it would wait for a disk or a store.

        KeyError when there is no such segment; VodError when the source is not what it was.
        """
        return self._followed(number, self._read(*self.cutter.blank(number), wait))

    def sealed(self, guard: Guard, number: int, *, wait: bool) -> Sequence[bytes] | None:
        """`media`, protected."""
        head, sizes, media, starts, lengths = self.cutter.parts(number)
        read = self._followed(number, self._read(media, 0, starts, lengths, wait))
        if read is None:
            return None
        return guard.seal_fresh(self.name, head, sizes, read, self.cutter.first(number))

    def _followed(self, number: int, data: bytes | None) -> bytes | None:
        """Have the next segment read ahead where that takes time, and viewers play on (TR-46)."""
        if data is not None and not self.reader.near and self.pace.goes_on(number):
            with suppress(KeyError):
                _, _, starts, lengths = self.cutter.blank(number + 1)
                self.reader.ahead(starts, lengths)
        return data

    def sealed_frame(self, guard: Guard, number: int, *, wait: bool) -> Sequence[bytes] | None:
        """`frame`, protected."""
        data = self.frame(number, wait=wait)
        if data is None:
            return None
        return guard.seal(self.name, data, self.cutter.first(number))

    def frame(self, number: int, *, wait: bool) -> bytes | None:
        """The I frame that segment `number` begins with, as long as the segment (TR-95)."""
        s = self.samples(number)
        size = s.sizes[:1]
        bare = self._read(bytes(size[0]), 0, s.starts[:1], size, wait)
        if bare is None:
            return None
        length = next(x.duration for x in self.segments if x.number == number)
        return STYP + fragment(1, number, s.decode_time + s.ctos[0], [(length, bare)])

    def payload(self, samples: Samples, *, wait: bool) -> bytes | None:
        """The bytes of all samples, end to end."""
        return self._read(bytes(sum(samples.sizes)), 0, samples.starts, samples.lengths, wait)

    @cached_property
    def reorder(self) -> int:
        """How far decode times must come earlier for none to lie behind its picture's time."""
        ctos = self.index.columns["cto"]
        return max(0, -min(ctos.slice(0, ctos.rows), default=0))

    @cached_property
    def pace(self) -> Pace:
        return Pace()

    @cached_property
    def cutter(self) -> Cutter:
        return Cutter(self.index.columns, self.is_video, self.index.note)

    def _read(
        self, out: bytes, at: int, starts: "array[int]", lengths: "array[int]", wait: bool
    ) -> bytes | None:
        try:
            return self.reader.runs(out, at, starts, lengths, wait)
        except (BoxError, OSError) as error:
            where = self.reader.location.rpartition("/")[2]
            raise VodError("unreadable", f"{where}: {self.name}", str(error)) from error
