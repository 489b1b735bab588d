"""What a channel must remember beside its logs: `channel.json`, small and replaced whole."""

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import msgspec

from origin.hls.media import target_duration_s
from origin.live.anchor import Anchor
from origin.live.casts import Cast
from origin.live.volume import replace_file, storing
from origin.protection.periods import Terms

STATE = "channel.json"
SYNCED = "channel.synced"  # what it was when it was last on the disk for sure, if it is not now
OVERHANG_S = Fraction(1, 10)  # how much longer than the grid a segment may be within the target


@dataclass(slots=True)
class Kept:
    """`segment` is the grid, `part` the part target, in seconds as exact fractions; empty until it
    is known, and `part` also where the channel has no parts. Numbers are -1 until there is one.
    `filled`: gaps were published up to there because no media came. `end`: the last number before
    every track said that it ends; media after it goes on behind. `terms`, `stood`, `opened` and
    `numbers` are about protection (sealing.py).
    """

    segment: str = ""
    part: str = ""
    target_s: int = 0
    first: int = -1
    filled: int = -1
    end: int = -1
    breaks: list[int] = field(default_factory=list)
    casts: list[Cast] = field(default_factory=list)
    anchor: Anchor = field(default_factory=Anchor)
    terms: list[Terms] = field(default_factory=list)
    stood: dict[int, int] = field(default_factory=dict)
    opened: int = -1
    numbers: dict[str, int] = field(default_factory=dict)

    def set_grid(self, duration_s: Fraction) -> None:
        """Fix segment and target duration for the channel's life (HLS-2)."""
        self.segment = str(duration_s)
        long_s = duration_s + OVERHANG_S
        self.target_s = target_duration_s([(long_s.numerator, long_s.denominator)])


def load(folder: Path) -> Kept:
    """What the folder remembers; nothing for a new channel."""
    path, synced = folder / STATE, folder / SYNCED
    if not path.exists():
        return Kept()
    try:
        return _decoded(path)
    except ValueError:
        if not synced.exists():
            raise
        return _decoded(synced)


def save(folder: Path, kept: Kept, *, sync: bool = True) -> None:
    """Replace what is remembered. Without `sync` a power cut may bring back what was synced last;
    a process that dies loses nothing either way. DiskFull.
    """
    path, synced = folder / STATE, folder / SYNCED
    if not sync and path.exists() and not synced.exists():
        with storing():
            synced.hardlink_to(path)
    replace_file(path, msgspec.json.encode(asdict(kept)), sync=sync)
    if sync:
        synced.unlink(missing_ok=True)


def _decoded(path: Path) -> Kept:
    return msgspec.json.decode(path.read_bytes(), type=Kept)
