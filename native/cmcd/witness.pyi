from typing_extensions import disjoint_base

from native.cmcd.ledger import Ledger

@disjoint_base
class Witness:
    """The reports of one session; a room subclasses it for what it tells of them."""

    @property
    def reports(self) -> int: ...
    @property
    def doubles(self) -> int: ...
    @property
    def lost(self) -> int:
        """Sequence numbers skipped and not seen since."""

    @property
    def errors(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def buffer_ms(self) -> int | None: ...
    @property
    def start_delay_ms(self) -> int | None: ...
    @property
    def failures(self) -> dict[str, int]:
        """Responses without media, by CDN."""

    @property
    def ledger(self) -> Ledger: ...
    @property
    def bitrate_kbps(self) -> int: ...
    @property
    def top_kbps(self) -> int: ...
    @property
    def access_kbps(self) -> int:
        """The best throughput it reported."""

    @property
    def last_ms(self) -> int: ...
    def fresh(self, number: int) -> bool:
        """Whether the report of this sequence number is new (CM-22): doubles are told, gaps
        counted. A number further back than 64 begins a new count: the standard wants a new session
        then, players reload.
        """

    def observe_report(
        self,
        number: int,
        at_ms: int,
        status: int,
        took_ms: int,
        buffer_ms: int,
        delay_ms: int,
        rate_kbps: int,
        bitrate_kbps: int,
        top_kbps: int,
        errors: int,
        responded: bool,
        media: bool,
        durations_ms: list[int],
        host: str,
        source: str,
        state: str,
    ) -> int:
        """Take a report in: -1 for a double, else the throughput it shows. `host` and `source` are
        the CDNs of the host in use and of the response; absent numbers are -1, texts empty.
        """

    def outcomes(self) -> dict[str, tuple[int, int]]:
        """Good and failed responses by CDN since the last call."""
