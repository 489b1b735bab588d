"""A text with numbered holes (C face: template.pxd)."""

from collections.abc import Iterable
from typing import Self, final

@final
class Template:
    """One run of bytes and the places where values go; both grow, neither is ever searched."""

    def __new__(cls, pieces: Iterable[bytes | int | Template] = ()) -> Self:
        """Bytes are text, an integer below 8 is a hole for the value of that number."""

    def render(self, *values: bytes) -> bytes:
        """The text with every hole filled; values that are not given are empty, and choices too."""

    def choosing(self, sign: bytes) -> Template:
        """The same with a choice wherever `sign` and two hexadecimal digits in lower case stand,
        which name a bit of a pattern.
        """

    def chosen(self, pattern: bytes, zero: bytes, one: bytes, *values: bytes) -> bytes:
        """As `render`, and each choice is `one` where its bit of the pattern is set, else `zero`.

        ValueError for a pattern that has not 256 bits.
        """

    @property
    def size(self) -> int:
        """Bytes of text, without the values."""

    @property
    def holes(self) -> int:
        """How many holes there are."""
