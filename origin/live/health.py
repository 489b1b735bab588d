"""Whether a channel is fit to be watched: why its manifests should fail over to another origin.

Conditions (O15, AB7; the same four that AWS MediaPackage v2 offers):
- stale: the newest published media is further behind the clock than the setting allows
- incomplete: some track has no media at the edge while others go on
- missing_key: a track is encrypted and no key is known for it
- slate: the newest segment is filler (brand `slat`, C7)
Segments, parts and headers are served all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from origin.live.channel import LiveChannel
from origin.live.records import SLATE
from origin.live.track import LiveTrack
from origin.settings import ForceError
from origin.tracks import SPARSE

Code = Literal["stale", "incomplete", "missing_key", "slate"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why manifests of this channel are refused now, and with which status."""

    code: Code
    status: int


def condition(channel: LiveChannel, setting: ForceError, now_s: float) -> Verdict | None:
    """The first condition of the channel's setting that holds now; None when it is fit."""
    tests: dict[Code, Callable[[], bool]] = {
        "stale": lambda: _stale(channel, setting.stale_s, now_s),
        "incomplete": lambda: _incomplete(channel),
        "missing_key": lambda: any(_keyless(track) for track in channel.tracks.values()),
        "slate": lambda: any(_slate(channel, track) for track in channel.live_tracks),
    }
    for code in setting.on:
        if tests[code]():
            return Verdict(code, setting.status)
    return None


def _stale(channel: LiveChannel, limit_s: float, now_s: float) -> bool:
    """Gaps that stand in for media are not media."""
    if channel.edge < 0:
        return False
    duration_s = channel.duration_s or Fraction(1)
    newest = max((t.segments.last_whole for t in channel.tracks.values()), default=-1)
    return now_s - float((newest + 1) * duration_s) > limit_s


def _incomplete(channel: LiveChannel) -> bool:
    if channel.edge < 0:
        return False
    tracks = [t for t in channel.tracks.values() if t.rendition.kind not in SPARSE]
    held = [track.whole(channel.edge) is not None for track in tracks]
    return any(held) and not all(held)


def _keyless(track: LiveTrack) -> bool:
    """An encrypted sample entry without a default key id names no key (ISO/IEC 23001-7, 8.2)."""
    protection = track.track.entry.protection
    return protection is not None and not any(protection.kid)


def _slate(channel: LiveChannel, track: LiveTrack) -> bool:
    stored = track.whole(channel.edge)
    return stored is not None and any(record.flags & SLATE for _, record in stored.parts)
