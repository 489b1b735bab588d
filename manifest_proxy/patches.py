"""Patches from one of our MPDs to the next, for those that rules edit (DASH-M15, dash.md P1..P6).

`{MPD}~{milliseconds of its publishTime}-{digest of its rules}.mpp`: rules as the session chose of
them. What a patch says follows from both MPDs and the rules, so every node that saw the older one
makes the same; others, and those that have other rules by now, send players to the MPD (410).
Who has the newest waits for the next, as at our origin: all who wait ask the origin as one.
"""

import asyncio

from native.mpd import SpanError
from runtime.clock import Clock
from runtime.flight import SingleFlight

from .asked import Asked
from .copies import Copies
from .errors import ManifestError
from .holes import holed, shown
from .manifest import CONTENT_TYPES, Format
from .mpd_diff import diff
from .mpd_history import published_ms
from .press import Press
from .spots import Spots
from .upstream import Upstream, Version

HOLD_S = 4.0
POLL_S = 0.25
EARLY, GONE = 425, 410


class Patches:
    def __init__(self, upstream: Upstream, press: Press, clock: Clock) -> None:
        self._upstream = upstream
        self._press = press
        self._clock = clock
        self._waits: SingleFlight[tuple[str, int], Version] = SingleFlight()

    async def copies(self, asked: Asked) -> Copies:
        """ManifestError 425 where nothing newer came, 410 where the older MPD is not known, or was
        made by other rules.
        """
        if asked.rules is None or asked.rules.digest != asked.since_rules:
            raise ManifestError("patch_gone", "the rules are others now", status=GONE)
        target, since_ms = asked.target, asked.since_ms
        version = await self._upstream.get(target)
        if published_ms(version.body) == since_ms:
            version = await self._waits.do((target, since_ms), lambda: self._next(target, since_ms))
        if since_ms >= (published_ms(version.body) or 0):
            raise ManifestError("patch_early", "there is no newer MPD", status=EARLY)
        return version.compiled_for((asked.key, since_ms), lambda: self._made(asked, version))

    async def _next(self, target: str, since_ms: int) -> Version:
        until_s = self._clock.monotonic_s() + HOLD_S
        while True:
            version = await self._upstream.get(target)
            is_same = published_ms(version.body) == since_ms
            if not is_same or self._clock.monotonic_s() >= until_s:
                return version
            await asyncio.sleep(POLL_S)

    def _made(self, asked: Asked, version: Version) -> Copies:
        old = self._press.older(asked, version)
        if old is None:
            raise ManifestError("patch_gone", "the older MPD is not known here", status=GONE)
        new = self._press.copies(asked, version, Spots()).template
        try:
            text = diff(shown(old), shown(new))
        except SpanError as error:
            raise ManifestError(error.code, error.detail) from None
        return Copies(holed(text), CONTENT_TYPES[Format.PATCH])
