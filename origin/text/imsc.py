"""IMSC 1 Text documents from WebVTT cues (W3C IMSC 1.0.1, 6; ISO/IEC 14496-30, 5; TR-87, TR-90).

Regions stand for the nine places that a cue's settings come nearest to. Nothing outside of the
profile is written: b, i, u and the named colours of spans, line breaks, and times on the track.
"""

import re
import struct
from collections.abc import Iterable
from html import unescape
from xml.sax.saxutils import escape, quoteattr

from native.bmff.model import SampleEntry
from native.bmff.write import box, full
from origin.text.tx3g import COLOURS
from origin.text.wvtt import Cue

NAMESPACE = "http://www.w3.org/ns/ttml"
PROFILE = "http://www.w3.org/ns/ttml/profile/imsc1/text"
MIME = "application/ttml+xml;codecs=im1t"
CODECS = "stpp.ttml.im1t"
ROWS = {"top": ("5%", "before"), "middle": ("37.5%", "center"), "bottom": ("70%", "after")}
ALIGNS = {"left": "start", "start": "start", "right": "end", "end": "end"}
STYLES = {
    "b": 'tts:fontWeight="bold"',
    "i": 'tts:fontStyle="italic"',
    "u": 'tts:textDecoration="underline"',
}
_TAG = re.compile(r"<(/?)([a-z]*)((?:\.[^.\s>]+)*)[^>]*>")
_LINE = re.compile(r"(?:^|\s)line:(-?\d+(?:\.\d+)?)(%?)")
_ALIGN = re.compile(r"(?:^|\s)align:(\w+)")
_UNSAYABLE = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def sample_entry() -> SampleEntry:
    """stpp with its namespace and profile (ISO/IEC 14496-30, 5.4 and 5.5)."""
    fixed = bytes(6) + struct.pack(">H", 1) + NAMESPACE.encode() + b"\0\0\0"
    return SampleEntry("stpp", box("stpp", fixed, full("mime", 0, 0, MIME.encode() + b"\0")))


def document(cues: Iterable[Cue], timescale: int, language: str) -> bytes:
    """One document with whole cues, their times those of the track; `<body/>` for silence."""
    rows = [_paragraph(cue, timescale) for cue in cues]
    regions = sorted({_region(cue) for cue in cues})
    body = f"<body>\n<div>\n{''.join(rows)}</div>\n</body>" if rows else "<body/>"
    layout = "".join(_layout(*region) for region in regions)
    head = f"<head>\n<layout>\n{layout}</layout>\n</head>\n" if regions else ""
    lang = "" if language == "und" else language
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<tt xmlns="{NAMESPACE}"'
        f' xmlns:ttp="{NAMESPACE}#parameter" xmlns:tts="{NAMESPACE}#styling"'
        f' ttp:profile="{PROFILE}" ttp:timeBase="media" xml:lang={quoteattr(lang)}>\n'
        f"{head}{body}\n</tt>\n"
    ).encode()


def _layout(row: str, align: str) -> str:
    origin, display = ROWS[row]
    return (
        f'<region xml:id="{row}-{align}" tts:origin="5% {origin}" tts:extent="90% 25%"'
        f' tts:displayAlign="{display}" tts:textAlign="{align}"/>\n'
    )


def _region(cue: Cue) -> tuple[str, str]:
    found = _LINE.search(cue.settings)
    row = "bottom"
    if found is not None:
        share = float(found[1]) if found[2] else float(found[1]) * 100 / 15  # rows of a picture
        row = "bottom" if share < 0 or share >= 60 else "top" if share < 30 else "middle"
    align = _ALIGN.search(cue.settings)
    return row, ALIGNS.get(align[1], "center") if align is not None else "center"


def _paragraph(cue: Cue, timescale: int) -> str:
    times = f'begin="{_clock(cue.start, timescale)}" end="{_clock(cue.end, timescale)}"'
    region = "-".join(_region(cue))
    number = f' xml:id="c{cue.source}"' if cue.source is not None else ""
    return f'<p{number} region="{region}" {times}>{_content(cue.text)}</p>\n'


def _content(text: str) -> str:
    """A cue's payload as spans, each tag closed where it must be."""
    out: list[str] = []
    stack: list[str] = []
    at = 0
    for found in _TAG.finditer(text):
        out.append(_said(text[at : found.start()]))
        at = found.end()
        name = found[2]
        if found[1]:
            if name in stack:
                while stack.pop() != name:
                    out.append("</span>")
                out.append("</span>")
            continue
        colour = next((c for c in found[3].split(".") if c in COLOURS.values()), "")
        style = STYLES.get(name) or (f'tts:color="{colour}"' if name == "c" and colour else "")
        if style:
            stack.append(name)
            out.append(f"<span {style}>")
    out.append(_said(text[at:]))
    return "".join(out) + "</span>" * len(stack)


def _said(text: str) -> str:
    return escape(_UNSAYABLE.sub("\ufffd", unescape(text))).replace("\n", "<br/>")


def _clock(ticks: int, timescale: int) -> str:
    seconds, ms = divmod(ticks * 1000 // timescale, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
