"""Strict CBOR within limits (C face: cbor.pxd)."""

from typing import final

from native.cat.model import Value

__pyx_capi__: dict[str, object]  # what other kernels call

@final
class Decoder:
    """Decodes one item. Depth counts containers and tags, `items` everything met."""

    depth: int
    items: int
    map_pairs: int
    array_items: int
    text_bytes: int
    lenient: bool

    def __init__(
        self,
        depth: int,
        items: int,
        map_pairs: int,
        array_items: int,
        text_bytes: int,
        lenient: bool = False,
    ) -> None: ...
    def decode(self, data: bytes) -> Value:
        """The one item that `data` holds; CborError for anything but its shortest form (CAT-5), or,
        where `lenient`, anything but a well-formed one.
        """
