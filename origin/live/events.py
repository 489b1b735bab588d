"""The timed metadata of a channel: a journal of what its encoders told, and what is shown of it.

Theory of operation
1. Messages of event tracks and emsg boxes of media chunks end in one journal: a track log in the
   channel's own folder, one emsg box (version 1, channel time) a record. Repeats are told by
   (scheme, value, id) and add nothing (TM3), so the journal is small. It is written before the
   chunk that brought the message is stored; what is heard twice after a crash is a repeat.
2. A message must come before what it speaks of is published; later it is dropped and counted,
   unless it ends or changes something known (TM4).
3. A message heard while the edge was n is shown from edge n + 1 on, in every playlist and MPD alike
   (HLS-40): what is shown at an edge is a function of the journal and the edge, the same in every
   process and after every restart.
4. A message with the key of one that has begun is another event; before that it takes the place of
   the first (TM10).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from pathlib import Path

from native.bmff import BoxError, walk
from native.bmff.events import read_events
from native.bmff.model import Emsg
from native.bmff.write import box
from native.bmff.write import emsg as emsg_box
from origin import metrics
from origin.events.errors import BadEvent
from origin.events.message import ID3, UNKNOWN, Key, Message, message
from origin.events.spans import Span, begins, planned_s, spans
from origin.live.log import TrackLog
from origin.live.records import INDEPENDENT, Record
from runtime import logs

log = logs.get("events")
TICKS = 1000  # the journal counts in milliseconds
REPLACES = 16  # record flag: takes the place of the newest message with its key
REUSED = 32  # record flag: another event under a key that was used before
VOLUMES = 4
HELD = 4096  # messages, and bytes of their data, that one channel may have going
HELD_BYTES = 8 << 20
OPEN_S = 24 * 3600  # how long a splice is remembered, which may have no end yet
LATE_S = Fraction(1, 20)  # audio may begin this much before its boundary
_SCALE = 10**6  # of emsg times whose own timescale cannot hold them


@dataclass(frozen=True, slots=True)
class Heard:
    """One journal entry; shown from edge `number` on."""

    message: Message
    number: int
    volume: int
    replaces: bool = False
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What manifests of one edge tell."""

    heard: tuple[Heard, ...] = ()
    spans: tuple[Span, ...] = ()

    def inband(self, track: str) -> tuple[tuple[str, str], ...]:
        """(scheme, value) of what a media track carries."""
        found = {
            (h.message.scheme, h.message.value) for h in self.heard if h.message.source == track
        }
        return tuple(sorted(found))


class Journal:
    """The events of one channel."""

    def __init__(self, folder: Path, retention_s: int, *, read_only: bool = False) -> None:
        self.fates: Counter[str] = Counter()
        self._late: Key | None = None  # the newest that was logged: it may be repeated for long
        self._log = TrackLog(
            folder, volume_ticks=retention_s * TICKS // VOLUMES, read_only=read_only
        )
        self._heard: list[Heard] = []
        self._newest: dict[tuple[Key, str], Heard] = {}
        self._bytes = 0
        self._shown: tuple[tuple[int, int], Shown] = ((-1, 0), Shown())
        if not read_only:
            for volume, record in self._log.recover():
                self._take(volume, record)

    def tail(self) -> None:
        """Learn what the writer added; for a follower."""
        for volume, record in self._log.tail():
            self._take(volume, record)

    def claim(self) -> None:
        self._log.claim()

    def hand_over(self) -> None:
        self._log.hand_over()

    def close(self) -> None:
        self._log.close()

    def hear(self, event: Emsg, source: str, edge: int, edge_s: Fraction) -> bool:
        """Take a message in channel time; False when it changes nothing. `edge_s` is where the
        published media ends.
        """
        try:
            told = message(event, source)
            ending = False
            if told.is_splice:
                ending = not begins(told.data)
                told = replace(told, duration_s=told.duration_s or planned_s(told.data))
        except BadEvent:
            return self.count("bad")
        if told.scheme == ID3 and source:
            told = replace(told, id=0, duration_s=None, data=b"")  # the media has it: only note it
        before = self._newest.get((told.key, source))
        if before is not None and (told.same(before.message) or (told.scheme == ID3 and source)):
            return self.count("repeated")
        late = told.start_s < edge_s - LATE_S
        known = before is not None and before.message.start_s == told.start_s
        if late and not ending and not known:
            if told.key != self._late:
                self._late = told.key
                log.warning(
                    "event_late", scheme=told.scheme, id=told.id, start_s=float(told.start_s)
                )
            return self.count("late")
        if self._full(told):
            return self.count("too_many")
        begun = before is not None and not known and before.message.start_s < edge_s
        flags = INDEPENDENT
        if before is not None:
            flags |= REUSED if begun else REPLACES
        start_ms = int(told.start_s * TICKS)
        lasts_s = OPEN_S if told.is_splice else told.duration_s or 0
        volume, _ = self._log.append(
            emsg_box(_boxed(told)) + (box("name", source.encode()) if source else b""),
            decode_time=start_ms,
            duration=int(lasts_s * TICKS),
            earliest=edge + 1,
            flags=flags,
        )
        self._keep(Heard(told, edge + 1, volume, flags & REPLACES != 0, flags & REUSED != 0))
        self.count("told")
        return True

    def count(self, fate: str) -> bool:
        """Note what became of a message; False, for those that came to nothing."""
        self.fates[fate] += 1
        metrics.EVENTS.labels(fate).inc()
        return False

    def shown(self, edge: int, now_s: Fraction) -> Shown:
        """What is told at this edge, which ends at `now_s`."""
        if self._shown[0] != (edge, len(self._heard)):
            self._shown = ((edge, len(self._heard)), self._fold(edge, now_s))
        return self._shown[1]

    def expire(self, before_s: Fraction, held: Callable[[Fraction, Fraction], bool]) -> None:
        """Forget what ended before this time, unless held, a volume at a time."""
        gone = set(
            self._log.expire(
                int(before_s * TICKS),
                lambda oldest, newest: held(Fraction(oldest, TICKS), Fraction(newest, TICKS)),
            )
        )
        if gone:
            self._shown = ((-1, 0), Shown())
            self._heard = [heard for heard in self._heard if heard.volume not in gone]
            self._bytes = sum(len(heard.message.data) for heard in self._heard)
            self._newest = {(h.message.key, h.message.source): h for h in self._heard}

    def _fold(self, edge: int, now_s: Fraction) -> Shown:
        kept: list[Heard] = []
        places: dict[tuple[Key, str], int] = {}
        for heard in self._heard:
            if heard.number > edge:
                continue
            key = (heard.message.key, heard.message.source)
            if heard.replaces and key in places:
                kept[places[key]] = replace(heard, reused=kept[places[key]].reused)
            else:
                places[key] = len(kept)
                kept.append(heard)
        once = {(*h.message.key, h.message.start_s): h for h in kept}  # in band in many rungs
        return Shown(
            tuple(kept), tuple(spans([(h.message, h.number) for h in once.values()], now_s))
        )

    def _full(self, told: Message) -> bool:
        return len(self._heard) >= HELD or self._bytes + len(told.data) > HELD_BYTES

    def _take(self, volume: int, record: Record) -> None:
        """A journal record; one that was written by other code than this is left out."""
        data = self._log.read(volume, record)
        try:
            boxes = walk(data)
            (event,) = read_events(data[: boxes[0].end], 0, TICKS)
            source = "".join(data[b.body : b.end].decode() for b in boxes if b.kind == "name")
            told = message(event, source)
        except (BoxError, BadEvent, ValueError, IndexError):
            self.count("bad")
            return
        flags = record.flags
        self._keep(Heard(told, record.earliest, volume, flags & REPLACES != 0, flags & REUSED != 0))

    def _keep(self, heard: Heard) -> None:
        self._heard.append(heard)
        self._newest[heard.message.key, heard.message.source] = heard
        self._bytes += len(heard.message.data)

    def __iter__(self) -> Iterator[Heard]:
        return iter(self._heard)


def _boxed(told: Message) -> Emsg:
    """The message as a box; times that no 32-bit timescale holds exactly are rounded to one."""
    scale = lcm(told.start_s.denominator, (told.duration_s or Fraction(1)).denominator)
    scale = scale if scale < 1 << 32 else _SCALE
    duration = UNKNOWN if told.duration_s is None else int(told.duration_s * scale)
    if duration > UNKNOWN:
        scale, duration = TICKS, min(int((told.duration_s or 0) * TICKS), UNKNOWN - 1)
    time = int(told.start_s * scale)
    return Emsg(1, told.scheme, told.value, scale, time, duration, told.id, told.data)
