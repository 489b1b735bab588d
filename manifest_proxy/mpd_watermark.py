"""A/B watermarks in DASH: each segment from one of two folders, as the session's pattern says.

The place of a segment picks its bit: $Number$, which our origin counts as it counts in HLS, or a
time in lengths of the segment. ETSI TS 104 002 V1.1.1 leaves the choice to an edge that knows a
token and the segment's place; here the MPD makes it, and says so in a list of segments. Where time
brings segments the template leads to this proxy, which knows the number by their name (variants).
Source: manifest-proxy MP-21; ISO/IEC 23009-1:2022 section 5.3.9.3.
"""

from collections.abc import Container
from urllib.parse import unquote

from .errors import ManifestError
from .hls_watermark import bit, within
from .mpd_listed import with_names
from .mpd_segments import filled, number_named
from .policy import Policy
from .rulebook import Watermark
from .urls import Origin, Url

PROBE = 1_234_567_890


class Marks:
    """The names of one viewer's segments."""

    needed = True  # what is not marked would be a copy that tells nobody

    def __init__(self, rule: Watermark, pattern: bytes, policy: Policy | None) -> None:
        self._rule = rule
        self._pattern = pattern
        self._policy = policy

    def covers(self, path: str) -> bool:
        return self._rule.covers(unquote(path.partition("?")[0]))

    def listed(self, place: int, path: str, reference: str) -> str:
        folder = self._rule.folders[bit(self._pattern, place)]
        return within(reference.encode(), f"{folder}/".encode()).decode()

    def templated(self, path: str, template: str) -> str:
        policy, name = self._policy, filled(path, {"Number": PROBE})
        if policy is None or not policy.variants_url or number_named(name) != PROBE:
            raise ManifestError("mpd_unnamed", "a name that tells no number of what is to come")
        return policy.variant(path.encode()).decode()


def marked_mpd(
    data: bytes,
    url: Url,
    origin: Origin,
    rule: Watermark,
    pattern: bytes,
    clips: Container[str] = (),
    policy: Policy | None = None,
) -> bytes:
    """The MPD for one viewer; what stands in `clips` is nobody's."""
    return with_names(data, url, origin, Marks(rule, pattern, policy), clips)
