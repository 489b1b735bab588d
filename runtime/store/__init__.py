"""The shared store: named operations, an in-process twin, a Redis twin, the choice between."""

from runtime.store.choose import Child, choose
from runtime.store.interface import (
    Admission,
    Ended,
    Limit,
    Message,
    Pulse,
    Session,
    SessionPolicy,
    Store,
    StoreError,
)
from runtime.store.memory import MemoryStore
from runtime.store.remote import RedisStore

__all__ = [
    "Admission",
    "Child",
    "Ended",
    "Limit",
    "MemoryStore",
    "Message",
    "Pulse",
    "RedisStore",
    "Session",
    "SessionPolicy",
    "Store",
    "StoreError",
    "choose",
]
