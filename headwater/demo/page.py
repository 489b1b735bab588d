"""The demo page at `/`: its files, its story as server-sent events, its switches, its drawer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from jinja2 import Environment, FileSystemLoader, select_autoescape

from cat import cose, plain, tables, text
from headwater.assets import Assets
from headwater.demo.story import Story

HERE = Path(__file__).resolve().parent
MODES = ("ok", "slow", "dead")
TIMEOUT = ClientTimeout(total=3)
TABS = (
    ("start", "Playback start"),
    ("token", "Token"),
    ("before", "Manifest at the origin"),
    ("after", "Manifest through the proxy"),
    ("steering", "Steering"),
)
# Name on the page -> file below the installed packages; the rest stands in static/.
PLAYER_FILES = {
    "hls.js": "hls.js/dist/hls.min.js",
    "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
    "shaka.js": "shaka-player/dist/shaka-player.compiled.js",
}


@dataclass(frozen=True)
class Setup:
    """What the page is told; see templates/demo.html."""

    user: str
    password: str
    live: str  # the content that bears the burned-in clock
    contents: Sequence[Mapping[str, Any]]
    edges: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Around:
    """URLs that the page's helpers may ask: the origin, the router, the edges' admin listeners."""

    origin: str
    proxy: str
    router: str
    edges: Mapping[str, str]


class Page:
    def __init__(self, setup: Setup, around: Around, story: Story, assets_dir: Path) -> None:
        self._around = around
        self._story = story
        players = {name: assets_dir / path for name, path in PLAYER_FILES.items()}
        self._assets = Assets("/assets", HERE / "static", players)
        jinja = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=select_autoescape()
        )
        self._html = jinja.get_template("demo.html").render(
            setup=setup.__dict__, tabs=TABS, asset=self._assets.url
        )

    def mount(self, app: web.Application) -> None:
        """Add the page's routes to the control API's application."""
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/demo/story", self._tell),
                web.post("/demo/edges/{name}", self._switch),
                web.post("/demo/show", self._show),
            ]
        )
        self._assets.mount(app)

    async def _index(self, _: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache"}
        return web.Response(text=self._html, content_type="text/html", headers=headers)

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        seen = None
        while True:
            seen = await self._story.next(seen)
            await response.write(f"data: {seen}\n\n".encode())

    async def _switch(self, request: web.Request) -> web.Response:
        admin = self._around.edges.get(request.match_info["name"])
        mode = (await request.json()).get("mode")
        if admin is None or mode not in MODES:
            raise web.HTTPNotFound
        async with (
            ClientSession(timeout=TIMEOUT) as session,
            session.post(f"{admin}/switch", json={"mode": mode}) as answer,
        ):
            return web.json_response(await answer.json(), status=answer.status)

    async def _show(self, request: web.Request) -> web.Response:
        """The token's claims and the manifest on both sides of the proxy, for the drawer."""
        url = str((await request.json())["manifest_url"])
        if not url.startswith(f"{self._around.proxy}/p/"):
            raise web.HTTPNotFound
        path = urlsplit(url).path.split("/", 3)[3]
        token = parse_qs(urlsplit(url).query)["CAT"][0]
        protocol = "hls" if path.endswith(".m3u8") else "dash"
        async with ClientSession(timeout=TIMEOUT) as session:
            before, after, steering = await asyncio.gather(
                _get(session, f"{self._around.origin}/{path}"),
                _get(session, url),
                _get(session, f"{self._around.router}/steer/{protocol}"),
            )
        return web.json_response(
            {"token": _claims(token), "before": before, "after": after, "steering": steering}
        )


def _claims(token: str) -> dict[str, object]:
    """What the token says, label by label; its seal is the edges' business."""
    envelope = cose.parse(text.token_bytes(text.normal_text(token)))
    return plain.to_plain(envelope.claims, tables.PROFILES["cta"])


async def _get(session: ClientSession, url: str) -> str:
    try:
        async with session.get(url) as answer:
            return await answer.text()
    except (ClientError, TimeoutError) as error:
        return f"no answer: {type(error).__name__}"
