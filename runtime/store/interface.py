"""The shared store as named operations (CMP-2): what they mean, for every implementation alike.

Keys that one operation touches together carry one hash tag (CTL-22), so that everything here runs
on a cluster. Bodies are bytes and never looked into. A store that is away or late raises
`StoreError`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol


class StoreError(Exception):
    """`code`: timeout or unavailable. What then happens is the caller's row in CTL-188."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limiter's word. `retry_after_ms` is 0 when allowed."""

    allowed: bool
    remaining: int
    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """One stream entry as a consumer got it; `deliveries` counts this one."""

    id: str
    body: bytes
    deliveries: int


@dataclass(frozen=True, slots=True)
class Session:
    """A live session of an account; `device` is unique among them, `detail` is the caller's."""

    id: str
    device: str
    detail: bytes
    last_seen_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that this very operation ended; it is reported to nobody else.

    `reason`: expired (unseen for the TTL), terminated (named by a new start), replaced (same device
    started again), or what `end` was told.
    """

    account: str
    id: str
    device: str
    detail: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Admission:
    """The outcome of `admit`: who is live now, oldest first, and who had to go. Where what is kept
    of the account cannot be read nothing was done: `restore` it first.
    """

    admitted: bool
    live: tuple[Session, ...]
    ended: tuple[Ended, ...]
    unreadable: bool = False


Beat = Literal["live", "readmitted", "limit", "ended", "unknown"]


@dataclass(frozen=True, slots=True)
class Pulse:
    """The outcome of `heartbeat`; `reason` says why an ended session ended (410), else empty."""

    beat: Beat
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """Times of the session operations, the same for every process on one store."""

    ttl_ms: int = 90_000  # CTL-102, CTL-108
    late_ms: int = 600_000  # a heartbeat so late after the TTL may come back (CTL-108)
    kept_ms: int = 86_400_000  # an ended session is remembered (CTL-105)


class Store(Protocol):
    """A part of the process (runtime.service) with these operations. Times are epoch milliseconds
    of
    the store's clock; `ttl_ms` is always counted by the engine itself."""

    name: str

    async def start(self) -> None: ...
    def ready(self) -> str | None: ...
    async def drain(self) -> None: ...
    async def stop(self) -> None: ...

    def now_ms(self) -> int:
        """The store's time, whatever the machine's clock says; while it is away, as last heard."""

    # -- values
    async def get(self, key: str) -> bytes | None: ...

    async def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Several values in one round trip; keys of one hash tag."""

    async def put(self, key: str, value: bytes, ttl_ms: int | None = None) -> None: ...

    async def put_if_absent(self, key: str, value: bytes, ttl_ms: int) -> bool:
        """True if stored: the first presentation of a token, an idempotency key, a lock."""

    async def replace(self, key: str, value: bytes, old: bytes | None) -> bool:
        """Put a value without a TTL: only if `old` is what is there, None for nothing."""

    async def delete(self, key: str) -> bool:
        """True if there was one."""

    async def renew(self, key: str, value: bytes, ttl_ms: int) -> bool:
        """Extend a lock: only if it still holds this very value."""

    async def release(self, key: str, value: bytes) -> bool:
        """Give a lock back: only if it still holds this very value."""

    # -- counting and telling
    async def incr_and_publish(self, key: str, channel: str, message: bytes) -> int:
        """Count up and tell subscribers, at once; the new count (access versions, CTL-83)."""

    async def publish(self, channel: str, *messages: bytes) -> None:
        """Tell whoever listens now, in this order."""

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Inside the block nothing published is missed, save when over 1,024 wait unread."""

    async def gcra(
        self, key: str, *, limit: int, period_ms: int, burst: int = 1, cost: int = 1
    ) -> Limit:
        """Generic cell rate algorithm, ITU-T I.371: `limit` a period, `burst` at once (CTL-164). A
        negative `cost` gives back what was counted.
        """

    # -- streams
    async def append(self, stream: str, body: bytes, *, max_len: int = 100_000) -> str:
        """Add an entry, dropping the oldest beyond `max_len`; its id."""

    async def append_all(
        self, stream: str, bodies: Sequence[bytes], *, max_len: int = 100_000
    ) -> int:
        """Add entries in this order, all at once or none; how many the bound dropped for them."""

    async def newest(self, stream: str) -> bytes | None:
        """The entry that was added last, whoever read it."""

    async def read(
        self, stream: str, group: str, consumer: str, *, count: int = 100, block_ms: int = 0
    ) -> list[Message]:
        """New entries for this consumer; a group starts at the stream's beginning when first named.
        Waits up to `block_ms` for the first one."""

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> int:
        """Done with these; how many were pending."""

    async def drop(self, stream: str, ids: Sequence[str]) -> None:
        """Forget these entries, whoever has not read them."""

    async def claim(
        self, stream: str, group: str, consumer: str, *, min_idle_ms: int, count: int = 100
    ) -> list[Message]:
        """Take over what others left unacknowledged for so long (CTL-172: 30 s)."""

    async def pending(self, stream: str, group: str) -> int:
        """Delivered but unacknowledged entries of the group."""

    async def lag(self, stream: str, group: str) -> int:
        """Entries that the group has not done with: pending ones and those not yet delivered."""

    # -- playback sessions. What nobody here wrote, and cannot be read, counts as lost.
    async def admit(
        self,
        account: str,
        session: str,
        *,
        device: str,
        detail: bytes,
        limit: int,
        terminate: Sequence[str] = (),
    ) -> Admission:
        """CTL-102, atomically: drop the unseen and those in `terminate`, replace the device's own
        session, count against the limit, then add."""

    async def heartbeat(
        self, account: str, session: str, *, limit: int, detail: bytes | None = None
    ) -> Pulse:
        """Seen now, in one round trip (CTL-105..108). A late one comes back if the limit allows."""

    async def heartbeats(self, beats: Sequence[tuple[str, str, int]]) -> list[Pulse]:
        """Many at once, each (account, session, limit), in one round trip."""

    async def live(self, sessions: Sequence[tuple[str, str]]) -> list[bool | None]:
        """Which of these, each (account, session), were seen within the TTL: in one round trip, and
        nothing becomes of any. None: of an account that cannot be read."""

    async def restore(self, account: str, sessions: Sequence[tuple[str, str, bytes]]) -> None:
        """Of an account that cannot be read these are live, each (session, device, detail), and
        seen now; what ended is forgotten. One that can, as another process restored it, stays."""

    async def end(self, account: str, session: str, reason: str) -> Ended | None:
        """End a live session; None if it is not live (any more)."""

    async def reap(self, *, count: int = 100) -> list[Ended]:
        """End sessions unseen for the TTL, of at most about `count` accounts; each is reported once
        however many reapers run (CTL-108)."""
