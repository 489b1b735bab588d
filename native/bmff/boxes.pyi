"""Box headers: the walk that everything else stands on (ISO/IEC 14496-12:2022, 4.2)."""

from typing_extensions import Buffer

from native.bmff.model import Box

MAX_DEPTH: int
MAX_LISTED: int
CONTAINERS: frozenset[str]

def walk(data: Buffer, start: int = 0, end: int | None = None) -> list[Box]:
    """Boxes that lie side by side between two offsets; bodies are not opened.

    Size 0 means to the end. Raises BoxError `truncated` or `bad_box`.
    """

def tree(data: Buffer) -> list[tuple[int, Box]]:
    """Every box with its depth, containers opened, in file order. At most MAX_DEPTH levels."""

__pyx_capi__: dict[str, object]  # what the .pxd shares with other kernels
