"""Image playlists of HLS: sheets of small pictures (Roku, image-media-playlist v0.4; TR-100), and
single ones as a trick mode of JPEGs in fragments (HLS Authoring Specification for Apple Devices,
appendix; TR-101).
"""

from collections.abc import Sequence
from fractions import Fraction

from origin.hls.forms import MAP
from origin.hls.media import date_time, half_up
from origin.tiles import Tiles

LEAF = "media.m3u8"


def image_stream_inf(tiles: Tiles) -> str:
    """The line of the multivariant playlist; RESOLUTION is one tile's."""
    return (
        f'#EXT-X-IMAGE-STREAM-INF:BANDWIDTH={tiles.bandwidth},CODECS="jpeg",'
        f'RESOLUTION={tiles.width}x{tiles.height},URI="{tiles.name}/{LEAF}"\n'
    )


def image_playlist(tiles: Tiles, from_s: Fraction, to_s: Fraction) -> str:
    """The sheets of a span that begins with one. Each tells how it is laid out: players read it
    for each anew.
    """
    layout = (
        f"#EXT-X-TILES:RESOLUTION={tiles.width}x{tiles.height},"
        f"LAYOUT={tiles.columns}x{tiles.rows},DURATION={tiles.interval_s}"
    )
    return _playlist(tiles, from_s, to_s, ["#EXT-X-IMAGES-ONLY"], [layout], ".jpg")


def frame_stream_inf(frames: Tiles) -> str:
    """The line of the multivariant playlist for pictures of a JPEG each."""
    return (
        f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={frames.bandwidth},CODECS="mjpg",'
        f'RESOLUTION={frames.width}x{frames.height},URI="{frames.name}/{LEAF}"\n'
    )


def frame_playlist(frames: Tiles, from_s: Fraction, to_s: Fraction, epoch_s: int | None) -> str:
    """The pictures of a span that begins with one. Where other playlists have dates it has one too
    (HLS-40): `epoch_s` is the wall clock of the film's first picture.
    """
    text = _playlist(frames, from_s, to_s, ["#EXT-X-I-FRAMES-ONLY", MAP], [], ".m4s")
    if epoch_s is None:
        return text
    told = date_time(from_s.numerator, from_s.denominator, epoch_s)
    return text.replace("#EXTINF", f"#EXT-X-PROGRAM-DATE-TIME:{told}\n#EXTINF", 1)


def _playlist(
    tiles: Tiles,
    from_s: Fraction,
    to_s: Fraction,
    kind: Sequence[str],
    before: Sequence[str],
    suffix: str,
) -> str:
    first = int(from_s // tiles.sheet_s) + 1
    last = min(int(-(-to_s // tiles.sheet_s)), len(tiles.sizes))
    spans = [(a, min(b, to_s)) for a, b in map(tiles.span_s, range(first, last + 1))]
    target_s = max((half_up(end - start) for start, end in spans), default=1)
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(target_s, 1)}"]
    lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}", "#EXT-X-PLAYLIST-TYPE:VOD", *kind]
    for number, (start_s, end_s) in enumerate(spans, first):
        length_s = float(_micros(end_s) - _micros(start_s))
        lines += [*before, f"#EXTINF:{length_s:.6f},", f"{number}{suffix}"]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _micros(seconds: Fraction) -> Fraction:
    """Rounded so that sums telescope (TR-35)."""
    return Fraction(half_up(seconds * 10**6), 10**6)
