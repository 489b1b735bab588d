"""Files of pages, held in memory and served below a path that has the hash of them all, so that
browsers may keep them for ever.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css"}
SHARED = Path(__file__).resolve().parent / "static"  # what all pages look like


class Assets:
    """Those of `folder`, the shared ones, and `others` by name; all at `root`."""

    def __init__(self, root: str, folder: Path, others: Mapping[str, Path]) -> None:
        files = {path.name: path for each in (SHARED, folder) for path in each.iterdir()}
        self._bodies = {name: path.read_bytes() for name, path in {**files, **others}.items()}
        self._version = hashlib.sha256(b"".join(self._bodies.values())).hexdigest()[:12]
        self._root = root

    def url(self, name: str) -> str:
        """Where a page finds one."""
        return f"{self._root}/{self._version}/{name}"

    def mount(self, app: web.Application) -> None:
        """Add their route; another version than ours is not there."""
        app.router.add_get(f"{self._root}/{{version}}/{{name}}", self._serve)

    async def _serve(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = self._bodies.get(name)
        if body is None or request.match_info["version"] != self._version:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(
            body=body, content_type=CONTENT_TYPES[Path(name).suffix], headers=headers
        )
