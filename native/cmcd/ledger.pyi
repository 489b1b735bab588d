from typing import Final, final

TURN_MS: Final[int]
MAX_STALL_MS: Final[int]
UNKNOWN: Final[str]

@final
class Ledger:
    """Turns and stalls of one session; rules in ledger.pyx."""

    @property
    def used(self) -> list[tuple[int, str]]:
        """In use from, CDN; in order, the last 16."""

    @property
    def stalls(self) -> list[tuple[int, int]]:
        """Began, lasted; the last 32."""

    def media(self, cdn: str, at_ms: int) -> None:
        """Media of a CDN arrived."""

    def turned(self, cdn: str, at_ms: int) -> None:
        """The player says that it asks another CDN from now on."""

    def state(self, state: str, at_ms: int) -> None:
        """The player's state changed, or is as before."""

    def starved(self, duration_ms: int, at_ms: int) -> None:
        """The player reports that it stalled so long, some time before the report (`bsd`)."""

    def reported(self, at_ms: int) -> None:
        """A report was taken in whole."""

    def used_at(self, at_ms: int) -> str:
        """The CDN in use then, UNKNOWN before the first is known."""

    def charges(self) -> dict[str, tuple[int, int]]:
        """Number and ms of stalls by the CDN that they are charged to."""
