"""Segments of one track in one form, as answers (specs/origin-http.md O16, O17, O24)."""

from collections.abc import Callable, Sequence
from functools import partial

from native.film.cast import Cast
from native.http import Entity, heads
from native.http.mold import Mold
from origin.delivery import cmsd
from origin.delivery.caching import Caching, Class
from origin.vod import labels
from origin.vod.served import Served

Read = Callable[..., bytes | Sequence[bytes] | None]  # of a number, with `wait`
Lines = tuple[tuple[bytes, bytes, bytes, bytes], bytes]


def told(track: Served, suffix: str, folder: str) -> Lines:
    """CMSD-Static and the path of the next object, cut where numbers stand; and what follows the
    milliseconds of a segment that has no next one.
    """
    static = partial(
        cmsd.Static,
        at=track.modified * 1000,
        br=labels.kbps(track),
        d=0,
        ot=labels.KINDS[track.rendition.kind],
        sf=labels.FORMATS[suffix],
        st="v",
    )
    lead, _, behind = heads.fields([(cmsd.STATIC, str(static(nor=f"0{suffix}")))]).partition(b"d=0")
    middle, _, end = behind.partition(b"0")
    path = heads.fields([(cmsd.PREFETCH, f"{folder}/0")]).removesuffix(b"0\r\n")
    last = heads.fields([(cmsd.STATIC, str(static()))]).partition(b"d=0")[2]
    return (lead + b"d=", middle, end + path, suffix.encode() + b"\r\n"), last


class Form:
    """`read` makes the bytes of a segment, None where that would wait. `tag` is what names
    them in front of the number, and behind. `folder` is the track's.
    """

    def __init__(
        self,
        track: Served,
        suffix: str,
        read: Read,
        *,
        folder: str,
        content_type: str,
        tag: tuple[str, str],
        modified: int,
        caching: Caching,
    ) -> None:
        self._read = read
        mold = Mold(
            content_type=content_type,
            cache_control=caching.control(Class.MEDIA, 0),
            last_modified=modified,
            headers=caching.fields(Class.MEDIA),
        )
        fields, last = told(track, suffix, folder)
        columns, timescale = track.index.columns, track.rendition.timescale
        starts, firsts = columns["start"], columns["first_sample"]
        self.cast = Cast(
            mold, tag=tag, fields=fields, last=last, starts=starts, firsts=firsts,
            timescale=timescale,
        )  # fmt: skip

    def make(self, number: int, wait: bool) -> Entity | None:
        """Segment `number`; None if it would wait. KeyError when there is none."""
        data = self._read(number, wait=wait)
        return None if data is None else self.cast.make(number, data)
