"""What may be done with a programme: its own word, else its channel's (CTL-131)."""

from typing import Any

from control_api.guide.types import Rights
from control_api.times import utc

HOUR_MS = 3_600_000


def of(event: Any, channel: Any) -> Rights:
    """Rights of a row of epg_event on its row of channel; null is the channel's word."""
    hours = channel.catchup_h
    catchup = hours > 0 if event.allow_catchup is None else event.allow_catchup and hours > 0
    return Rights(
        startover=_word(event.allow_startover, channel.allow_startover)
        and channel.dvr_window_s > 0,
        catchup=catchup,
        catchup_until=utc(event.end_ms + hours * HOUR_MS) if catchup else None,
        npvr=_word(event.allow_npvr, channel.allow_npvr),
    )


def _word(own: bool | None, channels: bool) -> bool:
    return channels if own is None else own
