"""The clips that stand in a manifest: a bumper before it, a slate in for a source that is silent.

Source: manifest-proxy MP-18, MP-20, MP-46; HLS-M8..M16.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from native.hls import PlaylistError
from native.mpd import SpanError
from runtime.clock import Clock

from .asked import Asked
from .errors import ProxyError, UpstreamError
from .hls_join import first_playlist, place_to_join
from .ledger import Ledger
from .manifest import Format, Spot, told_by
from .mpd_join import place_to_join_mpd
from .upstream import Upstream, Version
from .urls import Origin

PLACES = {Format.HLS: place_to_join, Format.DASH: place_to_join_mpd}
FOREVER_S = float("inf")

Get = Callable[[str], Awaitable[Version]]


class Spots(NamedTuple):
    bumper: Spot | None = None
    slate: Spot | None = None

    def joined(self, joined_ms: int) -> "Spots":
        """The same for a viewer who joined there."""
        return self._replace(bumper=self.bumper and self.bumper._replace(joined_ms=joined_ms))


class Clips:
    """Finds them, and what is known of the source."""

    def __init__(self, upstream: Upstream, origin: Origin, ledger: Ledger, clock: Clock) -> None:
        self._upstream = upstream
        self._origin = origin
        self._ledger = ledger
        self._clock = clock

    async def manifest(self, asked: Asked) -> Version:
        """What the origin has; where a slate may stand in and it is down, what this node or another
        saw last.
        """
        return await (self._kept if asked.silence[0] else self._upstream.get)(asked.target)

    async def spots(self, asked: Asked, version: Version) -> tuple[Spots, float]:
        """The clips of a viewer's copy, and for how many seconds they stay these."""
        bumper, left_s = await self._clip(self._upstream.get, *asked.clip)
        slate, silent_s = await self._stand_in(asked, version)
        return Spots(bumper, slate).joined(asked.chosen.joined_ms), min(left_s, silent_s)

    async def place(self, asked: Asked, version: Version) -> int | None:
        """Milliseconds since 1970 of the media that a viewer who comes now begins with; None where
        nothing is live.
        """
        try:
            body = version.body
            if asked.kind is Format.HLS:
                path = self._origin.public_path(version.url.join(first_playlist(body)))
                if path is None:
                    return None
                body = (await self._upstream.get(path.decode("latin-1"))).body
            return PLACES[asked.kind](body)
        except (ProxyError, PlaylistError, SpanError):
            return None  # what is wrong shows when it is compiled

    async def _kept(self, target: str) -> Version:
        try:
            version = await self._upstream.get(target)
        except UpstreamError as error:
            if error.status < 500:
                raise
            if (held := self._upstream.last(target)) is not None:
                return held
            if (body := await self._ledger.last(target)) is None:
                raise
            return self._upstream.adopt(target, body)
        if self._upstream.last(target) is version:  # else it was purged on its way
            self._ledger.keep(target, version.body)
        return version

    async def _stand_in(self, asked: Asked, version: Version) -> tuple[Spot | None, float]:
        """The slate for one live manifest, with the numbers that it has taken by now."""
        channel, target, reference = asked.silence
        if not channel or asked.rules is None or asked.rules.slate is None:
            return None, FOREVER_S
        try:
            clip, left_s = await self._clip(self._kept, target, reference)
        except UpstreamError:
            clip, left_s = None, 0.0
        try:
            facts, loop = told_by(asked.kind, version.body, clip and clip.body)
        except (ProxyError, PlaylistError, SpanError):
            return clip, left_s  # what is wrong shows when it is compiled
        if clip is None or facts is None or not loop:
            return Spot(b"", version.url), left_s
        patience = asked.rules.slate.after_targets or 0
        shown = await self._ledger.look(channel, facts, patience, loop)
        until_s = FOREVER_S
        if (next_ms := shown.next_ms) is not None:
            until_s = (next_ms - self._clock.now_ms()) / 1000
        return clip._replace(shown=shown), min(left_s, until_s)

    async def _clip(self, get: Get, target: str, reference: str) -> tuple[Spot | None, float]:
        """The clip for one rendition; its reference where it lacks that one (HLS-M16)."""
        if not target:
            return None, FOREVER_S
        try:
            version, is_reference = await get(target), False
        except UpstreamError as error:
            if error.status != 404 or not reference:
                raise
            version, is_reference = await get(reference), True
        left_s = version.until_s - self._clock.monotonic_s()
        return Spot(version.body, version.url, is_reference), left_s
