"""Entities of one kind, cast by the thousand: what they share is written once (HT-77)."""

from collections.abc import Sequence
from typing import final

from native.http.entity import Entity

@final
class Mold:
    """What entities have in common: all but their body, their tag and the fields `varying`."""

    def __init__(
        self,
        content_type: str,
        *,
        cache_control: str,
        last_modified: int = 0,
        headers: Sequence[tuple[str, str]] = (),
        varying: Sequence[str] = (),
        ranges: bool = True,
    ) -> None:
        """HeadError for a header that may not go on the wire."""
    def cast(
        self, body: bytes | Sequence[bytes], etag: str, headers: Sequence[tuple[str, str]] = ()
    ) -> Entity:
        """What Entity makes of the same values, status 200. `headers` follow the shared ones.

        KeyError for a field that is not in `varying`; HeadError for octets beyond printable ASCII.
        """
