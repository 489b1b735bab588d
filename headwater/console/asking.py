"""Operations of the console over the services around it: rows of the API's own route table, so that
sign-in, problems and the OpenAPI document are the API's.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

from aiohttp import ClientSession, ClientTimeout

from control_api.calls import Call
from control_api.outbox.handlers import backlog
from control_api.outbox.types import Backlog
from control_api.problems import Problem
from control_api.route import ADMIN, Route
from headwater.console import hearing, readings
from headwater.console.status import Watch
from headwater.probe.playlist import NotAPlaylist, parse
from runtime.settings import Loaded
from runtime.sql import SqlError

TIMEOUT = ClientTimeout(total=2)


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
        self._watch = Watch(around.ready)
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
            *self._watch.routes(),
        )

    async def overview(self, call: Call[None]) -> readings.Overview:
        """Is anything wrong: services, channels, breakers, events."""
        around = self._around
        async with ClientSession(timeout=TIMEOUT) as session:
            events, exposition, screen, *ready = await asyncio.gather(
                _backlog(call),
                hearing.text(session, f"{around.origin_admin}/metrics"),
                hearing.document(session, f"{around.router}/v1/screen"),
                *(
                    hearing.document(session, f"{url}/readyz", any_status=True)
                    for url in around.ready.values()
                ),
            )
        services = [
            readings.service(name, said) for name, said in zip(around.ready, ready, strict=True)
        ]
        return readings.overview(call.now_ms / 1_000, services, exposition, screen, events)

    async def settings(self, _: Call[None]) -> readings.Settings:
        """What this process was started with, and who said so; secrets are masked."""
        return self._settings

    async def live(self, call: Call[None]) -> readings.Live:
        """A channel of the origin, by its slug: window, tracks, gaps, encoders."""
        name, around = call.path["id"], self._around
        url = f"{around.origin}/live/{name}/master.m3u8"
        async with ClientSession(timeout=TIMEOUT) as session:
            text, sources = await asyncio.gather(
                hearing.text(session, url),
                hearing.document(session, f"{around.ingest}/ingest/{name}"),
            )
            try:
                if text is None:
                    raise Problem("content_not_found")
                master = parse(url, text.encode())
                if not master.variants:
                    raise Problem("content_not_found")
                first = urljoin(url, master.variants[0][1])
                media = await hearing.text(session, first)
                if media is None:
                    raise Problem("content_not_found")
                return readings.live(name, master, parse(first, media.encode()), sources)
            except NotAPlaylist:
                raise Problem("content_not_found") from None


async def _backlog(call: Call[None]) -> Backlog | None:
    """None when the database does not answer: then the control API says so itself."""
    try:
        return await backlog(call)
    except SqlError:
        return None
