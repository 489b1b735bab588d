"""Times: stored as epoch milliseconds, shown as RFC 3339 UTC (CTL-3)."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _LAST_MS = (
    (at.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
    for at in (datetime.min, datetime.max)
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@lru_cache(maxsize=4_096)
def utc(epoch_ms: int) -> datetime:
    """An aware datetime, which the JSON encoder writes as RFC 3339 with `Z`; the years 1 and 9999
    stand for what is before and after them, as a time of another zone may be. Programmes of all
    channels begin and end at the same few times.
    """
    return _EPOCH + timedelta(milliseconds=min(max(epoch_ms, _FIRST_MS), _LAST_MS))


def epoch_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime."""
    return (at - _EPOCH) // timedelta(milliseconds=1)
