"""When answers remembered of a list stop to count (C face: epoch.pxd)."""

from typing import final

@final
class Epoch:
    """Shared by a list and those who remember what it said: `number` moves when the list changes;
    from `fresh_until` (epoch seconds) on the list answers in person.
    """

    fresh_until: float
    number: int

    def __new__(cls) -> Epoch: ...
    def move(self) -> None:
        """Forget what was remembered."""
