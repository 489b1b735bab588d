"""CMSD-Static of a film's objects (CTA-5006; specs/origin-http.md O24): functions of the source
alone, so that equal origins agree (O25). Segments have theirs in origin.vod.forms.
"""

from origin import hls
from origin.delivery import cmsd
from origin.delivery.cmsd import Static
from origin.vod.served import Served

Fields = list[tuple[str, str]]
KINDS: dict[str, cmsd.ObjectType] = {"video": "v", "audio": "a", "text": "tt"}
FORMATS: dict[str, cmsd.StreamFormat] = {
    ".m4s": "o",
    ".i.m4s": "o",
    ".ts": "h",
    ".i.ts": "h",
    ".vtt": "h",
    ".ts.vtt": "h",
}


def manifest(content_type: str, modified: int) -> Fields:
    """Of a playlist or an MPD of sources that changed last at `modified` (epoch seconds)."""
    form: cmsd.StreamFormat = "h" if content_type == hls.CONTENT_TYPE else "d"
    return _fields(Static(at=modified * 1000, ot="m", sf=form, st="v"))


def header(modified: int) -> Fields:
    return _fields(Static(at=modified * 1000, ot="i", sf="o", st="v", su=True))


def text(suffix: str, modified: int) -> Fields:
    """Of a segment of subtitles."""
    kind: cmsd.ObjectType = "tt" if suffix == ".m4s" else "c"
    return _fields(Static(at=modified * 1000, ot=kind, sf=FORMATS[suffix], st="v"))


def image(modified: int) -> Fields:
    """Of a sheet of thumbnails."""
    return _fields(Static(at=modified * 1000, ot="o", st="v"))


def whole(track: Served) -> Fields:
    """Of a track as one file."""
    kind = KINDS[track.rendition.kind]
    return _fields(Static(at=track.modified * 1000, br=kbps(track), ot=kind, sf="o", st="v"))


def kbps(track: Served) -> int:
    return -(-track.rendition.bandwidth // 1000)


def _fields(static: Static) -> Fields:
    return [(cmsd.STATIC, str(static))]
