"""DASH: static and live manifests and their patches (ISO/IEC 23009-1), as pure functions."""

from origin.dash.events import Event, EventStream
from origin.dash.live import Edition, LowLatency, Shown, Span, Terms, write
from origin.dash.mpd import CONTENT_TYPE, Period, Timeline, static_mpd
from origin.dash.patch import CONTENT_TYPE as PATCH_CONTENT_TYPE
from origin.dash.patch import patch
from origin.dash.timeline import BLOCK, Line, timeline_lines

__all__ = [
    "BLOCK",
    "CONTENT_TYPE",
    "PATCH_CONTENT_TYPE",
    "Edition",
    "Event",
    "EventStream",
    "Line",
    "LowLatency",
    "Period",
    "Shown",
    "Span",
    "Terms",
    "Timeline",
    "patch",
    "static_mpd",
    "timeline_lines",
    "write",
]
