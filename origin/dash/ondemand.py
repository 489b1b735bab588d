"""On-demand manifests: one indexed file a Representation (ISO/IEC 23009-1, 8.3; TR-111)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from origin.dash.events import EventStream, event_streams
from origin.dash.images import image_set
from origin.dash.mpd import DECLARATION, NAMESPACES
from origin.dash.sets import adaptation_sets, representation_opening, set_opening
from origin.dash.text import duration, element, tag
from origin.tiles import Tiles
from origin.tracks import Rendition

PROFILE = "urn:mpeg:dash:profile:isoff-on-demand:2011"


@dataclass(frozen=True, slots=True)
class Indexed:
    """A rendition as one file: its header ends where its sidx begins; `index_end` is behind it."""

    rendition: Rendition
    url: str
    header_bytes: int
    index_end: int


def on_demand_mpd(
    files: Sequence[Indexed],
    *,
    duration_s: Fraction,
    min_buffer_s: Fraction,
    texts: Sequence[tuple[Rendition, str]] = (),
    events: Sequence[EventStream] = (),
    images: Sequence[Tiles] = (),
    start_s: Fraction = Fraction(0),
) -> str:
    """A static manifest of one Period, addressed by SegmentBase; `texts` are WebVTT files. Media
    from `start_s` on plays (TR-117).
    """
    root = [
        *NAMESPACES,
        ("type", "static"),
        ("profiles", PROFILE),
        ("mediaPresentationDuration", duration(duration_s)),
        ("minBufferTime", duration(min_buffer_s)),
    ]
    text = tag("Period", [("id", "1"), ("start", "PT0S"), ("duration", duration(duration_s))])
    text += event_streams(events, start_s, start_s + duration_s)
    by_name = {file.rendition.name: file for file in files}
    urls = {r.name: url for r, url in texts}
    sets = adaptation_sets([*(file.rendition for file in files), *(r for r, _ in texts)])
    for number, members in sets:
        opening = set_opening(number, members, sets)
        if members[0].name in urls:
            text += _beside(opening, members, urls, start_s)
            continue
        text += opening.replace(
            'segmentAlignment="true"', 'subsegmentAlignment="true" subsegmentStartsWithSAP="1"', 1
        )
        for r in members:
            text += representation_opening(r) + _base(by_name[r.name], start_s)
            text += "</Representation>\n"
        text += "</AdaptationSet>\n"
    for number, tiles in enumerate(images, len(sets) + 1):
        text += image_set(number, tiles, start_s, start_s + duration_s)
    return f"{DECLARATION}{tag('MPD', root)}{text}</Period>\n</MPD>\n"


def _beside(
    opening: str, members: Sequence[Rendition], urls: dict[str, str], start_s: Fraction
) -> str:
    """A set of WebVTT files, each a Representation without segments."""
    text = opening.replace('mimeType="application/mp4"', 'mimeType="text/vtt"', 1)
    for r in members:
        text += tag("Representation", [("id", r.name), ("bandwidth", max(r.bandwidth, 1))])
        text += element("BaseURL", [], urls[r.name])
        if start_s:
            offset = [("timescale", r.timescale), *_offset(r, start_s)]
            text += tag("SegmentBase", offset, close=True)
        text += "</Representation>\n"
    return text + "</AdaptationSet>\n"


def _offset(r: Rendition, start_s: Fraction) -> list[tuple[str, object]]:
    return [("presentationTimeOffset", int(start_s * r.timescale))] if start_s else []


def _base(file: Indexed, start_s: Fraction) -> str:
    """BaseURL and SegmentBase; indexRange covers exactly the sidx."""
    first, last = file.header_bytes, file.index_end - 1
    base = tag(
        "SegmentBase",
        [
            ("timescale", file.rendition.timescale),
            *_offset(file.rendition, start_s),
            ("indexRange", f"{first}-{last}"),
        ],
    )
    header = tag("Initialization", [("range", f"0-{first - 1}")], close=True)
    return element("BaseURL", [], file.url) + base + header + "</SegmentBase>\n"
