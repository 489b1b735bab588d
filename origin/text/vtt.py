"""WebVTT files (W3C WebVTT; TR-85): a map of their own is applied and left out."""

import re

from origin.text.document import Document, TextCue, arranged, clock_ms, decoded, timed
from origin.text.errors import BadText

_TIMES = re.compile(r"\s*(\S+)[ \t]+-->[ \t]+(\S+)(?:[ \t]+(.*))?")
_LOCAL = re.compile(r"LOCAL:([0-9:.]+)")
_MPEGTS = re.compile(r"MPEGTS:(\d{1,12})")
MAP = "X-TIMESTAMP-MAP="


def read(data: bytes) -> Document:
    """BadText for what is not WebVTT."""
    text = decoded(data)
    first, _, _ = text.partition("\n")
    if not re.match(r"WEBVTT(?:[ \t]|$)", first):
        raise BadText("the file does not begin with WEBVTT")
    blocks = [b.strip("\n") for b in re.split(r"\n(?:[ \t]*\n)+", text) if b.strip()]
    shift_ms = _shift_ms(blocks[0])
    kept = ["WEBVTT"]
    cues: list[TextCue] = []
    for block in blocks[1:]:
        cue = _cue(block, shift_ms)
        if cue is not None:
            cues.append(cue)
        elif block.startswith(("STYLE", "REGION")) and "-->" not in block:
            kept.append(block)
    return arranged("\n\n".join(kept), cues)


def _shift_ms(head: str) -> int:
    """What the file's own map adds to its times."""
    row = next((line for line in head.split("\n") if line.startswith(MAP)), "")
    local, mpegts = _LOCAL.search(row), _MPEGTS.search(row)
    if not row or local is None or mpegts is None:
        return 0
    return int(mpegts[1]) // 90 - (clock_ms(local[1]) or 0)


def _cue(block: str, shift_ms: int) -> TextCue | None:
    found = timed(block, _TIMES)
    if found is None:
        return None
    start_ms, end_ms = max(found.start_ms + shift_ms, 0), max(found.end_ms + shift_ms, 0)
    return TextCue(start_ms, end_ms, found.text, found.name, found.rest)
