"""MPDs that viewers may still have, so that a patch can lead from them to the newest (P3, P4).

Source: dash.md section 3; ISO/IEC 23009-1:2022 sections 5.3.1.2, 5.15.
"""

import re
from collections import OrderedDict
from datetime import UTC, datetime

HELD_S = 60  # how long a version is kept, and @ttl of our PatchLocations
MAX_VERSIONS = 64  # of one MPD
MAX_BYTES = 32 << 20  # of all of them
HEAD_BYTES = 4096
ROOT = re.compile(rb"<MPD\s[^>]*>")
PUBLISHED = re.compile(rb"""\spublishTime\s*=\s*["']([^"'<&]{1,40})["']""")


def published_ms(data: bytes) -> int | None:
    """MPD@publishTime in milliseconds since 1970; None where it is not told."""
    root = ROOT.search(data, 0, HEAD_BYTES)
    found = PUBLISHED.search(root[0]) if root else None
    try:
        told = datetime.fromisoformat(found[1].decode("ascii").strip()) if found else None
    except ValueError:
        return None
    if told is None:
        return None
    return round((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)


class History:
    """The bodies of this node's last versions by target and time; clocks come in as arguments."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int], tuple[bytes, float]] = OrderedDict()
        self._bytes = 0

    def note(self, target: str, body: bytes, now_s: float) -> None:
        """A version that somebody is given now."""
        told = published_ms(body)
        if told is None:
            return
        before = self._held.pop((target, told), None)
        self._bytes += len(body) - (len(before[0]) if before else 0)
        self._held[target, told] = body, now_s
        while self._held and (self._bytes > MAX_BYTES or self._oldest_s() < now_s - HELD_S):
            _, (old, _) = self._held.popitem(last=False)
            self._bytes -= len(old)

    def _oldest_s(self) -> float:
        return next(iter(self._held.values()))[1]

    def at(self, target: str, told_ms: int) -> bytes | None:
        held = self._held.get((target, told_ms))
        return held and held[0]
