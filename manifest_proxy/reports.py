"""What players tell of themselves with requests for manifests, handed to the router in batches.

A set in headers or query becomes a record of the event `rr`, a response received, with the URL as
it was asked of the origin: no token, no query. Sets of version 1 pass as they are. Reports never
reach the origin, its cache or a child's URL, and no answer waits for them: what the router does not
take is dropped and counted.
Source: manifest-proxy MP-26; CTA-5004-B sections 3 and 4; CM-3, CM-10..CM-14, CM-20, CM-31, CM-33.
"""

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from urllib.parse import unquote

from runtime import metrics
from runtime.clock import Clock
from runtime.fetch import Fetcher, FetchError
from runtime.service import Background

HEADERS = ("cmcd-request", "cmcd-object", "cmcd-status", "cmcd-session")  # CM-10
PARAMETER = "CMCD="  # CM-11
MAX_CHARS = 4096  # of a set
MAX_WAITING = 10_000
BATCH = 500  # records
PAUSE_S = 1.0
VERSION = re.compile(r"(?:^|,) *v=([0-9]{1,9}) *(?:,|$)")
PLAIN = re.compile(r"[ -~]+")
OF_EVENTS = re.compile(r"(?:^|,) *(?:e|ts|url|rc)=")

REPORTS = metrics.counter("proxy_cmcd_records", "CMCD sets of manifest requests", ("fate",))


def told(query: str, headers: Mapping[str, str]) -> str:
    """The set that came with a request, headers before query (CM-13); nothing when there is none,
    or none that fits on a line.
    """
    found = ",".join(filter(None, (headers.get(name, "") for name in HEADERS)))
    if not found and PARAMETER in query:
        pair = next((pair for pair in query.split("&") if pair.startswith(PARAMETER)), "")
        found = unquote(pair.removeprefix(PARAMETER))
    return found if len(found) <= MAX_CHARS and PLAIN.fullmatch(found) else ""


def record(text: str, url: str, now_ms: int) -> bytes:
    """The line of a batch; a set that names an event or a later version passes as it is, for the
    router to judge.
    """
    version = VERSION.search(text)
    if version is None or version[1] != "2" or OF_EVENTS.search(text):
        return text.encode()
    return f'{text},e=rr,rc=200,ts={now_ms},url="{url}"'.encode()


class Reports(Background):
    """A part: takes sets from requests, and posts them to the router's intake."""

    outlives = (Exception,)  # reports are evidence, not accounts

    def __init__(self, url: str, fetcher: Fetcher, clock: Clock) -> None:
        super().__init__("proxy-reports", self._post)
        self._url = url
        self._fetcher = fetcher
        self._clock = clock
        self._waiting: deque[bytes] = deque()

    def take(self, query: str, headers: Mapping[str, str], url: str) -> None:
        """Note what came with a request for `url`."""
        text = told(query, headers)
        if not text:
            return
        if len(self._waiting) >= MAX_WAITING:
            REPORTS.labels("crowded").inc()
            return
        self._waiting.append(record(text, url, self._clock.now_ms()))

    async def _post(self) -> None:
        while True:
            if len(self._waiting) < BATCH:
                await asyncio.sleep(PAUSE_S)
            size = min(len(self._waiting), BATCH)
            if size:
                await self._sent([self._waiting.popleft() for _ in range(size)])

    async def _sent(self, batch: list[bytes]) -> None:
        kind = {"Content-Type": "application/cmcd"}
        try:
            answer = await self._fetcher.post(self._url, b"\n".join(batch), kind)
            fate = "sent" if answer.status == 204 else "refused"
        except FetchError:
            fate = "lost"
        REPORTS.labels(fate).inc(len(batch))
