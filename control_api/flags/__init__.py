"""What operators switch while the service runs: declared in one table, obeyed by every node."""

from control_api.flags.state import Flags

__all__ = ["Flags"]
