"""Segments of one track in one form, as answers: all that they share is written once (HT-77)."""

from collections.abc import Sequence
from typing import final

from native.bmff.columns import Column
from native.http.entity import Entity
from native.http.mold import Mold

@final
class Cast:
    def __init__(
        self,
        mold: Mold,
        *,
        tag: tuple[str, str],
        fields: tuple[bytes, bytes, bytes, bytes],
        last: bytes,
        starts: Column,
        firsts: Column,
        timescale: int,
    ) -> None:
        """`tag`: what is in front of a segment's number and behind it. `fields`: whole header
        lines, cut where the segment's milliseconds and twice the number of the next one stand;
        `last` is what follows the milliseconds where there is no next one. `starts` and `firsts`
        have a row a segment and one more: its time, and its first sample.
        """
    def make(self, number: int, body: bytes | Sequence[bytes]) -> Entity:
        """Segment `number` (from 1). BoxError when there is none."""
