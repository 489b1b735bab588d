"""DASH: static and live manifests (ISO/IEC 23009-1), as pure functions."""

from origin.dash.mpd import (
    CONTENT_TYPE,
    Period,
    Timeline,
    dynamic_mpd,
    static_mpd,
)
from origin.dash.text import duration
from origin.dash.timeline import BLOCK, timeline_lines

__all__ = [
    "BLOCK",
    "CONTENT_TYPE",
    "Period",
    "Timeline",
    "duration",
    "dynamic_mpd",
    "static_mpd",
    "timeline_lines",
]
