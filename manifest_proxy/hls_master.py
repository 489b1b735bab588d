"""A master playlist as entries that stages may drop, change and permute.

An entry is a rendition, a whole variant with its URI, or a line of another kind.
Source: draft-pantos-hls-rfc8216bis-22 section 4.4.6; HLS-M27..M31.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from native.hls import Line

from .hls import attributes_of, changed
from .hls_pathways import MEDIA, SINGLE_LINE_VARIANTS, VARIANT, blocks
from .selection import Facts
from .tables import CHARACTERISTICS, TEXT_FORMATS, VIDEO_FORMATS


@dataclass(frozen=True)
class Entry:
    """`tag` is the line that names it, `rest` the lines of a variant down to its URI."""

    tag: Line
    rest: tuple[Line, ...] = ()

    @cached_property
    def attributes(self) -> dict[bytes, bytes]:
        return attributes_of(self.tag)

    def get(self, name: bytes) -> bytes:
        return self.attributes.get(name, b"")

    def with_(self, changes: dict[bytes, bytes | None]) -> "Entry":
        return replace(self, tag=changed(self.tag, changes))

    @property
    def is_variant(self) -> bool:
        return self.tag.name == VARIANT

    @property
    def is_still(self) -> bool:
        """I-frames or images: trick play."""
        return self.tag.name in SINGLE_LINE_VARIANTS

    @property
    def is_rendition(self) -> bool:
        return self.tag.name == MEDIA

    @property
    def group(self) -> tuple[bytes, bytes]:
        """Of a rendition: the attribute of variants that names its group, and the name."""
        return self.get(b"TYPE"), self.get(b"GROUP-ID")

    @cached_property
    def codecs(self) -> tuple[str, ...]:
        text = self.get(b"CODECS").decode("latin-1")
        return tuple(one.strip() for one in text.split(",") if one.strip())

    @property
    def video_codecs(self) -> tuple[str, ...]:
        return tuple(one for one in self.codecs if one.lower().startswith(VIDEO_FORMATS))

    @property
    def audio_codecs(self) -> tuple[str, ...]:
        other = (*VIDEO_FORMATS, *TEXT_FORMATS)
        return tuple(one for one in self.codecs if not one.lower().startswith(other))

    @property
    def has_video(self) -> bool:
        return bool(self.get(b"RESOLUTION") or self.video_codecs or not self.codecs)

    @property
    def rung(self) -> tuple[object, ...]:
        """What makes two variants the same picture in different company."""
        same = (b"RESOLUTION", b"FRAME-RATE", b"VIDEO-RANGE", b"PATHWAY-ID")
        return (*map(self.get, same), self.video_codecs)

    @cached_property
    def facts(self) -> Facts:
        if self.is_rendition:
            channels = self.get(b"CHANNELS").partition(b"/")[0]
            return Facts(
                language=self.get(b"LANGUAGE").decode("latin-1") or None,
                channels=_number(channels),
                roles=frozenset(self._roles()),
            )
        return Facts(
            bandwidth=_number(self.get(b"BANDWIDTH")),
            height=_number(self.get(b"RESOLUTION").lower().partition(b"x")[2]),
            frame_rate=_number(self.get(b"FRAME-RATE")),
            codecs=self.video_codecs,
            dynamic_range=self.get(b"VIDEO-RANGE").decode("latin-1") or None,
        )

    def _roles(self) -> Iterable[str]:
        for name in self.get(b"CHARACTERISTICS").decode("latin-1").split(","):
            if name.strip() in CHARACTERISTICS:
                yield CHARACTERISTICS[name.strip()]
        if self.get(b"FORCED") == b"YES":
            yield "forced-subtitle"


def entries(lines: Sequence[Line]) -> list[Entry]:
    found = blocks(lines)
    made: list[Entry] = []
    at = 0
    while at < len(lines):
        block = found.get(at, lines[at : at + 1])
        made.append(Entry(block[0], tuple(block[1:])))
        at += len(block)
    return made


def joined(some: Iterable[Entry]) -> bytes:
    """The playlist; an entry that stood last without a line end gets one unless it still does."""
    raws = [line.raw for entry in some for line in (entry.tag, *entry.rest)]
    ending = next((raw[len(raw.rstrip(b"\r\n")) :] for raw in raws[:1]), b"") or b"\n"
    ends = (b"\n", b"\r")
    return b"".join([raw if raw.endswith(ends) else raw + ending for raw in raws[:-1]] + raws[-1:])


def _number(text: bytes) -> float | None:
    try:
        return float(text) if len(text) < 32 else None
    except ValueError:
        return None
