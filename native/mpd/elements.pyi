"""Elements and attributes by their byte spans."""

from collections.abc import Iterable
from typing import final

@final
class Element:
    """`start..end` covers the element with its tags, `inner_start..inner_end` what is between."""

    start: int
    end: int
    inner_start: int
    inner_end: int

    @property
    def name(self) -> str:
        """Without its prefix."""

    @property
    def parent(self) -> Element | None:
        """The element around it, made anew with each look."""

    @property
    def children(self) -> list[Element]:
        """What stands directly inside; the same objects with each look."""

    def named(self, name: str) -> list[Element]:
        """The children of that name."""

    def below(self, names: Iterable[str] | None = None) -> list[Element]:
        """All inside, at any depth, of these names or any; in document order, made anew."""

    def escaping(self, places: dict[str, tuple[bytes, ...]]) -> list[tuple[Element, bytes]]:
        """Of the attributes that hold references, by the names of their elements, those here and
        inside that do not plainly stay in their folder (RFC 3986 4.2).
        """

    def attribute_span(self, name: bytes) -> tuple[int, int] | None:
        """Where the value of an attribute, named as written, stands between its quotes."""

def elements(data: bytes, max_depth: int) -> list[Element]:
    """The top elements of a well-formed document; raises SpanError."""
