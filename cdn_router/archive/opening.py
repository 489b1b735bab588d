"""Opening an archive without pyarrow's time where there is none."""

from pathlib import Path
from typing import TYPE_CHECKING

from runtime.clock import Clock
from runtime.objects import ObjectStore

from .journal import Journal

if TYPE_CHECKING:
    from .keeper import Archive


def opened(
    objects: ObjectStore, folder: Path, node: str, max_bytes: int, clock: Clock
) -> "tuple[ObjectStore, Archive]":
    """The store and the archive over it, two parts in the order of their start."""
    from .keeper import Archive

    return objects, Archive(Journal(folder, node, max_bytes), objects, clock)
