"""The media of a live channel by name: segments and parts, from the log when they are not hot, and
those that are about to come.

Status: specs/origin-http.md section 4 and O5..O7. No byte of a part or a segment leaves before all
of it can (HLS-32), but for what a face streams in the making.
"""

import re

from origin.delivery.caching import Class
from origin.errors import OriginError
from origin.live import parts
from origin.live.awaited import Awaited, Found
from origin.live.forms import MAKERS, has
from origin.live.labels import Name
from origin.live.presentation import Presentation
from origin.live.track import LiveTrack

NAME = re.compile(r"(\d{1,18})(?:\.(\d{1,6}))?(\.m4s|\.vtt|\.i\.m4s)", re.ASCII)
SOON = 2  # segments after the edge that a player may ask for and we hold
PARTS_SOON = 2  # parts after the hinted one that we hold: another origin may be ahead


def ask(presentation: Presentation, track: LiveTrack, leaf: str) -> Found | Awaited:
    """The answer for a name in a track's folder, now or when it is there."""
    found = NAME.fullmatch(leaf)
    if found is None or not has(track, found[3]) or (found[2] and found[3] != ".m4s"):
        return presentation.refusal(404, "not_found", Class.GONE)
    number, index = int(found[1]), int(found[2]) if found[2] else None

    def answer() -> Found | None:
        return _answer(presentation, track, number, index, found[3])

    if (known := answer()) is not None:
        return known
    early = presentation.refusal(presentation.settings.early_status, "too_early", Class.EARLY)
    limit_s = presentation.hold_s
    if not limit_s or not _near(presentation, track, number, index):
        return early
    key = presentation.path(track, leaf)
    return Awaited(presentation.channel.name, key, limit_s, early, answer)


def _answer(
    presentation: Presentation, track: LiveTrack, number: int, index: int | None, suffix: str
) -> Found | None:
    """None while it may still come."""
    channel = presentation.channel
    try:
        if index is not None and (number <= channel.edge or channel.opens(number)):
            spans = parts.spans(track, number, channel.part_s)
            if index < len(spans):
                span, here = spans[index], track.segments[number]
                pieces = presentation.sealing.pieces(track, here, span.first, span.end)
                part = span.part
                ticks = part.start, part.start + part.duration
                return presentation.show(track, Name(number, index), pieces, ticks)
        if number > channel.edge:
            if channel.ended or (index is not None and channel.part_s is None):
                return presentation.refusal(404, "not_found", Class.MEDIA_ERROR)
            early = index is None and suffix == ".m4s"
            return presentation.early(track, number) if early else None
        stored = track.whole(number)
        if index is None and stored is not None:
            made, tag = MAKERS[suffix](presentation.sealing, track, stored)
            name, ticks = Name(number, None, suffix), (stored.start, stored.end)
            return presentation.show(track, name, made, ticks, tag)
    except OriginError as error:
        return presentation.refusal(error.status, error.code, Class.EARLY)
    if stored is None and channel.left(track, number):
        return presentation.refusal(410, "gone", Class.GONE)
    code = "gap" if stored is None else "no_such_part"
    return presentation.refusal(404, code, Class.MEDIA_ERROR)


def _near(presentation: Presentation, track: LiveTrack, number: int, index: int | None) -> bool:
    """Whether it comes so soon that waiting for it is no mistake (O5, HLS-31)."""
    channel = presentation.channel
    if channel.edge < 0 or number > channel.edge + SOON:
        return False
    here = len(parts.spans(track, number, channel.part_s)) if number == channel.edge + 1 else 0
    return index is None or index <= here + PARTS_SOON
