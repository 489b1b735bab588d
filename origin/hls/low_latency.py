"""The tags of low-latency HLS around segments (draft-pantos-hls-rfc8216bis-22, 4.4.3 and 4.4.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

HOLD_BACK = 3  # target durations (HLS-13)
PART_HOLD_BACK = 3  # part targets (HLS-13)
SKIP_UNTIL = 6  # target durations (HLS-13)
PARTS_LISTED = 3  # target durations from the end that still show their parts (HLS-18)
TAB = "\t"
SKIP_VERSION = {"YES": 9, "v2": 10}  # HLS-20


@dataclass(frozen=True, slots=True)
class Report:
    """How far another media playlist is (HLS-33); `part` is None where it has no parts."""

    uri: str
    msn: int
    part: int | None


def control_lines(target_s: int, part_s: Fraction | None, *, end: bool) -> list[str]:
    """EXT-X-SERVER-CONTROL and EXT-X-PART-INF, the same in all playlists of a channel (HLS-37).

    They never change while it lives (HLS-3). A playlist that ended is neither blocked for nor cut
    short (HLS-26, HLS-22), and an iPhone refuses one that says it could be (HLS-41).
    """
    attributes = [] if end else ["CAN-BLOCK-RELOAD=YES"]
    if not end:
        attributes.append(f"CAN-SKIP-UNTIL={seconds(Fraction(SKIP_UNTIL * target_s))}")
        attributes.append("CAN-SKIP-DATERANGES=YES")
    attributes.append(f"HOLD-BACK={seconds(Fraction(HOLD_BACK * target_s))}")
    if part_s is None:
        return [f"#EXT-X-SERVER-CONTROL:{','.join(attributes)}"]
    target = Fraction(_micros_up(part_s), 10**6)
    attributes.append(f"PART-HOLD-BACK={seconds(PART_HOLD_BACK * target)}")
    return [
        f"#EXT-X-SERVER-CONTROL:{','.join(attributes)}",
        f"#EXT-X-PART-INF:PART-TARGET={seconds(target)}",
    ]


def skip_line(count: int, removed: Sequence[str] | None) -> str:
    """What a delta leaves out; `removed` are date ranges, told from version 2 on (HLS-21)."""
    line = f"#EXT-X-SKIP:SKIPPED-SEGMENTS={count}"
    if removed is None:
        return line
    return f'{line},RECENTLY-REMOVED-DATERANGES="{TAB.join(removed)}"'


def hint_line(name: str) -> str:
    """The part that comes next (HLS-31)."""
    return f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{name}"'


def map_hint_line(name: str) -> str:
    """The header that comes next (PR-53). It stands before the part's: players keep the last."""
    return f'#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="{name}"'


def report_line(report: Report) -> str:
    last = "" if report.part is None else f",LAST-PART={report.part}"
    return f'#EXT-X-RENDITION-REPORT:URI="{report.uri}",LAST-MSN={report.msn}{last}'


def seconds(value: Fraction) -> str:
    """A decimal-floating-point of whole microseconds, rounded up: targets bound what is listed."""
    micros = _micros_up(value)
    return f"{micros // 10**6}.{micros % 10**6:06d}"


def _micros_up(value: Fraction) -> int:
    return -int(-value * 10**6 // 1)
