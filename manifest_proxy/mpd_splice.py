"""A clip's Periods in front of a static MPD.

Source: DASH-M4, M6, M7, M8; ISO/IEC 23009-1:2022 sections 5.3.1, 5.3.2.
"""

import re
from decimal import Decimal

from .errors import ManifestError
from .mpd import Document
from .mpd_trim import replaced, seconds

NAMESPACES = re.compile(rb"""\sxmlns(?::[^\s=]+)?\s*=\s*(?:"[^"]*"|'[^']*')""")


def with_bumper_mpd(data: bytes, clip: bytes | None, folder: bytes) -> bytes:
    """The clip's Period before the content's; `folder` is where the clip's references resolve.

    Left out before a dynamic MPD, where a viewer's session says what moves (mpd_join), and when the
    clip is not one Period of a known length.
    """
    content, before = Document(data), Document(clip) if clip is not None else None
    if before is None or content.attribute(content.root, b"type") == "dynamic":
        return data
    mine, length_s = content.root.named("Period"), length_of(before)
    total_s = seconds(content.attribute(content.root, b"mediaPresentationDuration") or "")
    total = content.root.attribute_span(b"mediaPresentationDuration")
    if not mine or not length_s or total_s is None or total is None:
        return data
    edits = [(*total, xs_duration(total_s + length_s))]
    first = clip_period(before, b"bumper", Decimal(0), folder)
    edits.append((mine[0].start, mine[0].start, first))
    for period in mine:
        if (span := period.attribute_span(b"start")) is not None:
            start_s = seconds(content.attribute(period, b"start") or "")
            if start_s is None:
                raise ManifestError("mpd_time", "a Period@start that is no duration")
            edits.append((*span, xs_duration(start_s + length_s)))
    return replaced(data, edits)


def length_of(clip: Document) -> Decimal | None:
    """Seconds of a clip; None unless it is one Period of a known length."""
    if len(clip.root.named("Period")) != 1:
        return None
    return seconds(clip.attribute(clip.root, b"mediaPresentationDuration") or "")


def clip_period(
    clip: Document, name_id: bytes, start_s: Decimal, folder: bytes, held_s: Decimal | None = None
) -> bytes:
    """The clip's Period under an id of its own, with its length, or less of it, and the place of
    its media.
    """
    length_s = held_s if held_s is not None else length_of(clip) or Decimal(0)
    period = clip.root.named("Period")[0]
    root = clip.data[clip.root.start : clip.root.inner_start]
    inner = clip.data[period.inner_start : period.inner_end]
    name = clip.prefix + b"Period"
    names = b"".join(NAMESPACES.findall(root))
    base = b"<%bBaseURL>%b</%bBaseURL>" % (clip.prefix, folder, clip.prefix)
    times = (name_id, xs_duration(start_s), xs_duration(length_s))
    head = b'<%b%b id="%b" start="%b" duration="%b">' % (name, names, *times)
    return head + base + inner + b"</" + name + b">\n"


def xs_duration(value: Decimal) -> bytes:
    """Seconds as xs:duration (D12)."""
    return b"PT%bS" % f"{value.normalize():f}".encode()
