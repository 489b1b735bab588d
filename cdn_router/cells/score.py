"""The score of a stretch of playback, 0..100 (SW-7, version `VERSION`).

score = 100 x clip(v (1 - w) - w, 0, 1): w the share of the stretch spent waiting, v the bitrate on
a log scale between the lowest rung and what the viewer's access can carry.
"""

from math import log

VERSION = 1
LOWEST_KBPS = 235.0
HIGHEST_KBPS = 16_800.0
LEAST_SPAN_KBPS = 400.0
SAFE_SHARE = 0.8  # of the access rate


def score(bitrate_kbps: float, access_kbps: float, top_kbps: float, waited: float) -> float:
    """`access_kbps` is the best rate seen of the viewer, `top_kbps` the best rung; 0: not known."""
    most = min(SAFE_SHARE * access_kbps or HIGHEST_KBPS, top_kbps or HIGHEST_KBPS, HIGHEST_KBPS)
    span = log(max(most, LEAST_SPAN_KBPS) / LOWEST_KBPS)
    value = min(1.0, max(0.0, log(max(bitrate_kbps, 1.0) / LOWEST_KBPS) / span))
    waited = min(1.0, max(0.0, waited))
    return 100.0 * min(1.0, max(0.0, value * (1 - waited) - waited))
