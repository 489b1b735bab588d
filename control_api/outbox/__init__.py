"""The way of an event: outbox row, relay, stream, consumer, dead letter (control-api, 11)."""

from control_api.outbox.record import emit, emit_all, row, tell

__all__ = ["emit", "emit_all", "row", "tell"]
