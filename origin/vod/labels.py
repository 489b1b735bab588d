"""CMSD-Static of a film's objects and the hint of the next one (CTA-5006; specs/origin-http.md O16,
O24): functions of the source alone, so that equal origins agree (O25).
"""

from origin import hls
from origin.delivery import cmsd
from origin.delivery.cmsd import Static
from origin.vod.served import Served

Fields = list[tuple[str, str]]
KINDS: dict[str, cmsd.ObjectType] = {"video": "v", "audio": "a", "text": "tt"}
FORMATS: dict[str, cmsd.StreamFormat] = {".m4s": "o", ".i.m4s": "o", ".ts": "h", ".vtt": "h"}


def manifest(content_type: str, modified: int) -> Fields:
    """Of a playlist or an MPD of sources that changed last at `modified` (epoch seconds)."""
    form: cmsd.StreamFormat = "h" if content_type == hls.CONTENT_TYPE else "d"
    return _fields(Static(at=modified * 1000, ot="m", sf=form, st="v"))


def header(modified: int) -> Fields:
    return _fields(Static(at=modified * 1000, ot="i", sf="o", st="v", su=True))


def text(suffix: str, modified: int) -> Fields:
    """Of a segment of subtitles."""
    kind: cmsd.ObjectType = "c" if suffix == ".vtt" else "tt"
    return _fields(Static(at=modified * 1000, ot=kind, sf=FORMATS[suffix], st="v"))


def image(modified: int) -> Fields:
    """Of a sheet of thumbnails."""
    return _fields(Static(at=modified * 1000, ot="o", st="v"))


def whole(track: Served) -> Fields:
    """Of a track as one file."""
    kind = KINDS[track.rendition.kind]
    return _fields(Static(at=track.modified * 1000, br=_kbps(track), ot=kind, sf="o", st="v"))


def media(track: Served, number: int, suffix: str, folder: str) -> Fields:
    """Of segment `number` (from 1) in this form, below the title's folder."""
    columns, k = track.index.columns, number - 1
    starts = columns["start"].slice(k, k + 2)
    firsts = columns["first_sample"].slice(number, min(number + 2, track.index.segments + 1))
    static = Static(
        at=track.modified * 1000,
        br=_kbps(track),
        d=(starts[1] - starts[0]) * 1000 // track.rendition.timescale,
        nor=f"{number + 1}{suffix}" if len(firsts) == 2 and firsts[0] < firsts[1] else None,
        ot=KINDS[track.rendition.kind],
        sf=FORMATS[suffix],
        st="v",
    )
    return cmsd.object_headers(static, f"{folder}/{track.name}")


def _kbps(track: Served) -> int:
    return -(-track.rendition.bandwidth // 1000)


def _fields(static: Static) -> Fields:
    return [(cmsd.STATIC, str(static))]
