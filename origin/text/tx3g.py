"""Timed text of 3GPP, `mov_text` (3GPP TS 26.245, 5.16 and 5.17): samples read as WebVTT payloads.

Styles are reduced to bold, italic, underline and the colours that WebVTT names (TR-91).
"""

import struct
from typing import NamedTuple

from native.bmff import BoxError, walk
from origin.text.errors import BadText

FORCED = 0x80000000  # displayFlags: all samples are forced (Apple; QuickTime File Format)
FACES = {1: "b", 2: "i", 4: "u"}  # 5.16, face-style-flags
COLOURS = {  # W3C WebVTT, 5.1: default text colours
    0xFF0000: "red",
    0x00FF00: "lime",
    0x00FFFF: "cyan",
    0xFFFF00: "yellow",
    0xFF00FF: "magenta",
    0x0000FF: "blue",
    0x000000: "black",
}
MAX_STYLES = 1000
_STYLE = struct.Struct(">HHHBBI")


class _Style(NamedTuple):
    start: int
    end: int
    faces: int
    colour: int


def forced(entry: bytes) -> bool:
    """Whether a sample entry says that its text is always shown."""
    return len(entry) >= 20 and bool(struct.unpack_from(">I", entry, 16)[0] & FORCED)


def plain(sample: bytes) -> str:
    """The text of a sample, which may be empty; BadText."""
    if len(sample) < 2:
        return ""
    size = int.from_bytes(sample[:2], "big")
    raw = sample[2 : 2 + size]
    if len(raw) < size:
        raise BadText(f"a text sample of {len(sample)} bytes declares {size}")
    coding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = raw.decode(coding, "replace").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "\ufffd")


def payload(sample: bytes) -> str:
    """A sample as the text of a cue; BadText."""
    text = plain(sample)
    out, at = [], 0
    for style in _styles(sample):
        start, end = max(style.start, at), min(style.end, len(text))
        if start >= end:
            continue
        colour = COLOURS.get(style.colour >> 8, "")
        tags = [tag for bit, tag in FACES.items() if style.faces & bit]
        opening = "".join(f"<{tag}>" for tag in tags) + (f"<c.{colour}>" if colour else "")
        closing = ("</c>" if colour else "") + "".join(f"</{tag}>" for tag in reversed(tags))
        out += [_escaped(text[at:start]), opening, _escaped(text[start:end]), closing]
        at = end
    return "".join([*out, _escaped(text[at:])]).strip()


def _styles(sample: bytes) -> list[_Style]:
    """Records of the styl box, in order."""
    size = int.from_bytes(sample[:2], "big")
    try:
        boxes = walk(sample, 2 + size) if len(sample) > 2 + size else []
    except BoxError:
        return []
    for box in boxes:
        if box.kind != "styl" or box.end - box.body < 2:
            continue
        count = int.from_bytes(sample[box.body : box.body + 2], "big")
        if count > MAX_STYLES or box.body + 2 + count * _STYLE.size > box.end:
            raise BadText(f"{count} styles in a text sample of {len(sample)} bytes")
        rows = (_STYLE.unpack_from(sample, box.body + 2 + n * _STYLE.size) for n in range(count))
        return sorted(_Style(start, end, face, rgba) for start, end, _, face, _, rgba in rows)
    return []


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
