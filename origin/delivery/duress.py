"""What this hop tells caches of itself: CMSD-Dynamic (CTA-5006; origin-http.md O26, O27)."""

from collections.abc import Sequence

from origin.delivery import cmsd

SERVER = "headwater"


class Duress:
    """Whether too many requests are parked, or too much is queued. `name` is the origin's, `share`
    of what the delivery port can take is where duress begins.
    """

    def __init__(self, name: str, share: float) -> None:
        self.on = False
        self._name = name or SERVER
        self._share = share

    def judge(self, loads: Sequence[float]) -> bool:
        """Look at the shares in use; whether that changed anything."""
        before, self.on = self.on, max(loads) > self._share
        return self.on != before

    def fields(self, held_ms: int | None = None) -> list[tuple[str, str]]:
        """Of an answer that was held for so long, or of any answer."""
        if held_ms is None and not self.on:
            return []
        item = cmsd.hop(self._name, rd_ms=held_ms, duress=self.on)
        return [(cmsd.DYNAMIC, item)]
