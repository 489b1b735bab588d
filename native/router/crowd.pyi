from array import array
from collections.abc import Callable, Sequence
from typing import final

from native.router.shares import Shares

@final
class Crowd:
    """Players of a world: what they do each tick, what they report, what became of it all."""

    cells: int
    cdns: int
    regions: int
    size: int
    qoe: float
    waited_s: float
    blamed_s: float
    played_s: float
    kbit: float
    moves: int
    samples: int
    overloads: int
    spots: int
    def __init__(
        self,
        region: array[int],
        regions: int,
        cdns: int,
        links: array[float],
        *,
        tick_s: float,
        ttl_s: float,
        heartbeat_s: float,
        half_life_s: float,
        dwell_s: float,
        failover: bool,
        seed: int,
        make: Callable[[str, int], array[float] | array[int]],
        nodes: int = 1,
    ) -> None:
        """`region` is that of each cell, `links` kbit/s by tick, `make(kind, n)` an array of n
        zeros; one of `nodes` routers is this node, the others are its peers.
        """

    def steer(self, shares: list[Shares]) -> None:
        """One Shares for each cell, from now on."""

    def arrive(
        self,
        ident: int,
        cell: int,
        first: int,
        end: int,
        sample: int,
        until_s: float,
        now_s: float,
        liar: bool,
    ) -> None:
        """A viewer starts: its link is `links[first:end]`, entered at `sample`, round and round."""

    def tick(
        self, now_s: float, path_kbps: array[float], capacity_kbps: array[float]
    ) -> None:
        """From `now_s` to the next tick: true path by cell and CDN, capacity by region and CDN."""

    def send(self, region: int, cdn: int) -> None:
        """Let the next of a region who polls elsewhere try a CDN whose circuit is half-open."""

    def rows(self, part: int) -> list[tuple[float, float, float, float, float, float]]:
        """What this node (0) or its peers (1) were told, by row (cells, regions, the whole) and
        CDN: n, total, failures, recent_n, recent, there.
        """

    def outcomes(self, part: int) -> list[tuple[int, int, int, int]]:
        """What a part was told in the last tick, by region and CDN: good, failed, stalled, and 64
        bits of those who spoke of bad ones.
        """

    def there(self) -> list[float]:
        """Viewers by cell and CDN, in truth."""

    def loads(self) -> list[float]:
        """kbit/s asked in the last tick, by region and CDN."""

    def carried(self) -> list[float]:
        """kbit/s carried in the last tick, by CDN."""

    def prospects(
        self, path_kbps: array[float]
    ) -> tuple[Sequence[int], Sequence[float], Sequence[Sequence[float]]]:
        """For oracles: by cell, how many play, what they ask of an unbounded path in kbit/s, the
        mean score each CDN's path would give them alone.
        """
