"""What a player tells: start-up, stalls, latency to live, errors by cause."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["master", "media", "init", "segment", "part"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fetch gave; status 0 when nobody answered. Header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Fetch = Callable[[str, Kind, Mapping[str, str]], Answer]
Clock = Callable[[], float]
Sleep = Callable[[float], None]

# status -> cause; the first bound that is not above the status names it
CAUSES = ((500, "server"), (411, "refused"), (410, "gone"), (405, "refused"), (404, "missing"))


def cause(status: int) -> str | None:
    """Why an answer is of no use; None for 2xx and 304."""
    if status == 0:
        return "connection"
    if status < 300 or status == 304:
        return None
    return next((name for bound, name in CAUSES if status >= bound), "refused")


@dataclass(slots=True)
class Report:
    """One player's session, in seconds. `played_s` and `stalled_s` add up to time after start."""

    player: str
    startups_s: list[float] = field(default_factory=list)
    seeks_s: list[float] = field(default_factory=list)
    stalls_s: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    played_s: float = 0.0
    switches: int = 0
    media_bytes: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    requests: int = 0

    @property
    def stalled_s(self) -> float:
        return sum(self.stalls_s)
