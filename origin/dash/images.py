"""The AdaptationSet of thumbnail sheets (DASH-IF IOP 4.3, 6.2.6; TR-99)."""

from fractions import Fraction

from origin.dash.text import tag
from origin.tiles import Tiles

THUMBNAIL_TILE = "http://dashif.org/guidelines/thumbnail_tile"
TIMESCALE = 1000


def image_set(number: int, tiles: Tiles, start_s: Fraction, end_s: Fraction) -> str:
    """The set of a Period in which media times `start_s` to `end_s` play.

    A whole title's sheets are numbered with one duration, as readers know them; those of a clip
    begin before it and are told by a timeline.
    """
    text = tag(
        "AdaptationSet",
        [("id", number), ("contentType", "image"), ("mimeType", "image/jpeg")],
    )
    opening: list[tuple[str, object]] = [
        ("id", tiles.name),
        ("bandwidth", tiles.bandwidth),
        ("width", tiles.width * tiles.columns),
        ("height", tiles.height * tiles.rows),
    ]
    layout = f"{tiles.columns}x{tiles.rows}"
    text += tag("Representation", opening)
    text += tag(
        "EssentialProperty", [("schemeIdUri", THUMBNAIL_TILE), ("value", layout)], close=True
    )
    media = f"{tiles.name}/$Number$.jpg"
    if start_s == 0:
        address: list[tuple[str, object]] = [
            ("timescale", 1),
            ("duration", tiles.sheet_s),
            ("startNumber", 1),
            ("media", media),
        ]
        text += tag("SegmentTemplate", address, close=True)
    else:
        text += _timeline(tiles, media, start_s, end_s)
    return text + "</Representation>\n</AdaptationSet>\n"


def _timeline(tiles: Tiles, media: str, start_s: Fraction, end_s: Fraction) -> str:
    first = int(start_s // tiles.sheet_s)
    last = min(-(-end_s // tiles.sheet_s), len(tiles.sizes))
    length = tiles.sheet_s * TIMESCALE
    text = tag(
        "SegmentTemplate",
        [
            ("timescale", TIMESCALE),
            ("presentationTimeOffset", int(start_s * TIMESCALE)),
            ("startNumber", first + 1),
            ("media", media),
        ],
    )
    repeats = int(last) - first - 1
    s = tag("S", [("t", first * length), ("d", length), ("r", repeats or None)], close=True)
    return f"{text}<SegmentTimeline>\n{s}</SegmentTimeline>\n</SegmentTemplate>\n"
