"""Segments of one track in one form, as answers: all that they share is written once.

What differs is the media, the number within the ETag, and what CMSD says of the object and the next
one (CTA-5006; specs/origin-http.md O16, O17, O24).
"""

from collections.abc import Callable, Sequence
from functools import partial

from native.http import Entity
from native.http.mold import Mold
from origin.delivery import cmsd
from origin.delivery.caching import Caching, Class
from origin.vod import labels
from origin.vod.served import Served

Read = Callable[..., bytes | Sequence[bytes] | None]  # of a number, with `wait`


class Hints:
    """CMSD-Static and the path of the next object, for segments from 1 on."""

    def __init__(self, track: Served, suffix: str, folder: str) -> None:
        columns = track.index.columns
        self._starts, self._firsts = columns["start"], columns["first_sample"]
        self._count = track.index.segments
        self._timescale = track.rendition.timescale
        self._next = f"{folder}/{track.name}/", suffix
        static = partial(
            cmsd.Static,
            at=track.modified * 1000,
            br=labels.kbps(track),
            d=0,
            ot=labels.KINDS[track.rendition.kind],
            sf=labels.FORMATS[suffix],
            st="v",
        )
        self._lead, _, behind = str(static(nor=f"0{suffix}")).partition("d=0")
        self._middle, _, self._end = behind.partition("0")
        self._last = str(static()).partition("d=0")[2]

    def fields(self, number: int) -> list[tuple[str, str]]:
        start, end = self._starts.slice(number - 1, number + 1)
        firsts = self._firsts.slice(number, min(number + 2, self._count + 1))
        lead = f"{self._lead}d={(end - start) * 1000 // self._timescale}"
        if len(firsts) < 2 or firsts[0] == firsts[1]:
            return [(cmsd.STATIC, lead + self._last)]
        folder, suffix = self._next
        return [
            (cmsd.STATIC, f"{lead}{self._middle}{number + 1}{self._end}"),
            (cmsd.PREFETCH, f"{folder}{number + 1}{suffix}"),
        ]


class Form:
    """`read` makes the bytes of a segment, None where that would wait. `tag` is what names
    them in front of the number, and behind.
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
        self._tag = tag
        self._hints = Hints(track, suffix, folder)
        self._mold = Mold(
            content_type=content_type,
            cache_control=caching.control(Class.MEDIA, 0),
            last_modified=modified,
            headers=caching.fields(Class.MEDIA),
            varying=(cmsd.STATIC, cmsd.PREFETCH),
        )

    def make(self, number: int, wait: bool) -> Entity | None:
        """Segment `number`; None if it would wait. KeyError when there is none."""
        data = self._read(number, wait=wait)
        if data is None:
            return None
        before, behind = self._tag
        return self._mold.cast(data, f"{before}{number}{behind}", self._hints.fields(number))
