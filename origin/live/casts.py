"""Which renditions a channel shows from which number on: the Periods of its MPDs.

Theory of operation
1. The set of renditions of a Period never changes (D3). A number that some rendition lacks begins a
   Period without it, its return begins the next (D13); so does every break of the timeline.
2. A number that lacks all audio or all video is in no Period: players cannot do without for a
   moment. If it lasts, PATIENCE numbers, the Periods go on with what there is.
3. Sparse renditions (text) may be silent: they stay in a Period that they have joined (I15).
4. What was decided is kept in `channel.json`, since the log forgets. Numbers whose media is gone
   already were decided before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from native.bmff import parse_chunk
from origin.errors import DamagedLog, NotLocal
from origin.live.track import LiveTrack, Stored
from origin.tracks import SPARSE, Kind

PATIENCE = 8
NTP_EPOCH_S = 2208988800  # 1900 to 1970 (RFC 5905, section 6)


@dataclass(slots=True)
class Cast:
    """From `number` on these tracks are shown, in this order; none: the number is in no Period.

    `lag_ms`: media time minus the encoder's wall clock, where its prft told.
    """

    number: int
    tracks: list[str] = field(default_factory=list)
    lag_ms: int | None = None


def decide(
    casts: Sequence[Cast], number: int, tracks: Sequence[LiveTrack], *, breaks: bool
) -> Cast | None:
    """The cast that begins with this published number, if one does."""
    last = casts[-1] if casts else Cast(-1)
    kinds = {t.rendition.name: t.rendition.kind for t in tracks}
    judged = [t for t in tracks if not casts or t.rendition.name in last.tracks]
    steady = [t for t in judged if t.rendition.kind not in SPARSE]
    if number <= last.number or any(number < t.segments.first_whole for t in steady):
        return None
    present = [t.rendition.name for t in tracks if t.whole(number)]
    fresh = follow(casts, number, kinds, present)
    if fresh == last.tracks and not (breaks and fresh):
        return None
    leader = next((t for t in tracks if t.rendition.name in fresh), None)
    stored = leader.whole(number) if leader is not None else None
    return Cast(number, fresh, _lag_ms(leader, stored) if leader and stored else None)


def follow(
    casts: Sequence[Cast], number: int, kinds: Mapping[str, Kind], present: Sequence[str]
) -> list[str]:
    """Who is shown in this number. `present` tracks have it whole; `kinds` has all, in order."""
    last = casts[-1] if casts else Cast(-1)
    shown = next((cast.tracks for cast in reversed(casts) if cast.tracks), [])
    here = {kinds[name] for name in present} - SPARSE
    lacking = {kinds[name] for name in shown if name in kinds} - SPARSE - here
    waits = bool(last.tracks) or number - last.number < PATIENCE
    if not here or (lacking and waits):
        return []
    silent = {name for name in last.tracks if kinds.get(name) == "text"}
    return [n for n, kind in kinds.items() if kind != "event" and (n in present or n in silent)]


def prune(casts: Sequence[Cast], oldest: int) -> list[Cast]:
    """Forget what ended before this number."""
    return list(casts[sum(after.number <= oldest for after in casts[1:]) :])


def cast_at(casts: Sequence[Cast], number: int) -> Cast:
    """Who is shown in this number."""
    return next((cast for cast in reversed(casts) if cast.number <= number), Cast(-1))


def _lag_ms(track: LiveTrack, stored: Stored) -> int | None:
    try:
        chunk = parse_chunk(track.log.read(*stored.parts[0]), track.track)
    except (NotLocal, DamagedLog):
        return None
    if chunk.prft is None:
        return None
    wall_s = Fraction(chunk.prft.ntp, 1 << 32) - NTP_EPOCH_S
    return round((Fraction(chunk.prft.media_time, track.timescale) - wall_s) * 1000)
