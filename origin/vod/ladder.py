"""Do the files of a ladder belong together? Every fault is told, with its remedy (TR-38, TR-39)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from origin.vod.cutting import rap_times_s
from origin.vod.errors import VodError
from origin.vod.timeline import Placed


@dataclass(frozen=True, slots=True)
class Rung:
    """One video track of a ladder and the file it came from."""

    name: str
    placed: Placed
    frame_rate: Fraction | None

    @property
    def open_gops(self) -> int:
        """Sync samples at which no decoder can start."""
        edited = self.placed.edited
        return sum(map(bool, edited.samples.sync)) - len(edited.raps)

    def times(self) -> list[int]:
        """When frames are shown, in ticks and in that order."""
        return sorted(map(self.placed.time, range(self.placed.first, self.placed.stop)))

    @property
    def end_s(self) -> Fraction:
        return Fraction(self.placed.end, self.placed.edited.track.timescale)

    @property
    def duration_s(self) -> Fraction:
        length = self.placed.end - self.placed.time(self.placed.first)
        return Fraction(length, self.placed.edited.track.timescale)


def fitting(rungs: Sequence[Rung], target_s: Fraction, notes: list[str]) -> list[Rung]:
    """The first rung and those that fit it; why the others do not is noted."""
    kept = list(rungs[:1])
    for rung in rungs[1:]:
        try:
            common_raps([*kept, rung], target_s, [])
        except VodError as error:
            notes.append(f"left out: {error.detail}")
        else:
            kept.append(rung)
    return kept


def common_raps(rungs: Sequence[Rung], target_s: Fraction, notes: list[str]) -> list[Fraction]:
    """Key frame times that all rungs share; VodError `misaligned` lists all faults of all rungs."""
    if not rungs:
        return []
    first, *others = rungs
    reference = rap_times_s(first.placed)
    common = set(reference)
    faults: list[str] = []
    for rung in others:
        faults += _differences(rung, first)
        common &= set(rap_times_s(rung.placed))
    for rung in others:
        faults += _key_frames(rung, first, common, target_s, notes)
    if faults:
        raise VodError("misaligned", f"{len(faults)} fault(s)", "; ".join(faults))
    return sorted(common)


def _differences(rung: Rung, first: Rung) -> list[str]:
    """What must be equal but for its time of key frames."""
    mine, theirs = rung.placed.edited.track.entry, first.placed.edited.track.entry
    faults = []
    if mine.fourcc != theirs.fourcc:
        faults.append(f"{rung.name}: codec {mine.fourcc}, {first.name} has {theirs.fourcc}")
    if mine.pixel_aspect != theirs.pixel_aspect:
        a, b = mine.pixel_aspect, theirs.pixel_aspect
        faults.append(f"{rung.name}: sample aspect {a[0]}:{a[1]}, {first.name} has {b[0]}:{b[1]}")
    if rung.frame_rate != first.frame_rate:
        faults.append(
            f"{rung.name}: {rung.frame_rate} frames/s, {first.name} has {first.frame_rate}. "
            f"Re-encode with -r {first.frame_rate}"
        )
    elif drifting := _drifting(rung, first):
        faults.append(drifting)
    if (opened := rung.open_gops) and not first.open_gops:
        faults.append(
            f"{rung.name}: open GOPs, {opened} of its {opened + len(rung.placed.edited.raps)} key "
            f"frames are no IDR pictures; {first.name} has closed ones. "
            "Re-encode with -flags +cgop (x264, x265: open-gop=0)"
        )
    start, other = (r.placed.edited.start_s for r in (rung, first))
    if start != other:
        faults.append(
            f"{rung.name}: starts at {float(start):.3f} s, {first.name} at {float(other):.3f} s. "
            "Remux with an edit list (no -use_editlist 0)"
        )
    frame_s = 1 / (first.frame_rate or Fraction(1))
    if abs(rung.duration_s - first.duration_s) > frame_s:
        faults.append(
            f"{rung.name}: lasts {float(rung.duration_s):.3f} s, {first.name} "
            f"{float(first.duration_s):.3f} s. Cut both to one length"
        )
    return faults


def _drifting(rung: Rung, first: Rung) -> str:
    """The first frame that is half a frame from where the other has it, counted from the start;
    empty where there is none.
    """
    mine, theirs = rung.times(), first.times()
    scale, other = (r.placed.edited.track.timescale for r in (rung, first))
    apart = scale * other / (first.frame_rate or Fraction(24)) / 2
    differing = [
        (n, a, b)
        for n, (a, b) in enumerate(zip(mine, theirs, strict=False), 1)
        if abs((a - mine[0]) * other - (b - theirs[0]) * scale) > apart
    ]
    if not differing:
        return ""
    number, a, b = differing[0]
    return (
        f"{rung.name}: frame {number} at {a / scale:.3f} s, {first.name} has {b / other:.3f} s; "
        f"{len(differing)} of its frames are at other times. "
        f"Re-encode both from one source with -fps_mode cfr -r {first.frame_rate}"
    )


def _key_frames(
    rung: Rung, first: Rung, common: set[Fraction], target_s: Fraction, notes: list[str]
) -> list[str]:
    """A fault if too few key frames are common, a note if there are only extra ones."""
    mine, theirs = rap_times_s(rung.placed), rap_times_s(first.placed)
    if [t - mine[0] for t in mine] == [t - theirs[0] for t in theirs]:
        return []  # equal, or moved as a whole, which is told as that
    ends = [*sorted(common), theirs[0] + min(rung.duration_s, first.duration_s)]
    longest = max((b - a for a, b in pairwise(ends)), default=target_s * 3)
    zero = theirs[0]
    shared = len(set(mine) & set(theirs))
    what = (
        f"{rung.name}: {_first_other(mine, theirs, zero, first.name)}; "
        f"{shared} of {len(theirs)} key frames {'is' if shared == 1 else 'are'} common"
    )
    if longest <= 2 * target_s:
        notes.append(what)
        return []
    gap = theirs[1] - theirs[0] if len(theirs) > 1 else target_s
    g = round(gap * (first.frame_rate or 1))
    return [f"{what}. Re-encode with -g {g} -keyint_min {g} -sc_threshold 0 (x265: open-gop=0)"]


def _first_other(mine: list[Fraction], theirs: list[Fraction], zero: Fraction, name: str) -> str:
    """Where two rows of key frames part."""
    for number, (a, b) in enumerate(zip(mine, theirs, strict=False), 1):
        if a != b:
            return (
                f"key frame {number} at {float(a - zero):.3f} s, {name} has {float(b - zero):.3f} s"
            )
    number = min(len(mine), len(theirs)) + 1
    if len(mine) < len(theirs):
        return f"no key frame {number}, {name} has it at {float(theirs[number - 1] - zero):.3f} s"
    return f"key frame {number} at {float(mine[number - 1] - zero):.3f} s, {name} has none"
