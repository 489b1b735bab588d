from collections.abc import Callable
from typing import Final, Self, final

from native.cmcd.orderly import Orderly
from native.cmcd.report import Report
from native.cmcd.witness import Witness

NAMES: Final[tuple[str, ...]]

@final
class Batch:
    """One body at a time, of at most `room` records. `cdns` tells the CDN of a host; `cmsd` has
    places and the `cmsdd` of the records there, as it came, but of those that were left.
    """

    cmsd: list[tuple[int, bytes]]
    def __new__(
        cls,
        orderly: Orderly,
        cdns: Callable[[str], str],
        *,
        room: int,
        max_kbps: int,
        max_buffer_ms: int,
        max_start_ms: int,
        max_sid: int,
    ) -> Self: ...
    def read(self, body: bytes) -> list[int]:
        """Read a body's lines; the places of those that are left to the caller: not in perfect
        order, or beyond a range. Raises ValueError for more lines than there is room for.
        """

    def __len__(self) -> int: ...
    def line(self, place: int) -> bytes:
        """A record as it came, without the spaces around it."""

    def put(self, place: int, sid: str | None, report: Report) -> None:
        """What the caller made of a record that was left to it."""

    def of(self, place: int) -> tuple[str | None, str]:
        """The session of a record and the CDN of the response that it tells of."""

    def groups(self) -> dict[str | None, list[int]]:
        """The places of the records of each session, in the order in which things happened; those
        of no fit session id under None. What was left and not put is in none.
        """

    def observe(self, witness: Witness, places: list[int], now_ms: int) -> tuple[int, int]:
        """Show records to the witness: how many were new, the last throughput told in kbps."""
