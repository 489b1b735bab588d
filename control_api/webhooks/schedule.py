"""When a message that failed is sent again (CTL-151, CTL-152)."""

from collections.abc import Mapping
from typing import Final, Literal

Schedule = Literal["standard", "extended"]

# Seconds to wait before each attempt, the first being at once. Extended is the example of Standard
# Webhooks 1.0.0, "Deliverability and reliability": ten tries over 75 hours.
WAITS_S: Final[Mapping[Schedule, tuple[int, ...]]] = {
    "standard": (0, 5, 10, 20, 40),
    "extended": (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
}
JITTER: Final = 0.1
MAX_RETRY_AFTER_S: Final = 3_600
ASKS_FOR_TIME: Final = frozenset({429, 503})


def next_wait_ms(
    schedule: Schedule, done: int, status: int | None, retry_after: str, chance: float
) -> int | None:
    """Milliseconds until the next attempt after `done` failed ones; None after the last.

    `chance` in [0, 1) spreads the wait by 10 % either way. A 429 or 503 may ask for more, in
    seconds (RFC 9110 section 10.2.3); a date is not looked at.
    """
    waits = WAITS_S[schedule]
    if done >= len(waits):
        return None
    wait_ms = round(1_000 * waits[done] * (1 - JITTER + 2 * JITTER * chance))
    if status in ASKS_FOR_TIME and retry_after.isascii() and retry_after.isdigit():
        asked_s = min(int(retry_after[:9]), MAX_RETRY_AFTER_S)
        wait_ms = max(wait_ms, 1_000 * asked_s)
    return wait_ms
