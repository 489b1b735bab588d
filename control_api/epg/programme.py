"""A programme as the file has it, and as the guide has it."""

import hashlib

import msgspec
from msgspec import Struct

UNKNOWN_LANG = "und"  # ISO 639-2: language not given (CTL-54)
FLAGS = ("approx", "live", "new", "premiere", "repeat")


class Programme(Struct, frozen=True, gc=False):
    """One `<programme>` row; times and ids still as text. Of several texts in one language the
    first has won already (CTL-54).
    """

    channel: str
    start: str
    stop: str
    clump: str
    length_s: int
    titles: dict[str, str]
    sub_titles: dict[str, str]
    descrs: dict[str, str]
    ids: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]


class Words(Struct, frozen=True, gc=False):
    """Text of one language; None is "not given"."""

    title: str | None
    sub_title: str | None = None
    descr: str | None = None


class Event(Struct, frozen=True, gc=False):
    """A programme with its place in a channel's schedule. `lang` is that of the default text,
    `season_no` and `episode_no` count from 1.
    """

    start_ms: int
    end_ms: int
    lang: str
    words: dict[str, Words]
    season_no: int | None = None
    episode_no: int | None = None
    ext_id: str | None = None
    crid: str | None = None
    series_crid: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        spoken = self.words.get(self.lang)
        return (spoken.title if spoken else None) or ""

    def digest(self) -> str:
        """Equal for equal content; what `version` counts (CTL-64)."""
        return hashlib.blake2b(_ORDERED(self), digest_size=16).hexdigest()


_ORDERED = msgspec.json.Encoder(order="deterministic").encode
