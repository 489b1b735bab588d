"""A/B watermarks in DASH: each segment from one of two folders, as the session's pattern says.

The place of a segment picks its bit: $Number$, which our origin counts as it counts in HLS, or a
time in lengths of the segment. ETSI TS 104 002 V1.1.1 leaves the choice to an edge that knows a
token and the segment's place; here the MPD makes it, and says so in a list of segments.
Source: manifest-proxy MP-21; ISO/IEC 23009-1:2022 section 5.3.9.3.
"""

from collections.abc import Container
from urllib.parse import unquote

from .errors import ManifestError
from .hls_watermark import bit, within
from .mpd_listed import with_names
from .rulebook import Watermark
from .urls import Origin, Url


class Marks:
    """The names of one viewer's segments."""

    needed = True  # what is not marked would be a copy that tells nobody

    def __init__(self, rule: Watermark, pattern: bytes) -> None:
        self._rule = rule
        self._pattern = pattern

    def covers(self, path: str) -> bool:
        return self._rule.covers(unquote(path.partition("?")[0]))

    def listed(self, place: int, path: str, reference: str) -> str:
        folder = self._rule.folders[bit(self._pattern, place)]
        return within(reference.encode(), f"{folder}/".encode()).decode()

    def templated(self, path: str, template: str) -> str:
        raise ManifestError("mpd_unnamed", "a template names segments that are still to come")


def marked_mpd(
    data: bytes, url: Url, origin: Origin, rule: Watermark, pattern: bytes, clips: Container[str]
) -> bytes:
    """The MPD for one viewer; what stands in `clips` is nobody's."""
    return with_names(data, url, origin, Marks(rule, pattern), clips)
