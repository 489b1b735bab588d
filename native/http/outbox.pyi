"""What the kernel did not take yet (C face: outbox.pxd)."""

from typing_extensions import disjoint_base

@disjoint_base
class Outbox:
    """A queue of pieces in order of sending."""

    @property
    def queued(self) -> int:
        """Octets."""
