"""DASH: static and live manifests (ISO/IEC 23009-1), as pure functions."""

from origin.dash.mpd import (
    BLOCK,
    CONTENT_TYPE,
    Period,
    Timeline,
    duration,
    dynamic_mpd,
    static_mpd,
    timeline_lines,
)

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
