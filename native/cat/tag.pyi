"""A tagged CBOR item (C face: tag.pxd)."""

from typing import ClassVar, final

from native.cat.model import Value

__pyx_capi__: dict[str, object]  # what other kernels call

@final
class Tag:
    """Equal to a tag of the same number and an equal value; no key of a map, so not hashable."""

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __init__(self, number: int, value: Value) -> None: ...
    @property
    def number(self) -> int: ...
    @property
    def value(self) -> Value: ...
    def __eq__(self, other: object, /) -> bool: ...
