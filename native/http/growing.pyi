"""An object whose end is not known yet (C face: growing.pxd)."""

from collections.abc import Sequence

from typing_extensions import disjoint_base

from native.http.entity import Answer, Entity

@disjoint_base
class Growing(Answer):
    """A segment or part in the making, streamed to any number of requests at once.

    A 200 sends what is there, then every append as one HTTP chunk the moment it is made (O10).
    Ranges: `bytes=N-` gives what is there; a last position of 2^40 or more streams to the end
    (RFC 8673 2.2, HT-97). HEAD has the fields only. HTTP/1.0 peers get octets until the connection
    ends. A reader holds references and one position, never copies; one that is further behind than
    Limits.queue_bytes is cut (HT-115).
    """

    def __init__(
        self,
        content_type: str,
        *,
        cache_control: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """HeadError for a header that may not go on the wire."""
    def append(self, data: bytes) -> None:
        """Add octets and send them to all open answers; b"" adds nothing. EndedError once ended."""
    def finish(self, entity: Entity | None = None, *, data: bytes = b"") -> None:
        """Add `data` and end every open answer cleanly, in one write (HT-110).

        Later requests get `entity`, by default one of the appended octets with the same headers.
        EndedError when it has ended before.
        """
    def abort(self) -> None:
        """The source broke: cut every open answer so that it shows (HT-114); later requests get 503
        `source_cut`. Nothing happens to what has ended before.
        """
    @property
    def ended(self) -> bool:
        """Finished or aborted."""
    @property
    def readers(self) -> int:
        """Open answers."""
