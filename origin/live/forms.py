"""The forms in which a track's segments are served, by the end of their names."""

from collections.abc import Callable, Sequence

from origin.hls.forms import IFRAMES, MEDIA, SIDECAR
from origin.live import sidecar
from origin.live.sealing import Sealing
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.text.webvtt import CONTENT_TYPE

Made = tuple[Sequence[bytes], str | None]  # octets, and their tag where it is known

MAKERS: dict[str, Callable[[Sealing, LiveTrack, Stored], Made]] = {
    MEDIA.suffix: lambda sealing, track, stored: sealing.whole(track, stored),
    SIDECAR.suffix: lambda _, track, stored: ([sidecar.segment(track, stored)], None),
    IFRAMES.suffix: lambda sealing, track, stored: (sealing.iframe(track, stored), None),
}
TYPES = {SIDECAR.suffix: CONTENT_TYPE}


def has(track: LiveTrack, suffix: str) -> bool:
    """Whether this track's segments have this form."""
    if suffix == SIDECAR.suffix:
        return track.rendition.codecs == "wvtt"
    return suffix == MEDIA.suffix or track.rendition.kind == "video"
