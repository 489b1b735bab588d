"""Clear segments of one track of a file, from index to answer in one call."""

from collections.abc import Callable, Iterable
from typing import final

from native.bmff.cutter import Cutter
from native.bmff.source import Source
from native.film.cast import Cast
from native.http.entity import Entity

@final
class Press:
    def __init__(
        self,
        cutter: Cutter,
        source: Source,
        cast: Cast,
        *,
        leaf: str,
        marks: Iterable[tuple[bytes, int, int, int]],
        recall: Callable[[str], Entity | None],
        keep: Callable[[str, Entity], None],
    ) -> None:
        """`leaf`: what is in front of a segment's number in its name. `marks`: files that must be
        what they were: path, size, mtime in ns, inode. `recall` is asked for a leaf before it is
        made, `keep` is given what was made.
        """
