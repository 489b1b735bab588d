"""A demo edge's cache: freshness by Cache-Control (RFC 9111), least recently used out first, one
fetch per object.

Pure but for the event loop: the clock and the fetch come in as arguments.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime

from headwater.demo.edge_pull import Arriving
from runtime.fetch import Fetched, FetchError

MAX_BYTES = 64 << 20
STALE_IF_ERROR_S = 4.0  # a live playlist survives a hiccup of the origin (RFC 5861, 4)
_MARKS = ("cmsd-static", "cmsd-dynamic")
_DIRECTIVE = re.compile(r'([a-z-]+)(?:="?(\d+)"?)?')

Fetch = Callable[[str | None], Awaitable[Fetched | Arriving]]  # takes the tag to revalidate with


@dataclass(frozen=True, slots=True)
class Stored:
    """One answer of the origin as it is kept; times are monotonic seconds, `tag` has no quotes."""

    status: int
    body: bytes
    content_type: str
    cache_control: str
    tag: str | None
    last_modified: int
    stored_at_s: float
    lifetime_s: float
    marks: Mapping[str, str] = field(default_factory=dict)  # CMSD of the hops behind (E-53)

    def age_s(self, now_s: float) -> float:
        return now_s - self.stored_at_s

    def fresh(self, now_s: float) -> bool:
        return self.age_s(now_s) < self.lifetime_s


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look-up gave: `how` is HIT, MISS, REVALIDATED or STALE, as told in X-Cache."""

    stored: Stored
    how: str


def lifetime_s(cache_control: str) -> float:
    """How long a shared cache may keep an answer (RFC 9111, 4.2.1); 0 when it says nothing or
    forbids.
    """
    directives = dict(_DIRECTIVE.findall(cache_control.lower()))
    if directives.keys() & {"no-store", "no-cache", "private"}:
        return 0.0
    return float(directives.get("s-maxage") or directives.get("max-age") or 0)


class Cache:
    """At most `max_bytes` of bodies. Simultaneous misses for one key share one fetch."""

    def __init__(self, clock_s: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self._clock_s = clock_s
        self._max_bytes = max_bytes
        self._stored: OrderedDict[str, Stored] = OrderedDict()
        self._flights: dict[str, asyncio.Task[Looked | Arriving]] = {}
        self._arriving: dict[str, Arriving] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._stored)

    def fresh(self, key: str) -> Stored | None:
        """A hit, or None."""
        stored = self._stored.get(key)
        if stored is None or not stored.fresh(self._clock_s()):
            return None
        self._stored.move_to_end(key)
        return stored

    async def look(self, key: str, fetch: Fetch) -> Looked | Arriving:
        """A hit, or the outcome of the one fetch under way; raises its `FetchError`."""
        stored = self.fresh(key)
        if stored is not None:
            return Looked(stored, "HIT")
        if (arriving := self._arriving.get(key)) is not None:
            return arriving
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fill(key, fetch))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key))
        return await asyncio.shield(flight)

    async def _fill(self, key: str, fetch: Fetch) -> Looked | Arriving:
        old = self._stored.get(key)
        try:
            answer = await fetch(old.tag if old else None)
        except FetchError:
            if old and old.age_s(self._clock_s()) < old.lifetime_s + STALE_IF_ERROR_S:
                return Looked(old, "STALE")
            raise
        if isinstance(answer, Arriving):
            self._arriving[key] = answer
            answer.whole.add_done_callback(lambda whole: self._arrived(key, whole))
            return answer
        if answer.status == 304 and old is not None:
            stored, how = self._renewed(old, answer), "REVALIDATED"
        else:
            stored, how = self._kept(answer), "MISS"
        self._put(key, stored)
        return Looked(stored, how)

    def _arrived(self, key: str, whole: asyncio.Future[Fetched]) -> None:
        del self._arriving[key]
        if not whole.cancelled() and whole.exception() is None:
            self._put(key, self._kept(whole.result()))

    def _kept(self, answer: Fetched) -> Stored:
        headers = answer.headers
        cache_control = headers.get("cache-control", "no-store")
        tag = headers.get("etag", "")
        return Stored(
            status=answer.status,
            body=answer.body,
            content_type=headers.get("content-type", "application/octet-stream"),
            cache_control=cache_control,
            tag=tag[1:-1] if tag.startswith('"') else None,
            last_modified=_epoch_s(headers.get("last-modified", "")),
            stored_at_s=self._clock_s(),
            lifetime_s=lifetime_s(cache_control),
            marks={name: headers[name] for name in _MARKS if name in headers},
        )

    def _renewed(self, old: Stored, answer: Fetched) -> Stored:
        cache_control = answer.headers.get("cache-control", old.cache_control)
        return replace(
            old,
            cache_control=cache_control,
            stored_at_s=self._clock_s(),
            lifetime_s=lifetime_s(cache_control),
        )

    def _put(self, key: str, stored: Stored) -> None:
        self._drop(key)
        if stored.lifetime_s <= 0 or len(stored.body) > self._max_bytes // 4:
            return
        self._stored[key] = stored
        self.size_bytes += len(stored.body)
        while self.size_bytes > self._max_bytes:
            self._drop(next(iter(self._stored)))

    def _drop(self, key: str) -> None:
        stored = self._stored.pop(key, None)
        if stored is not None:
            self.size_bytes -= len(stored.body)


def _epoch_s(date: str) -> int:
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except ValueError:
        return 0
