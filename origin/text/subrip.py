"""SubRip files (TR-88)."""

import re

from origin.text.document import Document, TextCue, arranged, decoded, timed
from origin.text.errors import BadText

_TIMES = re.compile(r"\s*(\S+)\s*-->\s*(\S+)(?:\s+(.*))?")
_TAG = re.compile(r"</?([A-Za-z]+)[^<>]*>")
_PLACE = re.compile(r"\{\\an([1-9])\}")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
KEPT = frozenset("biu")
LINE = {0: "", 1: "line:50%", 2: "line:5%"}  # rows of {\an}: below, middle, above
ALIGN = {0: "align:left position:5%", 1: "", 2: "align:right position:95%"}


def read(data: bytes) -> Document:
    """BadText for a file without a single cue."""
    text = decoded(data)
    cues = [cue for block in re.split(r"\n[ \t]*\n", text) if (cue := _cue(block)) is not None]
    if not cues:
        raise BadText("no cue with times in it")
    return arranged("WEBVTT", cues)


def _cue(block: str) -> TextCue | None:
    found = timed(block.strip("\n"), _TIMES)
    if found is None:
        return None
    place = _PLACE.search(found.text)
    return TextCue(found.start_ms, found.end_ms, _payload(found.text), settings=_settings(place))


def _settings(place: re.Match[str] | None) -> str:
    if place is None:
        return ""
    row, column = divmod(int(place[1]) - 1, 3)
    return " ".join(filter(None, (LINE[row], ALIGN[column])))


def _payload(text: str) -> str:
    """b, i and u stay, other tags go, everything else is escaped."""
    out = []
    at = 0
    bare = _OVERRIDE.sub("", text)
    for found in _TAG.finditer(bare):
        out.append(_escaped(bare[at : found.start()]))
        name = found[1].lower()
        if name in KEPT:
            out.append(f"</{name}>" if found[0].startswith("</") else f"<{name}>")
        at = found.end()
    return "".join([*out, _escaped(bare[at:])])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
