"""A clip's Periods in front of a static MPD.

Source: DASH-M4, M6, M7, M8; ISO/IEC 23009-1:2022 sections 5.3.1, 5.3.2.
"""

import re
from decimal import Decimal

from .errors import ManifestError
from .mpd import Document
from .mpd_trim import seconds

NAMESPACES = re.compile(rb"""\sxmlns(?::[^\s=]+)?\s*=\s*(?:"[^"]*"|'[^']*')""")


def with_bumper_mpd(data: bytes, clip: bytes | None, folder: bytes) -> bytes:
    """The clip's Period before the content's; `folder` is where the clip's references resolve.

    Left out before a dynamic MPD, whose Periods may not move (DASH-M1), and when the clip is not
    one Period of a known length.
    """
    content, before = Document(data), Document(clip) if clip is not None else None
    if before is None or content.attribute(content.root, b"type") == "dynamic":
        return data
    periods, mine = before.root.named("Period"), content.root.named("Period")
    length_s = seconds(before.attribute(before.root, b"mediaPresentationDuration") or "")
    total_s = seconds(content.attribute(content.root, b"mediaPresentationDuration") or "")
    total = content.root.attribute_span(b"mediaPresentationDuration")
    if len(periods) != 1 or not mine or not length_s or total_s is None or total is None:
        return data
    edits = [(*total, _duration(total_s + length_s))]
    edits.append((mine[0].start, mine[0].start, _period(before, length_s, folder)))
    for period in mine:
        if (span := period.attribute_span(b"start")) is not None:
            start_s = seconds(content.attribute(period, b"start") or "")
            if start_s is None:
                raise ManifestError("mpd_time", "a Period@start that is no duration")
            edits.append((*span, _duration(start_s + length_s)))
    parts, at = [], 0
    for start, end, text in sorted(edits):
        parts += [data[at:start], text]
        at = end
    return b"".join([*parts, data[at:]])


def _period(clip: Document, length_s: Decimal, folder: bytes) -> bytes:
    """The clip's Period under an id of its own, with its length and the place of its media."""
    period = clip.root.named("Period")[0]
    root = clip.data[clip.root.start : clip.root.inner_start]
    inner = clip.data[period.inner_start : period.inner_end]
    name = clip.prefix + b"Period"
    names = b"".join(NAMESPACES.findall(root))
    base = b"<%bBaseURL>%b</%bBaseURL>" % (clip.prefix, folder, clip.prefix)
    head = b'<%b%b id="bumper" start="PT0S" duration="%b">' % (name, names, _duration(length_s))
    return head + base + inner + b"</" + name + b">\n"


def _duration(value: Decimal) -> bytes:
    return b"PT%bS" % f"{value.normalize():f}".encode()
