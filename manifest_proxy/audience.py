"""The viewers of one version of a manifest, answered without what they ask for being read anew.

Rules of the file
1. Rules that the handler answered under before are known with the clips that stand in their copies,
   for as long as those stay. Anything else is the handler's.
2. A session's signature is checked before it gets a seat; seats end with the version.

Source: manifest-proxy MP-38, MP-40, MP-41, MP-45.
"""

from typing import NamedTuple

from native.http import Entity
from runtime.clock import Clock

from .asked import Asked, Asking
from .copies import Copies
from .errors import ProxyError
from .press import Press
from .spots import Spots
from .upstream import Version

MAX_SEATS = 4096


class Seat(NamedTuple):
    """One session's copies, the bits of its watermarks, and when clips in them end."""

    copies: Copies
    pattern: bytes
    until_s: float


class Audience:
    """Who asks as `asked` does but for session and token."""

    def __init__(
        self, asked: Asked, version: Version, asking: Asking, press: Press, clock: Clock
    ) -> None:
        self._asked = asked
        self._version = version
        self._asking = asking
        self._press = press
        self._clock = clock
        self._known: dict[str, tuple[Spots, float]] = {}  # by digest of the rules
        self._seats: dict[bytes, Seat] = {}

    def know(self, asked: Asked, spots: Spots, until_s: float) -> None:
        """What stands in copies under these rules until then."""
        self._known[asked.rules.digest if asked.rules else ""] = spots, until_s
        self._seats.clear()

    def copy(self, token: bytes, sid: bytes, segment: bytes, *, coded: bool) -> Entity | None:
        """A viewer's answer; None where the handler has to give it."""
        seat = self._seats.get(segment)
        if seat is None:
            try:
                seat = self._seated(segment.decode("latin-1"))
            except ProxyError:
                return None
            if seat is None:
                return None
            if len(self._seats) >= MAX_SEATS:
                self._seats.clear()
            self._seats[segment] = seat
        now_s = self._clock.monotonic_s()
        if now_s >= seat.until_s:
            return None
        left_s = self._version.fresh_until_s - now_s
        return seat.copies.copy(token, sid, coded=coded, pattern=seat.pattern, left_s=left_s)

    def _seated(self, segment: str) -> Seat | None:
        asked = self._asking.again(self._asked, segment)
        known = self._known.get(asked.rules.digest if asked.rules else "")
        if known is None or asked.target != self._asked.target or not self._asking.settled(asked):
            return None
        spots = known[0].joined(asked.chosen.joined_ms)
        copies = self._press.copies(asked, self._version, spots)
        return Seat(copies, self._asking.pattern(asked), known[1])
