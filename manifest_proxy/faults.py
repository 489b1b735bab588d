"""Segments that come late or slowly on purpose, asked of this proxy (MP-22).

`/chaos/at-{rule}/{pathway}/[s:{session}/][cat:{token}/]{path at the origin}`, as chaos writes it.
What happens is the rule's alone, so a URL means nothing where no rule set has one. A late segment
is led on to its CDN; only a slow one passes through here, from the origin, for as long and as many
at once as there are limits for.
"""

import asyncio
from collections.abc import AsyncIterator

from native.http import Answer, Entity, Refusal, Request, Stream
from runtime.fetch import Fetched, Fetcher, FetchError

from .admission import Admission, Denied, denied
from .asked import Asking, Medium
from .beside import CHAOS_PATH
from .errors import ProxyError
from .rulebook import Chaos

AT = f"{CHAOS_PATH}/at-"
MAX_SLOW = 64  # segments on their way at once
MAX_SLOW_S = 60.0  # then the rest comes faster
MAX_BYTES = 16 << 20
TIMEOUT_S = 10.0
STEP_S = 0.1
PASSED_ON = frozenset({403, 404, 410, 416})


class Faults:
    """`origin_url` is where slow segments are fetched from."""

    def __init__(self, asking: Asking, fetcher: Fetcher, origin_url: str) -> None:
        self._asking = asking
        self._fetcher = fetcher
        self._origin_url = origin_url
        self._slow = 0

    async def answer(self, request: Request, admission: Admission) -> Answer:
        rule, _, rest = request.path.removeprefix(AT).partition("/")
        try:
            medium = self._asking.medium(rest, request)
            token, _ = admission.admitted(request, medium.found, medium.path)
        except Denied as refusal:
            return denied(refusal.verdict)
        except ProxyError as error:
            return Refusal(error.status, error.code)
        rules = medium.rules.chaos if medium.rules else ()
        if not rule.isdecimal() or len(rule) > 4 or int(rule) >= len(rules):
            return Refusal(404, "not_found")
        chaos = rules[int(rule)]
        if not chaos.segment_delay_s and not chaos.throttle_bps:
            return Refusal(404, "not_found")
        await asyncio.sleep(chaos.segment_delay_s)
        if chaos.status is not None:
            return Refusal(chaos.status, "chaos")
        if chaos.throttle_bps is None:
            return _led(medium, token)
        return await self._slowed(medium, request, chaos)

    async def _slowed(self, medium: Medium, request: Request, chaos: Chaos) -> Answer:
        if self._slow >= MAX_SLOW:
            return Refusal(503, "chaos_busy")
        asked = request.header("range")
        try:
            got = await self._fetcher.get(
                self._origin_url + medium.target,
                {"Range": asked} if asked else None,
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_BYTES,
            )
        except FetchError as error:
            return Refusal(504 if error.code == "timeout" else 502, f"origin_{error.code}")
        if got.status not in (200, 206):
            return Refusal(got.status if got.status in PASSED_ON else 502, "origin_failed")
        return Stream(
            self._chunks(got, chaos.throttle_bps or 0),
            content_type=got.headers.get("content-type", "application/octet-stream"),
            cache_control="no-store",
            headers=[
                ("Content-Range", text) for text in (got.headers.get("content-range"),) if text
            ],
            status=got.status,
        )

    async def _chunks(self, got: Fetched, bps: int) -> AsyncIterator[bytes]:
        step = chunk_bytes(len(got.body), bps)
        self._slow += 1
        try:
            for at in range(0, len(got.body), step):
                yield got.body[at : at + step]
                await asyncio.sleep(STEP_S)
        finally:
            self._slow -= 1


def chunk_bytes(size: int, bps: int) -> int:
    """How many bytes of a segment go each STEP_S, for all to have gone in MAX_SLOW_S."""
    steps = int(MAX_SLOW_S / STEP_S)
    return max(1, int(bps / 8 * STEP_S), -(-size // steps))


def _led(medium: Medium, token: str) -> Answer:
    """To the CDN, with the token where the rules want it."""
    rules, url, query = medium.rules, medium.pathway.base_url, medium.found.query
    if token and (rules is None or rules.carrier == "path"):
        url += f"/cat:{token}"
    elif token:
        query = f"{query}&CAT={token}" if query else f"CAT={token}"
    place = f"{url}{medium.path}?{query}" if query else f"{url}{medium.path}"
    return Entity(
        b"",
        content_type="text/plain",
        cache_control="no-store",
        headers=[("Location", place)],
        status=302,
        ranges=False,
    )
