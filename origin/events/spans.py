"""What splice messages mean together: spans that begin, and end by plan or for real (TM6, TM8).

Theory of operation
1. A message's time is the time of its box, never the pts inside of it (TM5).
2. splice_insert out of the network begins a span, back into it ends the span of the same event id.
   A segmentation start begins one, its end type ends it; each descriptor counts for itself (TM8).
3. Ids carry the start, because encoders use theirs again (TM10).
4. What no end was heard of stays open, unless auto_return says that the plan is the end. A span can
   end earlier than planned, and then the real end is told (TM6).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from origin.events.errors import BadEvent
from origin.events.message import Message
from origin.events.scte35 import CLOCK, Section, SpliceInsert, TimeSignal, parse
from origin.events.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the channel that a splice message speaks of; `out`, `back` and `cmd` are whole
    sections. An `end_s` of None is still open.
    """

    id: str
    start_s: Fraction
    planned_s: Fraction | None = None
    end_s: Fraction | None = None
    out: bytes = b""
    back: bytes = b""
    cmd: bytes = b""
    upids: tuple[str, ...] = ()  # what it is of: kind and identifier
    number: int = 0  # of the newest message that made it what it is
    by_plan: bool = False  # nobody said that it ended

    @property
    def known_end_s(self) -> Fraction | None:
        """The real end, else the planned one."""
        if self.end_s is None and self.planned_s is not None:
            return self.start_s + self.planned_s
        return self.end_s


@dataclass(slots=True)
class _Open:
    """A span in the making."""

    id: str
    start_s: Fraction
    planned_s: Fraction | None
    data: bytes
    number: int
    leaves: bool
    auto_return: bool = False
    end_s: Fraction | None = None
    back: bytes = b""
    upids: tuple[str, ...] = ()

    def close(self, end_s: Fraction, data: bytes, number: int) -> None:
        if self.auto_return and self.planned_s is not None:
            end_s = min(end_s, self.start_s + self.planned_s)
        self.end_s, self.back, self.number = max(end_s, self.start_s), data, number

    def span(self, now_s: Fraction) -> Span:
        end_s = self.end_s
        if end_s is None and self.auto_return and self.planned_s is not None:
            plan_s = self.start_s + self.planned_s
            end_s = plan_s if plan_s <= now_s else None
        return Span(
            self.id,
            self.start_s,
            self.planned_s,
            end_s,
            self.data if self.leaves else b"",
            self.back,
            b"" if self.leaves else self.data,
            self.upids,
            self.number,
            self.end_s is None and end_s is not None,
        )


_Kind = tuple[str, int, int]  # ("insert", 0, id) or ("segment", start type, id)


class Spans:
    """Folds splice messages, in the order in which they were heard, into spans."""

    def __init__(self) -> None:
        self._open: dict[_Kind, _Open] = {}
        self._done: list[_Open] = []

    def take(self, message: Message, number: int) -> None:
        """A message of this number; one that is no sound section, or says nothing, changes nothing
        (TM11).
        """
        try:
            section = parse(message.data)
        except BadEvent:
            return
        if isinstance(section.command, SpliceInsert):
            self._insert(message, number, section.command)
        elif isinstance(section.command, TimeSignal):
            self._signal(message, number, section)

    def at(self, now_s: Fraction) -> list[Span]:
        """All spans as of this time, by start."""
        spans = [span.span(now_s) for span in (*self._done, *self._open.values())]
        return sorted(spans, key=lambda span: (span.start_s, span.id))

    def _insert(self, message: Message, number: int, command: SpliceInsert) -> None:
        kind = ("insert", 0, command.event_id)
        if command.cancelled:
            self._cancel(kind, message, number)
        elif command.out_of_network:
            planned_s = message.duration_s or None
            if command.duration is not None:
                planned_s = Fraction(command.duration, CLOCK)
            self._begin(
                kind,
                _Open(
                    f"splice-{command.event_id:08X}-{_milliseconds(message)}",
                    message.start_s,
                    planned_s,
                    message.data,
                    number,
                    leaves=True,
                    auto_return=command.auto_return,
                ),
            )
        else:
            if kind not in self._open:
                inserts = [k for k in self._open if k[0] == "insert"]
                kind = inserts[0] if len(inserts) == 1 else kind
            self._end(kind, message, number)

    def _signal(self, message: Message, number: int, section: Section) -> None:
        if not section.segmentations:
            self._moment(f"signal-{message.id:08X}-{_milliseconds(message)}", message, number)
        for segment in section.segmentations:
            self._segment(message, number, segment)

    def _segment(self, message: Message, number: int, segment: Segmentation) -> None:
        name = f"segment-{segment.event_id:08X}-{segment.type_id:02X}-{_milliseconds(message)}"
        start_type = segment.start_type
        if segment.cancelled:
            for kind in [k for k in self._open if k[0] == "segment" and k[2] == segment.event_id]:
                self._cancel(kind, message, number)
        elif segment.starts:
            planned_s = message.duration_s or None
            if segment.duration is not None:
                planned_s = Fraction(segment.duration, CLOCK)
            self._begin(
                ("segment", segment.type_id, segment.event_id),
                _Open(
                    name,
                    message.start_s,
                    planned_s,
                    message.data,
                    number,
                    leaves=segment.leaves,
                    upids=tuple(f"{upid.name}:{upid.text}" for upid in segment.upids),
                ),
            )
        elif start_type is not None and ("segment", start_type, segment.event_id) in self._open:
            self._end(("segment", start_type, segment.event_id), message, number)
        else:
            self._moment(name, message, number)

    def _begin(self, kind: _Kind, span: _Open) -> None:
        """A start repeated before its end is the same span; a later one leaves the first behind."""
        before = self._open.get(kind)
        if before is not None and before.start_s != span.start_s:
            before.close(span.start_s, b"", span.number)
            self._done.append(before)
        self._open[kind] = span

    def _end(self, kind: _Kind, message: Message, number: int) -> None:
        span = self._open.pop(kind, None)
        if span is not None:
            span.close(message.start_s, message.data, number)
            self._done.append(span)

    def _cancel(self, kind: _Kind, message: Message, number: int) -> None:
        """What has not begun never was; what has begun ends."""
        span = self._open.get(kind)
        if span is not None and span.start_s < message.start_s:
            self._end(kind, message, number)
        elif span is not None:
            del self._open[kind]

    def _moment(self, name: str, message: Message, number: int) -> None:
        moment = _Open(name, message.start_s, None, message.data, number, leaves=False)
        moment.end_s = message.start_s
        self._done.append(moment)


def begins(data: bytes) -> bool:
    """Whether a section begins something, so that it must come in time (TM4); BadEvent."""
    section = parse(data)
    if isinstance(section.command, SpliceInsert):
        return section.command.out_of_network
    ends = section.segmentations and not any(s.starts for s in section.segmentations)
    return not ends


def planned_s(data: bytes) -> Fraction | None:
    """The length that a section itself plans: its break, or its longest segment; BadEvent."""
    section = parse(data)
    ticks = [s.duration for s in section.segmentations]
    if isinstance(section.command, SpliceInsert):
        ticks.append(section.command.duration)
    longest = max((t for t in ticks if t), default=None)
    return None if longest is None else Fraction(longest, CLOCK)


def spans(told: Iterable[tuple[Message, int]], now_s: Fraction) -> list[Span]:
    """The spans of numbered messages as of `now_s`, the end of what is published."""
    fold = Spans()
    for message, number in told:
        if message.is_splice:
            fold.take(message, number)
    return fold.at(now_s)


def _milliseconds(message: Message) -> int:
    return int(message.start_s * 1000)
