"""A live MPD cut to the newest part of its window: a smaller buffer, and no S that is all past it.

A whole S leaves when its last repeat has left the buffer, so two answers differ as two versions of
one MPD may (D7). Source: DASH-M13; ISO/IEC 23009-1:2022 sections 5.3.1.2, 5.3.9.6.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from native.mpd import Element

from .errors import ManifestError
from .mpd import Document

DURATION = re.compile(
    r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,9})?)S)?)?", re.ASCII
)
INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
UNITS_S = (86_400, 3_600, 60, 1)
Edit = tuple[int, int, bytes]


def windowed_mpd(data: bytes, window_s: int) -> bytes:
    """The last `window_s` seconds of a dynamic MPD; a static one and a shorter one stay."""
    document = Document(data)
    root = document.root
    if document.attribute(root, b"type") != "dynamic":
        return data
    edits = [_buffer(document, root, window_s)]
    for period in root.named("Period")[-1:]:
        for template in _templates(period):
            edits += _timeline(document, template, window_s)
    return replaced(data, edits)


def replaced(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The bytes with each span replaced by its text."""
    parts, at = [], 0
    for start, end, text in sorted(edits):
        parts += [data[at:start], text]
        at = end
    return b"".join([*parts, data[at:]])


def seconds(text: str) -> Decimal | None:
    """An xs:duration without years and months; None for anything else."""
    found = DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    return sum(
        (Decimal(n) * u for n, u in zip(found.groups(), UNITS_S, strict=True) if n), Decimal(0)
    )


def _buffer(document: Document, root: Element, window_s: int) -> Edit:
    """timeShiftBufferDepth, absent: unlimited."""
    span = root.attribute_span(b"timeShiftBufferDepth")
    if span is None:
        at = root.inner_start - 1
        return at, at, b' timeShiftBufferDepth="PT%dS"' % window_s
    told = seconds(document.attribute(root, b"timeShiftBufferDepth") or "")
    if told is not None and told <= window_s:
        return (*span, document.data[span[0] : span[1]])
    return (*span, b"PT%dS" % window_s)


def _templates(element: Element) -> list[Element]:
    found = []
    for child in element.children:
        if child.name == "SegmentTemplate":
            found.append(child)
        elif child.name in ("AdaptationSet", "Representation"):
            found += _templates(child)
    return found


def _timeline(document: Document, template: Element, window_s: int) -> list[Edit]:
    for timeline in template.named("SegmentTimeline"):
        runs, time = [], 0
        for one in timeline.named("S"):
            time = number_of(document, one, b"t", time)
            repeats = number_of(document, one, b"r", 0)
            if repeats < 0:
                return []  # open: nothing tells where it ends
            end = time + number_of(document, one, b"d", 0) * (repeats + 1)
            runs.append((one, time, repeats + 1, end))
            time = end
        timescale = number_of(document, template, b"timescale", 1)
        gone = [run for run in runs[:-1] if run[3] <= time - window_s * timescale]
        if gone:
            return _without(document, template, gone, runs[len(gone)])
    return []


def _without(
    document: Document,
    template: Element,
    gone: list[tuple[Element, int, int, int]],
    first: tuple[Element, int, int, int],
) -> list[Edit]:
    """Take the first runs away; the next one tells its time, and numbers go on (5.3.9.5.3)."""
    edits: list[Edit] = [(gone[0][0].start, first[0].start, b"")]
    if first[0].attribute_span(b"t") is None:
        at = first[0].start + document.data[first[0].start :].index(b"S") + 1
        edits.append((at, at, b' t="%d"' % first[1]))
    count = sum(run[2] for run in gone)
    span = template.attribute_span(b"startNumber")
    number = b"%d" % (number_of(document, template, b"startNumber", 1) + count)
    if span is not None:
        edits.append((*span, number))
    else:
        at = template.inner_start - 1
        edits.append((at, at, b' startNumber="' + number + b'"'))
    return edits


def number_of(document: Document, element: Element, name: bytes, absent: int) -> int:
    """An integer attribute; ManifestError when it is none."""
    text = document.attribute(element, name)
    if text is None:
        return absent
    if not INTEGER.fullmatch(text.strip()):
        raise ManifestError("mpd_number", f"{element.name}@{name.decode()} is no integer")
    return int(text)
