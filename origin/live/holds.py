"""Holds: time ranges of channels that retention may not take, until somebody lets go.

Each is one small file, `{id}.json`, written whole; every process that opens the folder sees the
same holds. A hold without an end lasts at most `longest_s`, and so does one that asks for more.
One for a private copy goes when that is complete (copies.py).
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import time_ns
from typing import NamedTuple

import msgspec

from origin.errors import OriginError
from origin.live.ranges import Range
from origin.live.volume import replace_file, sync_folder

LIMIT = 10_000  # holds of one origin
RACY_NS = 50_000_000  # a folder changed so lately may change again without another time stamp


class _File(msgspec.Struct):
    channel: str
    start: str
    end: str | None
    copy: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """`asked` is what was wanted, whose open end may be closed later; with `copy` it is held until
    it is copied.
    """

    id: str
    channel: str
    asked: Range
    copy: bool = False


class Span(NamedTuple):
    """Seconds since 1970."""

    start_s: Fraction
    end_s: Fraction


class Holds:
    """The holds in a folder."""

    def __init__(self, folder: Path, longest_s: int) -> None:
        self._folder = folder
        self._longest_s = longest_s
        self._seen: tuple[int, int] | None = None
        self._holds: dict[str, Hold] = {}

    def all(self) -> list[Hold]:
        """Every hold, by id."""
        self._refresh()
        return sorted(self._holds.values(), key=lambda hold: hold.id)

    def get(self, name: str) -> Hold | None:
        self._refresh()
        return self._holds.get(name)

    def span(self, hold: Hold) -> Span:
        """What is held: never longer than the longest, so that it ends by itself."""
        start_s, end_s = hold.asked.start_s, hold.asked.end_s
        last_s = start_s + self._longest_s
        return Span(start_s, last_s if end_s is None else min(end_s, last_s))

    def range(self, hold: Hold) -> Range:
        """The same as a range."""
        return Range(*self.span(hold))

    def put(self, hold: Hold) -> bool:
        """Hold from now on; False when it was held already. OriginError `conflict` (409) when the
        id means something else, unless only the end of an open hold is new.
        """
        self._refresh()
        known = self._holds.get(hold.id)
        if known == hold:
            return False
        if known is None and len(self._holds) >= LIMIT:
            raise OriginError("there are too many holds", code="too_many_holds", status=409)
        if known is not None and (
            (known.channel, known.asked.start_s) != (hold.channel, hold.asked.start_s)
            or known.asked.end_s not in (None, hold.asked.end_s)
            or (known.copy and not hold.copy)
        ):
            raise OriginError("this id holds another range", code="conflict", status=409)
        end_s = hold.asked.end_s
        end = None if end_s is None else str(end_s)
        file = _File(hold.channel, str(hold.asked.start_s), end, hold.copy)
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._path(hold.id), msgspec.json.encode(file))
        self._sync()
        return known is None

    def remove(self, name: str) -> bool:
        """Let go; False when it was not held."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return False
        self._sync()
        return True

    def keeps(self, channel: str, start_s: Fraction, end_s: Fraction) -> bool:
        """Whether any hold has media of this stretch."""
        spans = (self.span(hold) for hold in self.all() if hold.channel == channel)
        return any(s.start_s < end_s and s.end_s > start_s for s in spans)

    def covers(self, channel: str, wanted: Range) -> bool:
        """Whether one hold has all of this range."""
        end_s = wanted.end_s
        if end_s is None:
            return False
        spans = (self.span(hold) for hold in self.all() if hold.channel == channel)
        return any(s.start_s <= wanted.start_s and end_s <= s.end_s for s in spans)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _sync(self) -> None:
        """Make the folder's change last, and look at it again."""
        self._seen = None
        sync_folder(self._folder)

    def _refresh(self) -> None:
        try:
            stat = self._folder.stat()
        except FileNotFoundError:
            return
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen == self._seen:
            return
        self._seen = seen if time_ns() - stat.st_mtime_ns > RACY_NS else None
        holds = {}
        for path in self._folder.glob("*.json"):
            try:
                file = msgspec.json.decode(path.read_bytes(), type=_File)
            except FileNotFoundError:
                continue
            end_s = None if file.end is None else Fraction(file.end)
            asked = Range(Fraction(file.start), end_s)
            holds[path.stem] = Hold(path.stem, file.channel, asked, file.copy)
        self._holds = holds
