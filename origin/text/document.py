"""Subtitles as they are handed in: cues in milliseconds, and what stands before them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from origin.text.errors import BadText

MAX_BYTES = 16 << 20
MAX_CUES = 100_000
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})")


@dataclass(frozen=True, slots=True)
class TextCue:
    """Times in milliseconds; `text` is a WebVTT payload."""

    start_ms: int
    end_ms: int
    text: str
    id: str = ""
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """`header` is WebVTT's, with STYLE and REGION blocks. `notes` tell what was lost."""

    header: str
    cues: Sequence[TextCue]
    notes: Sequence[str] = field(default=())


class Block(NamedTuple):
    """A cue as it is written; `name` stands before its times, `rest` behind them on their line."""

    name: str
    start_ms: int
    end_ms: int
    rest: str
    text: str


def decoded(data: bytes) -> str:
    """UTF-8, or UTF-16 with its mark; line ends as one. BadText for anything else (TR-88)."""
    if len(data) > MAX_BYTES:
        raise BadText(f"subtitles of {len(data)} bytes")
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(coding)
    except UnicodeDecodeError as error:
        raise BadText(f"not {coding}: byte {error.start}; convert the file to UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def clock_ms(text: str) -> int | None:
    """mm:ss.ttt or h..h:mm:ss.ttt, with a dot or a comma; None if it is no time."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups()
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int(fraction.ljust(3, "0"))


def timed(block: str, times: re.Pattern[str]) -> Block | None:
    """A cue by the first of its first two lines that has times: begin, end and the rest of it as
    groups of `times`; None where none has, or they are no times.
    """
    lines = block.split("\n")
    for number, line in enumerate(lines[:2]):
        if (found := times.fullmatch(line)) is None:
            continue
        start, end = clock_ms(found[1]), clock_ms(found[2])
        if start is None or end is None:
            return None
        name = lines[0] if number else ""
        return Block(name, start, end, found[3] or "", "\n".join(lines[number + 1 :]))
    return None


def arranged(header: str, cues: Sequence[TextCue], notes: Sequence[str] = ()) -> Document:
    """Cues by time, those that never show left out with a count (TR-85, TR-88)."""
    if len(cues) > MAX_CUES:
        raise BadText(f"{len(cues)} cues")
    shown = sorted((c for c in cues if c.end_ms > c.start_ms), key=lambda c: c.start_ms)
    lost = len(cues) - len(shown)
    told = [*notes, *([f"{lost} cues end where they start and are left out"] if lost else [])]
    return Document(header, shown, told)
