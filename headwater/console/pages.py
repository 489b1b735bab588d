"""The console's pages: a shell with one page each; their numbers come from the API and the router.

Pages hold no data: who is not signed in sees the door.
"""

from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, select_autoescape

from headwater.assets import Assets
from headwater.console.readings import WAITS_S

HERE = Path(__file__).resolve().parent
PLAYER = "hls.js/dist/hls.min.js"


class Page(NamedTuple):
    """`open` without sign-in: what it shows is anybody's, or the router's to guard."""

    name: str
    title: str
    open: bool = False


PAGES = (
    Page("overview", "Overview"),
    Page("channels", "Channels"),
    Page("titles", "Titles"),
    Page("guide", "Guide"),
    Page("recordings", "Recordings"),
    Page("sessions", "Sessions"),
    Page("tokens", "Tokens"),
    Page("events", "Events"),
    Page("settings", "Settings"),
    Page("router", "Router", open=True),
    Page("status", "Status", open=True),
    Page("docs", "API", open=True),
    Page("jobs", "Jobs"),
    Page("webhooks", "Webhooks"),
)


class Console:
    """`router_url` and `delivery_port` are where the reader's browser reaches router and origin."""

    def __init__(self, router_url: str, delivery_port: int, assets_dir: Path) -> None:
        player = assets_dir / PLAYER  # without it there is no preview
        others = {"hls.js": player} if player.exists() else {}
        self._assets = Assets("/console", HERE / "static", others)
        jinja = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=select_autoescape()
        )
        self._pages = {
            f"/{page.name}": jinja.get_template(f"{page.name}.html").render(
                page=page,
                pages=PAGES,
                router_url=router_url,
                delivery_port=delivery_port,
                late_s=WAITS_S,
                asset=self._assets.url,
            )
            for page in PAGES
        }

    def mount(self, app: web.Application, *, at_root: bool = False) -> None:
        """Add the pages to the control API's application; `at_root` sends `/` to the first."""
        if at_root:
            app.router.add_get("/", self._lead)
        for path in self._pages:
            app.router.add_get(path, self._show)
        self._assets.mount(app)

    async def _lead(self, _: web.Request) -> web.Response:
        raise web.HTTPFound(f"/{PAGES[0].name}")

    async def _show(self, request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"}
        page = self._pages[request.path]
        return web.Response(text=page, content_type="text/html", headers=headers)
