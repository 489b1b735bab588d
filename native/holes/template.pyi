"""A text with numbered holes (C face: template.pxd)."""

from collections.abc import Iterable
from typing import Self, final

@final
class Template:
    """One run of bytes and the places where values go; both grow, neither is ever searched."""

    def __new__(cls, pieces: Iterable[bytes | int | Template] = ()) -> Self:
        """Bytes are text, an integer below 8 is a hole for the value of that number."""

    def render(self, *values: bytes) -> bytes:
        """The text with every hole filled; a value that is not given is empty."""

    @property
    def size(self) -> int:
        """Bytes of text, without the values."""

    @property
    def holes(self) -> int:
        """How many holes there are."""
