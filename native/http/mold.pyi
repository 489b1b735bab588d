"""Entities of one kind, cast by the thousand: what they share is written once (HT-77)."""

from collections.abc import Sequence
from typing import final

from native.http.entity import Entity

__pyx_capi__: dict[str, object]  # what other kernels call

@final
class Mold:
    """What entities have in common: all but their body and their tag (C face: mold.pxd)."""

    def __init__(
        self,
        content_type: str,
        *,
        cache_control: str,
        last_modified: int = 0,
        headers: Sequence[tuple[str, str]] = (),
        ranges: bool = True,
    ) -> None:
        """HeadError for a header that may not go on the wire."""
    def cast(self, body: bytes | Sequence[bytes], etag: str) -> Entity:
        """What Entity makes of the same values, status 200.

        HeadError for octets beyond printable ASCII.
        """
