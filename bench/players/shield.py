"""A CDN shield: a cache with request collapsing in front of a fetch (RFC 9111).

Fresh answers come from memory, stale ones are revalidated with If-None-Match, and while one request
for a URL is on its way all others for it wait. Errors are kept as long as they say.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from bench.players.report import Answer, Clock, Fetch, Kind

MAX_BYTES = 256 << 20
DIRECTIVE = re.compile(r'([a-z-]+)(?:="?(\d{1,9})"?)?')
IGNORED = "CMCD="  # not in the cache key (O12)


class Event(Protocol):
    """What threading.Event and gevent.event.Event have in common."""

    def set(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...


@dataclass(slots=True)
class Stored:
    """One answer and until when it is fresh."""

    answer: Answer
    fresh_until_s: float


def lifetime_s(headers: Mapping[str, str]) -> float:
    """Freshness for a shared cache (RFC 9111, 4.2.1), less the age it came with."""
    named = dict(DIRECTIVE.findall(headers.get("cache-control", "").lower()))
    if named.keys() & {"no-store", "no-cache", "private"}:
        return 0.0
    age = headers.get("age", "0")
    told_s = float(named.get("s-maxage") or named.get("max-age") or 0)
    return max(told_s - (float(age) if age.isdecimal() else 0.0), 0.0)


def key(url: str) -> str:
    """The URL without what changes no byte."""
    parts = urlsplit(url)
    kept = "&".join(p for p in parts.query.split("&") if not p.startswith(IGNORED))
    return f"{parts.netloc}{parts.path}?{kept}"


class Shield:
    """`get` has the form of a fetch, so a player cannot tell. Counts what it did."""

    def __init__(
        self, fetch: Fetch, clock: Clock, event: Callable[[], Event], max_bytes: int = MAX_BYTES
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._fetch = fetch
        self._clock = clock
        self._event = event
        self._stored: OrderedDict[str, Stored] = OrderedDict()
        self._flights: dict[str, Event] = {}
        self._left_bytes = max_bytes

    def get(self, url: str, kind: Kind, headers: Mapping[str, str]) -> Answer:
        """Answer a viewer; its If-None-Match is honoured."""
        answer = self._current(key(url), url, kind)
        if headers.get("if-none-match", "-") == answer.headers.get("etag"):
            return Answer(304, answer.headers)
        return answer

    def _current(self, name: str, url: str, kind: Kind) -> Answer:
        stored = self._stored.get(name)
        if stored is not None and self._clock() < stored.fresh_until_s:
            self.counts["hit"] += 1
            self._stored.move_to_end(name)
            return stored.answer
        if (flight := self._flights.get(name)) is not None:
            self.counts["collapsed"] += 1
            flight.wait()
            if (landed := self._stored.get(name)) is not None:
                return landed.answer
        return self._fly(name, url, kind, stored)

    def _fly(self, name: str, url: str, kind: Kind, stored: Stored | None) -> Answer:
        flight = self._flights[name] = self._event()
        tag = stored.answer.headers.get("etag") if stored else None
        try:
            answer = self._fetch(url, kind, {"if-none-match": tag} if tag else {})
            if answer.status == 304 and stored is not None:
                self.counts["revalidated"] += 1
                answer = Answer(
                    200, {**stored.answer.headers, **answer.headers}, stored.answer.body
                )
            else:
                self.counts["miss"] += 1
            self._keep(name, answer)
            return answer
        finally:
            if self._flights.get(name) is flight:
                del self._flights[name]
            flight.set()

    def _keep(self, name: str, answer: Answer) -> None:
        old = self._stored.pop(name, None)
        self._left_bytes += len(old.answer.body) if old else 0
        self._stored[name] = Stored(answer, self._clock() + lifetime_s(answer.headers))
        self._left_bytes -= len(answer.body)
        while self._left_bytes < 0 and len(self._stored) > 1:
            _, oldest = self._stored.popitem(last=False)
            self._left_bytes += len(oldest.answer.body)
