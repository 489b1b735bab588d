"""A/B watermarks in DASH: each segment from one of two folders, as the session's pattern says.

The place of a segment picks its bit: $Number$, which our origin counts as it counts in HLS, or a
time in lengths of the segment. ETSI TS 104 002 V1.1.1 leaves the choice to an edge that knows a
token and the segment's place; here the MPD makes it, and says so in a list of segments. Where time
brings segments the template leads to this proxy, which knows the number by their name (variants).
What is chosen by bits is the same for all viewers until then, and made once (MP-40).
Source: manifest-proxy MP-21; ISO/IEC 23009-1:2022 section 5.3.9.3.
"""

from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from .errors import ManifestError
from .hls_watermark import BITS, SIGN, within
from .mpd_listed import with_names
from .mpd_segments import filled, number_named
from .policy import Policy
from .rulebook import Watermark
from .urls import Origin, Url

PROBE = 1_234_567_890
MAX_MADE = 32
SESSION = "/~headwater-own~"  # in place of a session's segment


class Marks:
    """The names of segments whose folder a bit is to choose."""

    needed = True  # what is not marked would be a copy that tells nobody
    numbered = False  # other origins, other first numbers; the time of a segment is the same

    def __init__(self, rule: Watermark, policy: Policy | None) -> None:
        self._rule = rule
        self._policy = policy

    def covers(self, path: str) -> bool:
        return self._rule.covers(unquote(path.partition("?")[0]))

    def listed(self, place: int, path: str, reference: str) -> str:
        folder = b"%b%02x/" % (SIGN, place % BITS)
        return within(reference.encode(), folder).decode()

    def templated(self, path: str, template: str) -> str:
        policy, name = self._policy, filled(path, {"Number": PROBE})
        if policy is None or not policy.variants_url or number_named(name) != PROBE:
            raise ManifestError("mpd_unnamed", "a name that tells no number of what is to come")
        return policy.variant(path.encode()).decode()


def choosing_mpd(
    data: bytes,
    url: Url,
    origin: Origin,
    rule: Watermark,
    clips: frozenset[str] = frozenset(),
    policy: Policy | None = None,
) -> bytes:
    """The MPD with SIGN and the number of a bit in place of folders, as in playlists; what stands
    in `clips` is nobody's.
    """
    if policy is None:
        return _made(data, url, origin, rule, clips, None)
    made = _made(data, url, origin, rule, clips, replace(policy, session=SESSION))
    return made.replace(SESSION.encode(), policy.session.encode())


@lru_cache(MAX_MADE)
def _made(
    data: bytes,
    url: Url,
    origin: Origin,
    rule: Watermark,
    clips: frozenset[str],
    policy: Policy | None,
) -> bytes:
    return with_names(data, url, origin, Marks(rule, policy), clips)
