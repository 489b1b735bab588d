"""The origin's content keys behind the control API's door: who asks meets what is asked for.

The two never import one another, so their meeting is here. Keys are looked up in the sealed key
file, which is opened when first asked for (specs/protection.md PR-53, PR-120..PR-122).
"""

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from aiohttp import web

import origin.settings
from control_api.licences import Gate
from origin.live.holds import Holds
from origin.protection.keyfile import KeyFile
from origin.protection.keys import ContentKey
from origin.protection.licence import Verdict, routes

OVERLAP_S = 60  # PR-53


class Keys:
    """The keys of one data folder, as far as they may be given out now."""

    def __init__(
        self,
        settings: origin.settings.Settings,
        data_dir: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._clock = clock
        self._file: KeyFile | None = None
        live = {n: c.protection for n, c in settings.channels.items() if c.protection is not None}
        self._channels = {asked.content_id or name: name for name, asked in live.items()}
        self._holds = Holds(data_dir / "origin" / "holds", settings.range_s)
        self._overlap_s = max((asked.overlap_s for asked in live.values()), default=OVERLAP_S)

    def find(self, kid: bytes) -> ContentKey | None:
        """The key, or None. ProtectionError when the file cannot be opened."""
        if self._file is None:
            self._file = KeyFile.open(self._settings.protection, self._data_dir)
        return self._file.by_kid(kid)

    def current(self, key: ContentKey) -> bool:
        """Whether its period is near, from before it begins until all of it has left the window, or
        a recording holds media of it (PR-53, PR-54).
        """
        if not key.period or self._file is None:
            return True
        now_s = self._clock()
        ends = self._file.vault().next_period(key)
        if now_s < key.period - self._overlap_s:
            return False
        if ends is None or now_s < ends + self._settings.keep_s + self._overlap_s:
            return True
        return self._holds.keeps(self._channel(key), Fraction(key.period), Fraction(ends))

    def paths(self, key: ContentKey) -> tuple[str, ...]:
        """Where the origin serves what a key is for: a film, or the channel that names its id."""
        return f"/vod/{key.content_id}/", f"/live/{self._channel(key)}/"

    def _channel(self, key: ContentKey) -> str:
        return self._channels.get(key.content_id, key.content_id)


def key_routes(keys: Keys) -> Callable[[Gate], Sequence[web.RouteDef]]:
    """ClearKey licences and key URLs, for whom the gate lets pass."""

    def mounted(gate: Gate) -> Sequence[web.RouteDef]:
        async def allow(request: web.Request, key: ContentKey) -> Verdict:
            word = await gate.judge(request, lambda path: path in keys.paths(key))
            return "not_authorized" if word == "ok" and not keys.current(key) else word

        return routes(keys.find, allow)

    return mounted
