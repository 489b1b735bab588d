"""WebVTT in samples (ISO/IEC 14496-30:2018, clause 7).

Samples partition time: each holds a vttc box for every cue of its interval, or one vtte box for
none (TR-86). A cue longer than a sample is in several, told by the same source id (vsid), or by
saying the same without one.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from native.bmff import BoxError, walk
from native.bmff.model import SampleEntry
from native.bmff.write import box
from origin.text.errors import BadText

EMPTY = box("vtte")
MAX_CUES = 256  # of one sample
ENTRY_BYTES = 16  # of a sample entry before its boxes
HEADER = "WEBVTT"


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue; times in ticks of the track."""

    start: int
    end: int
    text: str
    id: str = ""
    settings: str = ""
    source: int | None = None

    def goes_on(self, other: "Cue") -> bool:
        """Whether `other`, of the next sample, is this cue still."""
        if self.end != other.start or (self.source is None) != (other.source is None):
            return False
        if self.source is not None:
            return self.source == other.source
        return (self.text, self.id, self.settings) == (other.text, other.id, other.settings)


def header(entry: SampleEntry) -> str:
    """The text before the cues: the vttC box, which holds STYLE and REGION blocks too (7.5)."""
    try:
        boxes = walk(entry.data, ENTRY_BYTES) if len(entry.data) >= ENTRY_BYTES else []
    except BoxError:
        boxes = []
    texts = [
        entry.data[b.body : b.end].decode("utf-8", "replace") for b in boxes if b.kind == "vttC"
    ]
    text = texts[0].replace("\r\n", "\n").strip("\0\n\ufeff ") if texts else HEADER
    return text if text.startswith(HEADER) and "-->" not in text else HEADER


def read_sample(data: bytes, start: int, end: int) -> list[Cue]:
    """The cues of one sample that lasts from `start` to `end`; BadText."""
    cues = []
    try:
        for found in walk(data):
            if found.kind == "vttc":
                cues.append(_cue(data, found.body, found.end, start, end))
            elif found.kind not in ("vtte", "vtta"):
                raise BadText(f"{found.kind!r} in a WebVTT sample")
            if len(cues) > MAX_CUES:
                raise BadText("a WebVTT sample with too many cues")
    except BoxError as error:
        raise BadText(f"byte {error.offset}: {error.detail}") from error
    return cues


def _cue(data: bytes, start: int, end: int, begins: int, ends: int) -> Cue:
    fields: dict[str, str] = {}
    source: int | None = None
    for found in walk(data, start, end):
        body = data[found.body : found.end]
        if found.kind == "vsid" and len(body) >= 4:
            (source,) = struct.unpack_from(">i", body)
        elif found.kind in ("iden", "sttg", "payl"):
            fields[found.kind] = body.decode("utf-8", "replace")
    return Cue(
        begins, ends, fields.get("payl", ""), fields.get("iden", ""), fields.get("sttg", ""), source
    )


def merged(samples: Iterable[list[Cue]]) -> list[Cue]:
    """The cues of consecutive samples, each once with its whole time, by start."""
    done: list[Cue] = []
    going: list[Cue] = []
    for cues in samples:
        still: list[Cue] = []
        for cue in cues:
            before = next((g for g in going if g.goes_on(cue)), None)
            if before is not None:
                going.remove(before)
                cue = replace(before, end=cue.end)
            still.append(cue)
        done += going
        going = still
    return sorted([*done, *going], key=lambda cue: (cue.start, cue.end))


def write_sample(cues: list[Cue]) -> bytes:
    """One sample with these cues."""
    return b"".join(_boxed(cue) for cue in cues) or EMPTY


def _boxed(cue: Cue) -> bytes:
    parts = [box("vsid", struct.pack(">i", cue.source))] if cue.source is not None else []
    parts += [box("iden", cue.id.encode())] if cue.id else []
    parts += [box("sttg", cue.settings.encode())] if cue.settings else []
    return box("vttc", *parts, box("payl", cue.text.encode()))
