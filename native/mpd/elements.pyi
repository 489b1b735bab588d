"""Elements and attributes by their byte spans."""

from collections.abc import Sequence
from typing import final

@final
class Element:
    """`start..end` covers the element with its tags, `inner_start..inner_end` what is between."""

    name: str  # without its prefix
    start: int
    end: int
    inner_start: int
    inner_end: int
    children: Sequence[Element]

    def named(self, name: str) -> list[Element]:
        """The children of that name."""

    def attribute_span(self, name: bytes) -> tuple[int, int] | None:
        """Where the value of an attribute, named as written, stands between its quotes."""

    def escaping_span(self, name: bytes) -> tuple[int, int] | None:
        """The same for a reference, unless it plainly stays in its folder (RFC 3986 4.2)."""

def elements(data: bytes, max_depth: int) -> list[Element]:
    """The top elements of a well-formed document; raises SpanError."""
