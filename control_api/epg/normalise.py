"""From rows of a file to gapless-as-possible schedules: rules CTL-40..51 in the order of CTL-60.

unmapped, bad time, zero length, bad stop, same start, derive, trim, cut, gaps. Each rule is one
function on the slots of one channel and counts what it did.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from itertools import groupby, pairwise
from typing import NamedTuple

from control_api.epg import instants
from control_api.epg.episodes import identify
from control_api.epg.errors import EpgError
from control_api.epg.feed import LIMITS, Limits
from control_api.epg.programme import UNKNOWN_LANG, Event, Programme, Words
from control_api.epg.report import Report

MAX_DERIVED_MS = 6 * 3_600_000  # CTL-40
DEFAULT_LENGTH_MS = 30 * 60_000  # CTL-40
MAX_LENGTH_MS = 24 * 3_600_000  # CTL-48
ROW_BYTES = 600  # what a kept row costs beside its text
CLUMP = re.compile(r"([0-9]{1,2})/([0-9]{1,2})", re.ASCII)


class Target(NamedTuple):
    """Where the rows of one xmltv id go, and what a time without zone means there."""

    channel_id: str
    unzoned: tzinfo = UTC


@dataclass(slots=True)
class Slot:
    """Rows that share a start: one, or the members of a clump in index order."""

    start_ms: int
    stop_ms: int | None
    rows: list[Programme]

    @property
    def end_ms(self) -> int:
        """The end, once `derive` has given every slot one."""
        assert self.stop_ms is not None
        return self.stop_ms


Schedules = dict[str, list[Event]]


def normalise(
    rows: Iterable[Programme],
    targets: Mapping[str, Target],
    *,
    lang: str = UNKNOWN_LANG,
    limits: Limits = LIMITS,
) -> tuple[Schedules, Report]:
    """Events by channel id, in order and without overlap, and the report on the file.

    `lang` is the source's language, whose title is the default one (CTL-54).
    """
    report = Report()
    channels: dict[str, list[Slot]] = {}
    retained = 0
    for row in rows:
        report.seen += 1
        target = targets.get(row.channel)
        if target is None:
            report.skipped_unmapped_channel += 1
            continue
        start_ms = instants.epoch_ms(row.start, target.unzoned)
        if start_ms is None:
            report.rejected_bad_time += 1
            continue
        retained += _weight(row)
        if retained > limits.retained_bytes:
            raise EpgError("too_large", f"more than {limits.retained_bytes} bytes of programmes")
        stop_ms = instants.epoch_ms(row.stop, target.unzoned)
        channels.setdefault(target.channel_id, []).append(Slot(start_ms, stop_ms, [row]))
    schedules = {
        channel_id: _schedule(channels[channel_id], lang, report) for channel_id in sorted(channels)
    }
    report.kept = sum(map(len, schedules.values()))
    return schedules, report


def _schedule(slots: list[Slot], lang: str, report: Report) -> list[Event]:
    slots.sort(key=lambda slot: slot.start_ms)  # stable: file order within one start
    slots = drop_zero_length(slots, report)
    drop_bad_stop(slots, report)
    slots = one_per_start(slots, report)
    derive(slots, report)
    trim(slots, report)
    cut(slots, report)
    report.gaps += sum(a.end_ms < b.start_ms for a, b in pairwise(slots))
    return [event for slot in slots for event in _events(slot, lang)]


def drop_zero_length(slots: list[Slot], report: Report) -> list[Slot]:
    """A row without length beside one with the same start goes (CTL-42)."""
    kept: list[Slot] = []
    for _, same in groupby(slots, key=lambda slot: slot.start_ms):
        group = list(same)
        lasting = [slot for slot in group if slot.stop_ms != slot.start_ms]
        kept += lasting or group
        report.dropped_zero_length += len(group) - len(lasting or group)
    return kept


def drop_bad_stop(slots: list[Slot], report: Report) -> None:
    """A stop that is not after the start is as good as none (CTL-41)."""
    for slot in slots:
        if slot.stop_ms is not None and slot.stop_ms <= slot.start_ms:
            slot.stop_ms = None
            report.bad_stop += 1


def one_per_start(slots: list[Slot], report: Report) -> list[Slot]:
    """Clumps become one slot (CTL-45); of the same titles the one with a stop stays, else the later
    (CTL-43); of different ones the later in the file (CTL-44).
    """
    kept: list[Slot] = []
    for _, same in groupby(slots, key=lambda slot: slot.start_ms):
        group = list(same)
        winner = group[0]
        for other in group[1:]:
            if _clumped(winner, other):
                other.rows = [*winner.rows, *other.rows]
                other.stop_ms = other.stop_ms or winner.stop_ms
                winner = other
            elif winner.rows[-1].titles == other.rows[-1].titles:
                report.dropped_duplicate += 1
                if other.stop_ms is not None or winner.stop_ms is None:
                    winner = other
            else:
                report.replaced_same_start += 1
                winner = other
        if len(winner.rows) > 1:
            winner.rows.sort(key=_index)
            report.split_clump += 1
        kept.append(winner)
    return kept


def derive(slots: list[Slot], report: Report) -> None:
    """Without a stop: the next start, at most 6 h; the last by its length or 30 min (CTL-40)."""
    for slot, following in zip(slots, [*slots[1:], None], strict=True):
        if slot.stop_ms is not None:
            continue
        report.derived_stop += 1
        if following is not None:
            slot.stop_ms = min(following.start_ms, slot.start_ms + MAX_DERIVED_MS)
        else:
            length_ms = max(row.length_s for row in slot.rows) * 1_000
            slot.stop_ms = slot.start_ms + (length_ms or DEFAULT_LENGTH_MS)


def trim(slots: list[Slot], report: Report) -> None:
    """The earlier one ends at the next start (CTL-46)."""
    for slot, following in pairwise(slots):
        if slot.end_ms > following.start_ms:
            slot.stop_ms = following.start_ms
            report.trimmed_overlap += 1


def cut(slots: list[Slot], report: Report) -> None:
    """Nothing lasts more than 24 h (CTL-48)."""
    for slot in slots:
        if slot.end_ms - slot.start_ms > MAX_LENGTH_MS:
            slot.stop_ms = slot.start_ms + MAX_LENGTH_MS
            report.cut_long += 1


def _clumped(winner: Slot, other: Slot) -> bool:
    """Are these parts of one clump, with an index of their own?"""
    return (
        _size(other.rows[0]) == _size(winner.rows[0]) > 1
        and _index(other.rows[0]) < _size(other.rows[0])
        and all(_index(other.rows[0]) != _index(row) for row in winner.rows)
    )


def _index(row: Programme) -> int:
    match = CLUMP.fullmatch(row.clump)
    return int(match[1]) if match else 0


def _size(row: Programme) -> int:
    match = CLUMP.fullmatch(row.clump)
    return int(match[2]) if match else 0


def _events(slot: Slot, lang: str) -> list[Event]:
    """The slot's time, shared evenly by its rows."""
    length_ms, count = slot.end_ms - slot.start_ms, len(slot.rows)
    bounds = [slot.start_ms + length_ms * at // count for at in range(count + 1)]
    return [
        _event(row, begin, end, lang, approx=count > 1)
        for row, (begin, end) in zip(slot.rows, pairwise(bounds), strict=True)
    ]


def _event(row: Programme, start_ms: int, end_ms: int, lang: str, *, approx: bool) -> Event:
    spoken = dict.fromkeys((*row.titles, *row.sub_titles, *row.descrs))
    words = {
        each: Words(row.titles.get(each), row.sub_titles.get(each), row.descrs.get(each))
        for each in spoken
    }
    flags = tuple(sorted((*row.flags, "approx"))) if approx else row.flags
    default = lang if lang in row.titles else next(iter(row.titles or spoken), UNKNOWN_LANG)
    return Event(start_ms, end_ms, default, words, *identify(row.ids), flags)


def _weight(row: Programme) -> int:
    """Roughly what a row holds in memory."""
    texts = (*row.titles.values(), *row.sub_titles.values(), *row.descrs.values())
    ids = (text for pair in row.ids for text in pair)
    return ROW_BYTES + sum(map(len, texts)) + sum(map(len, ids))
