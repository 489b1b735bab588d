"""What an import changes on one channel, as a pure function (CTL-63, CTL-64, CTL-66).

Rules of the file
1. The window is [first start, last end) of what the file brings for the channel.
2. Ended events never change and running ones change end and text only. What the file says against
   them is cut at their end, or left out.
3. A stored event is matched once: same start and no contradicting id; else by id within 24 h, the
   nearest; else by title within 30 min. What is matched keeps its id.
4. A source fills holes of at least 5 min that better sources leave; what worse sources stored is
   held to the same rule afterwards, so that the order of imports makes no difference.
"""

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from msgspec.structs import replace

from control_api.epg.programme import Event

BY_ID_MS = 24 * 3_600_000  # CTL-64 (b)
BY_TITLE_MS = 30 * 60_000  # CTL-64 (c)
MIN_HOLE_MS = 5 * 60_000  # CTL-66


class Stored(NamedTuple):
    """An event of the database; `rank` is its source's priority on the channel, lower is better."""

    id: str
    source_id: str
    rank: int
    event: Event


class Plan(NamedTuple):
    """What to write; `update` holds only what differs."""

    create: list[Event]
    update: list[tuple[Stored, Event]]
    remove: list[Stored]
    unchanged: int


def merge(
    stored: Sequence[Stored], wanted: Sequence[Event], now_ms: int, source_id: str, rank: int
) -> Plan:
    """The plan for one channel. `wanted` is the file's, in order and without overlap; `stored` is
    what overlaps its window, and of other sources also what is near it.
    """
    first_ms, last_ms = wanted[0].start_ms, wanted[-1].end_ms
    own = [old for old in stored if old.source_id == source_id]
    mine = [old for old in own if old.event.end_ms > first_ms and old.event.start_ms < last_ms]
    around = [
        old.event for old in own if old.event.end_ms <= first_ms or old.event.start_ms >= last_ms
    ]
    others = [old for old in stored if old.source_id != source_id]
    better = [old.event for old in others if (old.rank, old.source_id) < (rank, source_id)]
    worse = [old for old in others if (old.rank, old.source_id) > (rank, source_id)]

    allowed = fill(wanted, better)
    begun = [
        (old, _ended_by(old.event, allowed, now_ms))
        for old in worse
        if old.event.start_ms <= now_ms
    ]
    finals, create = _own(mine, allowed, now_ms, first_ms, [event for _, event in begun])
    occupied = better + around + [event for _, event in finals] + create
    waiting = [old for old in worse if old.event.start_ms > now_ms]
    held = {old.id: fill([old.event], occupied) for old in waiting}
    finals += begun + [(old, held[old.id][0]) for old in waiting if held[old.id]]
    surviving = {old.id for old, _ in finals}
    return Plan(
        create=create,
        update=[(old, event) for old, event in finals if event != old.event],
        remove=[old for old in (*mine, *worse) if old.id not in surviving],
        unchanged=sum(event == old.event for old, event in finals),
    )


def fill(events: Sequence[Event], occupied: Sequence[Event]) -> list[Event]:
    """The events that begin in a hole of at least 5 min, ending where the hole ends (CTL-66)."""
    taken = sorted((event.start_ms, event.end_ms) for event in occupied)
    kept = []
    for event in events:
        at = bisect_right(taken, event.start_ms, key=itemgetter(0))
        opens_ms = taken[at - 1][1] if at else None
        closes_ms = taken[at][0] if at < len(taken) else None
        if opens_ms is not None and opens_ms > event.start_ms:
            continue
        if opens_ms is not None and closes_ms is not None and closes_ms - opens_ms < MIN_HOLE_MS:
            continue
        ends_ms = event.end_ms if closes_ms is None else min(event.end_ms, closes_ms)
        kept.append(event if ends_ms == event.end_ms else replace(event, end_ms=ends_ms))
    return kept


def _own(
    mine: Sequence[Stored],
    wanted: Sequence[Event],
    now_ms: int,
    first_ms: int,
    fixed: Sequence[Event],
) -> tuple[list[tuple[Stored, Event]], list[Event]]:
    """What stays of this source's events, as it will be, and what is new. Nothing of it reaches
    into `fixed`.
    """
    ended = [old for old in mine if old.event.end_ms <= now_ms]
    running = [old for old in mine if old.event.start_ms <= now_ms < old.event.end_ms]
    future = [old for old in mine if old.event.start_ms > now_ms]

    _, rest = _match_starts(ended, wanted)
    going_on, rest = _match_starts(running, rest)
    if not going_on:
        on = [event for event in rest if event.start_ms <= now_ms < event.end_ms]
        going_on = _match_moved(running, on)
        rest = _without(rest, going_on)
    found = {old.id: event for old, event in going_on}
    finals = [(old, old.event) for old in ended]
    finals += [(old, _carried_on(old, found.get(old.id), rest, now_ms)) for old in running]

    pairs, rest = _match_starts(future, rest)
    rest = _clipped(rest, [*(event for _, event in finals), *fixed])
    for match in (_match_starts_again, _match_moved):
        taken = {old.id for old, _ in pairs}
        more = match([old for old in future if old.id not in taken], rest)
        rest = _without(rest, more)
        pairs += more
    taken = {old.id for old, _ in pairs}
    early = [old for old in future if old.event.start_ms < first_ms and old.id not in taken]
    finals += [*pairs, *((old, _ended_by(old.event, wanted, now_ms)) for old in early)]
    return finals, rest


def _without(events: Sequence[Event], pairs: Sequence[tuple[Stored, Event]]) -> list[Event]:
    matched = {id(event) for _, event in pairs}
    return [event for event in events if id(event) not in matched]


def _match_starts_again(
    stored: Sequence[Stored], wanted: Sequence[Event]
) -> list[tuple[Stored, Event]]:
    """Pairs of the same start, once starts have been clipped."""
    return _match_starts(stored, wanted)[0]


def _match_starts(
    stored: Sequence[Stored], wanted: Sequence[Event]
) -> tuple[list[tuple[Stored, Event]], list[Event]]:
    """Pairs of the same start without contradicting ids, and the rest of `wanted`."""
    at = {old.event.start_ms: old for old in stored}
    pairs, rest = [], []
    for event in wanted:
        old = at.get(event.start_ms)
        if old is not None and not _contradict(old.event, event):
            pairs.append((old, event))
        else:
            rest.append(event)
    return pairs, rest


def _match_moved(stored: Sequence[Stored], wanted: Sequence[Event]) -> list[tuple[Stored, Event]]:
    """Pairs by id, the nearest start first in the file's order; then by title."""
    free = {old.id: old for old in stored}
    pairs: list[tuple[Stored, Event]] = []
    left = list(wanted)
    for alike, reach_ms in ((_same_id, BY_ID_MS), (_same_title, BY_TITLE_MS)):
        unmatched = []
        for event in left:
            near = [
                (abs(old.event.start_ms - event.start_ms), old.id)
                for old in free.values()
                if alike(old.event, event) and abs(old.event.start_ms - event.start_ms) <= reach_ms
            ]
            if near:
                pairs.append((free.pop(min(near)[1]), event))
            else:
                unmatched.append(event)
        left = unmatched
    return pairs


def _same_id(a: Event, b: Event) -> bool:
    same = (a.ext_id is not None and a.ext_id == b.ext_id) or (
        a.crid is not None and a.crid == b.crid
    )
    return same and not _contradict(a, b)


def _same_title(a: Event, b: Event) -> bool:
    return a.title == b.title and not _contradict(a, b)


def _contradict(a: Event, b: Event) -> bool:
    """Does each have an id, and another one?"""
    pairs = ((a.ext_id, b.ext_id), (a.crid, b.crid))
    return any(x is not None and y is not None and x != y for x, y in pairs)


def _carried_on(old: Stored, new: Event | None, rest: Sequence[Event], now_ms: int) -> Event:
    """A running event with the file's end and text, over at the latest when the next begins."""
    event = old.event
    if new is not None:
        ends_ms = new.end_ms if new.end_ms > event.start_ms else event.end_ms
        event = replace(event, end_ms=ends_ms, lang=new.lang, words=new.words)
    return _ended_by(event, rest, now_ms)


def _ended_by(event: Event, others: Sequence[Event], now_ms: int) -> Event:
    starts = [other.start_ms for other in others if now_ms < other.start_ms < event.end_ms]
    return replace(event, end_ms=min(starts)) if starts else event


def _clipped(events: Sequence[Event], fixed: Sequence[Event]) -> list[Event]:
    """Events, beginning where fixed ones end; what nothing is left of goes."""
    kept = []
    for event in events:
        over = [f.end_ms for f in fixed if f.start_ms < event.end_ms and event.start_ms < f.end_ms]
        starts_ms = max(over, default=event.start_ms)
        if starts_ms < event.end_ms:
            kept.append(event if not over else replace(event, start_ms=starts_ms))
    return kept
