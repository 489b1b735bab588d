"""What the proxy answers beside manifests: the time, and segments that a rule lets fail.

Source: ISO/IEC 23009-1 section 5.8.4.11; manifest-proxy MP-22.
"""

from datetime import UTC, datetime
from typing import get_args

from native.http import Answer, Entity, Refusal

from .rulebook import ChaosStatus

CLOCK_PATH = "/time"
CHAOS_PATH = "/chaos"
VARIANTS_PATH = "/ab"  # segments are A or B there


def beside(path: str, now_ms: int) -> Answer | None:
    """None for a path that may be a manifest's."""
    if path == CLOCK_PATH:
        return _time(now_ms)
    return _chaotic(path) if path.startswith(CHAOS_PATH) else None


def _time(now_ms: int) -> Answer:
    """The time source that MPDs name: UTC as ISO 8601."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Entity(text.encode(), content_type="text/plain", cache_control="no-store", ranges=False)


def _chaotic(path: str) -> Answer:
    """The status that a rule gave a segment, as a URL of this proxy says it."""
    status = path.removeprefix(CHAOS_PATH + "/").partition("/")[0]
    known = {str(one): one for one in get_args(ChaosStatus)}
    return Refusal(known[status], "chaos") if status in known else Refusal(404, "not_found")
