"""A playback buffer: media is appended per track, the playhead eats what all tracks have.

Rules: nothing plays before `start_s` of media are ahead; an empty buffer is a stall that ends when
`start_s` are there again; a gap is skipped in no time, as players do.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Buffer:
    """All in seconds. `at_s` is the clock of the last call, `began_s` that of the wish to play."""

    tracks: Iterable[str]
    at_s: float
    start_s: float
    rate: float = 1.0
    played_s: float = 0.0
    playing: bool = False
    ended: bool = False
    startup_s: float | None = None
    stalls_s: list[float] = field(default_factory=list)
    began_s: float = 0.0
    empty_since_s: float = 0.0
    appended_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.appended_s = dict.fromkeys(self.tracks, 0.0)
        self.began_s = self.at_s

    @property
    def ahead_s(self) -> float:
        """Media that could be played without another append."""
        return min(self.appended_s.values()) - self.played_s

    def advance(self, now_s: float) -> None:
        """Let time pass: play, and stall when nothing is left."""
        elapsed_s = max(now_s - self.at_s, 0.0)
        before_s, self.at_s = self.at_s, max(now_s, self.at_s)
        if not self.playing:
            return
        wanted_s = elapsed_s * self.rate
        if wanted_s <= self.ahead_s + 1e-9:
            self.played_s += wanted_s
            return
        self.empty_since_s = before_s + self.ahead_s / self.rate
        self.played_s += self.ahead_s
        self.playing = False

    def append(self, now_s: float, track: str, seconds: float) -> None:
        """Media arrived. Starts, or ends a stall, when enough is there."""
        self.advance(now_s)
        self.appended_s[track] += seconds
        if not self.playing and self.ahead_s >= self.start_s - 1e-9 and not self.ended:
            self.playing = True
            if self.startup_s is None:
                self.startup_s = now_s - self.began_s
            else:
                self.stalls_s.append(now_s - self.empty_since_s)

    def finish(self, now_s: float) -> None:
        """Nothing more will come, or nobody watches any longer: an open stall is counted."""
        self.advance(now_s)
        if not self.playing and self.startup_s is not None and not self.ended:
            self.stalls_s.append(max(now_s - self.empty_since_s, 0.0))
        self.ended = True
