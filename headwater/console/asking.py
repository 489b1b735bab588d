"""Operations of the console over the services around it: rows of the API's own route table, so that
sign-in, problems and the OpenAPI document are the API's.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from aiohttp import ClientError, ClientSession, ClientTimeout

from control_api.calls import Call
from control_api.problems import Problem
from control_api.route import ADMIN, Route
from headwater.console import readings
from headwater.probe.playlist import NotAPlaylist, parse
from runtime.settings import Loaded

TIMEOUT = ClientTimeout(total=2)
MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Around:
    """URLs without a slash at the end; `ready` maps a service's name to where its /readyz is."""

    ready: Mapping[str, str]
    origin_admin: str
    origin: str
    ingest: str
    router: str


class Asking:
    def __init__(self, around: Around, settings: Loaded) -> None:
        self._around = around
        self._settings = readings.settings(settings.masked(), settings.where)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/v1/admin/overview", self.overview, readings.Overview, scope=ADMIN),
            Route("GET", "/v1/admin/settings", self.settings, readings.Settings, scope=ADMIN),
            Route(
                "GET",
                "/v1/admin/live/{id}",
                self.live,
                readings.Live,
                ("content_not_found",),
                scope=ADMIN,
            ),
        )

    async def overview(self, call: Call[None]) -> readings.Overview:
        """Is anything wrong: services, channels, breakers."""
        around = self._around
        async with ClientSession(timeout=TIMEOUT) as session:
            exposition, screen, *ready = await asyncio.gather(
                _text(session, f"{around.origin_admin}/metrics"),
                _json(session, f"{around.router}/v1/screen"),
                *(
                    _json(session, f"{url}/readyz", any_status=True)
                    for url in around.ready.values()
                ),
            )
        services = [
            readings.service(name, said) for name, said in zip(around.ready, ready, strict=True)
        ]
        return readings.overview(call.now_ms / 1_000, services, exposition, screen)

    async def settings(self, _: Call[None]) -> readings.Settings:
        """What this process was started with, and who said so; secrets are masked."""
        return self._settings

    async def live(self, call: Call[None]) -> readings.Live:
        """A channel of the origin, by its slug: window, tracks, gaps, encoders."""
        name, around = call.path["id"], self._around
        url = f"{around.origin}/live/{name}/master.m3u8"
        async with ClientSession(timeout=TIMEOUT) as session:
            text, sources = await asyncio.gather(
                _text(session, url), _json(session, f"{around.ingest}/ingest/{name}")
            )
            try:
                if text is None:
                    raise Problem("content_not_found")
                master = parse(url, text.encode())
                if not master.variants:
                    raise Problem("content_not_found")
                first = urljoin(url, master.variants[0][1])
                media = await _text(session, first)
                if media is None:
                    raise Problem("content_not_found")
                return readings.live(name, master, parse(first, media.encode()), sources)
            except NotAPlaylist:
                raise Problem("content_not_found") from None


async def _text(session: ClientSession, url: str, *, any_status: bool = False) -> str | None:
    """The body of a 200 up to a limit; None for silence and all else."""
    try:
        async with session.get(url) as answer:
            if answer.status != 200 and not any_status:
                return None
            body = await answer.content.read(MAX_BYTES)
            while len(body) < MAX_BYTES and (more := await answer.content.read(MAX_BYTES)):
                body += more
            return body[:MAX_BYTES].decode("utf-8", "replace")
    except (ClientError, TimeoutError):
        return None


async def _json(
    session: ClientSession, url: str, *, any_status: bool = False
) -> dict[str, Any] | None:
    """The same as an object; `any_status` for /readyz, which says why with a 503."""
    text = await _text(session, url, any_status=any_status)
    try:
        found = json.loads(text) if text is not None else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
