"""Segments that come late or slowly on purpose (MP-22).

What happens is the rule's alone, so a URL means nothing where no rule set has one. A late segment
is led on to its CDN; only a slow one passes through here, from the origin, for as long and as many
at once as there are limits for.
"""

import asyncio
from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from weakref import finalize

from native.http import Answer, Refusal, Stream
from runtime.fetch import Fetched, Fetcher, FetchError

from .asked import Medium
from .manifest import Format, format_of
from .rulebook import Chaos
from .variants import led

MAX_SLOW = 64  # segments on their way at once
MAX_SLOW_S = 60.0  # then the rest comes faster
MAX_BYTES = 16 << 20
TIMEOUT_S = 10.0
STEP_S = 0.1
PASSED_ON = frozenset({403, 404, 410, 416})


class Faults:
    """`origin_url` is where slow segments are fetched from."""

    def __init__(self, fetcher: Fetcher, origin_url: str) -> None:
        self._fetcher = fetcher
        self._origin_url = origin_url
        self._slow = 0

    async def answer(self, rule: str, medium: Medium, token: str, span: str | None) -> Answer:
        """The segment under the rule of that number; `span` is the Range that is asked for."""
        rules = medium.rules.chaos if medium.rules else ()
        if not rule.isdecimal() or len(rule) > 4 or int(rule) >= len(rules):
            return Refusal(404, "not_found")
        chaos = rules[int(rule)]
        hits = chaos.segment_delay_s or chaos.throttle_bps
        if not hits or not reaches(chaos, medium.found.path):
            return Refusal(404, "not_found")
        await asyncio.sleep(chaos.segment_delay_s)
        if chaos.status is not None:
            return Refusal(chaos.status, "chaos")
        if chaos.throttle_bps is None:
            return led(medium, token, medium.path)
        return await self._slowed(medium, span, chaos)

    async def _slowed(self, medium: Medium, span: str | None, chaos: Chaos) -> Answer:
        """One of MAX_SLOW from here on: until it fails, or nobody holds its chunks any more."""
        if self._slow >= MAX_SLOW:
            return Refusal(503, "chaos_busy")
        self._slow += 1
        answer: Answer | None = None
        try:
            answer = await self._fetched(medium, span, chaos)
        finally:
            if isinstance(answer, Stream):
                finalize(answer.chunks, self._passed)
            else:
                self._passed()
        return answer

    def _passed(self) -> None:
        self._slow -= 1

    async def _fetched(self, medium: Medium, span: str | None, chaos: Chaos) -> Answer:
        try:
            got = await self._fetcher.get(
                self._origin_url + medium.target,
                {"Range": span} if span else None,
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_BYTES,
            )
        except FetchError as error:
            return Refusal(504 if error.code == "timeout" else 502, f"origin_{error.code}")
        if got.status not in (200, 206):
            return Refusal(got.status if got.status in PASSED_ON else 502, "origin_failed")
        return Stream(
            _chunks(got, chaos.throttle_bps or 0),
            content_type=got.headers.get("content-type", "application/octet-stream"),
            cache_control="no-store",
            headers=[
                ("Content-Range", text) for text in (got.headers.get("content-range"),) if text
            ],
            status=got.status,
        )


async def _chunks(got: Fetched, bps: int) -> AsyncIterator[bytes]:
    step = chunk_bytes(len(got.body), bps)
    for at in range(0, len(got.body), step):
        yield got.body[at : at + step]
        await asyncio.sleep(STEP_S)


def reaches(chaos: Chaos, path: str) -> bool:
    """Whether a segment may be of what a rule covers: it is covered itself, or stands below the
    folder of playlists in HLS that are.
    """
    named = (one for one in chaos.playlists if format_of(one) is Format.HLS)
    folders = (f"{one.rpartition('/')[0]}/*" for one in named)
    return chaos.covers(path) or any(fnmatchcase(path, folder) for folder in folders)


def chunk_bytes(size: int, bps: int) -> int:
    """How many bytes of a segment go each STEP_S, for all to have gone in MAX_SLOW_S."""
    steps = int(MAX_SLOW_S / STEP_S)
    return max(1, int(bps / 8 * STEP_S), -(-size // steps))
