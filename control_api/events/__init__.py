"""What the API tells others: typed, versioned events (control-api section 11)."""

from control_api.events.envelope import Event, EventError, decode, encode, make
from control_api.events.table import DOMAINS, TYPES

__all__ = ["DOMAINS", "TYPES", "Event", "EventError", "decode", "encode", "make"]
