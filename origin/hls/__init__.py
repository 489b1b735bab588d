"""HLS: multivariant and media playlists (draft-pantos-hls-rfc8216bis-22), as pure functions."""

from origin.hls.media import (
    CONTENT_TYPE,
    VERSION,
    date_time,
    media_playlist,
    segment_lines,
    target_duration_s,
)
from origin.hls.multivariant import display_size, multivariant

__all__ = [
    "CONTENT_TYPE",
    "VERSION",
    "date_time",
    "display_size",
    "media_playlist",
    "multivariant",
    "segment_lines",
    "target_duration_s",
]
