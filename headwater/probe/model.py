"""What a probe holds in its hands: exchanges, documents as they changed, trials, findings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from headwater.probe.mpd import Mpd
from headwater.probe.playlist import Playlist

Level = Literal["M", "P", "S"]
LEVELS: tuple[Level, ...] = ("M", "P", "S")  # MUST, our policy, SHOULD (specs/hls.md)
Role = Literal["manifest", "init", "segment", "part", "clock", "patch", "trial"]


class Breach(NamedTuple):
    """One broken rule: the URL, the line there (0: the whole answer), what is wrong in words."""

    url: str
    line: int
    wrong: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer. Header names are lower-case, `body` is decoded; status 0 says nobody answered.

    `at_s` is the wall clock when the answer was complete, `first_s` the wait for its first byte.
    """

    url: str
    role: Role
    status: int
    headers: Mapping[str, str]
    body: bytes
    at_s: float
    first_s: float = 0.0
    method: str = "GET"
    coded: bool = False

    @property
    def max_age_s(self) -> int | None:
        """max-age of Cache-Control; no-store counts as 0, None is no explicit freshness."""
        control = self.headers.get("cache-control", "").lower()
        for directive in (d.strip() for d in control.split(",")):
            name, _, value = directive.partition("=")
            if name in ("no-store", "no-cache"):
                return 0
            if name == "max-age" and value.isdecimal() and len(value) < 12:
                return int(value)
        return None


@dataclass(frozen=True, slots=True)
class Trial:
    """A request made to see how it is answered; `base` is the plain answer to compare with.

    `asked` holds what the trial's rule needs to know of the question, by name.
    """

    kind: str
    answer: Exchange
    base: Exchange | None = None
    playlist: Playlist | None = None
    before: Playlist | None = None
    asked: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Piece:
    """Fetched media: a segment, or one part of one. None: the manifest does not say."""

    url: str
    number: int
    body: bytes
    start: int | None = None
    duration: int | None = None
    told_s: float | None = None
    independent: bool | None = None
    gap: bool = False


@dataclass(slots=True)
class Media:
    """One rendition's header and some of its segments, `parts` those of segment `parts_of`."""

    url: str
    header: bytes
    segments: list[Piece] = field(default_factory=list)
    parts: list[Piece] = field(default_factory=list)
    parts_of: int = -1


@dataclass(frozen=True, slots=True)
class Patch:
    """An MPD, the patch fetched for it, and the full MPD of the patch's publish time."""

    old: Mpd
    answer: Exchange
    new: Mpd | None


@dataclass(slots=True)
class Evidence:
    """Everything one probe saw. `media` holds each playlist's full versions, oldest first."""

    exchanges: list[Exchange] = field(default_factory=list)
    master: Playlist | None = None
    media: dict[str, list[Playlist]] = field(default_factory=dict)
    mpds: list[Mpd] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    tracks: list[Media] = field(default_factory=list)
    unreadable: list[tuple[str, Breach]] = field(default_factory=list)
    cut_short: str = ""

    def tried(self, *kinds: str) -> Iterator[Trial]:
        return (trial for trial in self.trials if trial.kind in kinds)

    def latest(self) -> list[Playlist]:
        """The newest version of each media playlist."""
        return [looks[-1] for looks in self.media.values()]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: id and level as in specs/, the sentence, and what finds breaches."""

    id: str
    level: Level
    text: str
    find: Callable[[Evidence], Iterator[Breach]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach with the rule it breaks, as it is printed."""

    rule: str
    level: Level
    url: str
    line: int
    wrong: str
    text: str
