"""Did the client obey? Its segment requests against what it was told (ST-34, ST-40, ST-41).

A switch is given `GRACE_MS` to take effect. Time on another CDN after that, and before the next
instruction, is off pathway. Time of which nothing is known counts for neither side.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

GRACE_MS = 10_000
STEP_MS = 1_000
LOOKED_MS = 600_000  # so far back


class Instruction(Protocol):
    @property
    def at_ms(self) -> int: ...
    @property
    def pathway(self) -> str: ...


class Verdict(NamedTuple):
    """`obeyed` is None without evidence; `by` is what it was judged from: segments, polls, none."""

    obeyed: bool | None
    by: str
    off_ms: int
    on_ms: int
    sentence: str


def judge(
    told: Sequence[Instruction],
    used_at: Callable[[int], str] | None,
    followed: bool | None,
    until_ms: int,
) -> Verdict:
    """`used_at` tells the CDN in use at a time, "" when unknown; `followed` is what polls said."""
    off_ms = on_ms = 0
    if used_at is not None and told:
        since_ms = until_ms - LOOKED_MS
        ends_ms = [each.at_ms for each in told[1:]] + [until_ms]
        for each, end_ms in zip(told, ends_ms, strict=True):
            for at_ms in range(max(each.at_ms + GRACE_MS, since_ms), end_ms, STEP_MS):
                used = used_at(at_ms)
                off_ms += STEP_MS if used not in ("", each.pathway) else 0
                on_ms += STEP_MS if used == each.pathway else 0
    if off_ms or on_ms:
        words = f"{off_ms / 1000:.0f} s off the pathway it was told, {on_ms / 1000:.0f} s on it"
        return Verdict(off_ms == 0, "segments", off_ms, on_ms, f"by its segment requests: {words}")
    if followed is not None:
        words = "it plays where it was told" if followed else "it plays elsewhere"
        return Verdict(followed, "polls", 0, 0, f"by its last poll: {words}")
    return Verdict(None, "none", 0, 0, "nothing is known of what it plays")
