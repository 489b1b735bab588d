"""Rates by name: a token bucket each, for at most so many names (CM-33)."""

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Buckets:
    """`per_s` things a second and `burst` at once for each name; the name not heard of for longest
    is forgotten first.
    """

    per_s: float
    burst: float
    capacity: int
    _left: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict)  # at ms

    def take(self, name: str, count: int, now_ms: int) -> bool:
        """Whether the name may have `count` more now; nothing is taken when it may not."""
        left, at_ms = self._left.pop(name, (self.burst, now_ms))
        left = min(self.burst, left + max(0, now_ms - at_ms) / 1000 * self.per_s)
        allowed = count <= left
        self._left[name] = (left - count if allowed else left, now_ms)
        if len(self._left) > self.capacity:
            self._left.popitem(last=False)
        return allowed
