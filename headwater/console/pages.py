"""The router's page: a file and one substitution; its numbers come from the router itself."""

from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, select_autoescape

HERE = Path(__file__).resolve().parent


class RouterPage:
    """`router_url` is where the reader's browser reaches the router."""

    def __init__(self, router_url: str) -> None:
        jinja = Environment(loader=FileSystemLoader(HERE), autoescape=select_autoescape())
        self._html = jinja.get_template("router.html").render(router_url=router_url)

    def mount(self, app: web.Application) -> None:
        """Add the page to the control API's application."""
        app.router.add_get("/router", self._show)

    async def _show(self, _: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache"}
        return web.Response(text=self._html, content_type="text/html", headers=headers)
