"""Whether a header that is sent again, or by another source, is the one a track began with."""

from native.bmff.boxes import CONTAINERS, tree
from native.bmff.errors import BoxError

FREE = frozenset(["elng"])  # AB5: the language may be told otherwise


def same_header(stored: bytes, sent: bytes) -> bool:
    """Equal in every box but those that are FREE (I6, AB5)."""
    if stored == sent:
        return True
    try:
        return _boxes(stored) == _boxes(sent)
    except BoxError:
        return False


def _boxes(data: bytes) -> list[tuple[int, str, bytes]]:
    """(depth, kind, body) in order; a container's body is what follows it."""
    return [
        (depth, found.kind, b"" if found.kind in CONTAINERS else data[found.body : found.end])
        for depth, found in tree(data)
        if found.kind not in FREE
    ]
