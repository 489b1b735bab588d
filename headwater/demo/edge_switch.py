"""A demo edge's switch and its state page: POST /switch {"mode": "ok"|"slow"|"dead"}, GET /state,
open to the demo page.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Cache-Control": "no-store",
}


class Mode(StrEnum):
    OK = "ok"
    SLOW = "slow"
    DEAD = "dead"


@dataclass
class State:
    """What an edge did so far. `verdicts` counts by reason code, `cache` by X-Cache word."""

    name: str
    platform: str  # whose script it runs
    mode: Mode = Mode.OK
    verdicts: Counter[str] = field(default_factory=Counter)
    cache: Counter[str] = field(default_factory=Counter)
    bytes_sent: int = 0

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "platform": self.platform,
            "mode": self.mode,
            "hits": self.cache["HIT"],
            "misses": self.cache["MISS"],
            "cache": dict(self.cache),
            "verdicts": dict(self.verdicts),
            "bytes": self.bytes_sent,
        }


def application(state: State, switch: Callable[[Mode], Awaitable[None]]) -> web.Application:
    async def read(_: web.Request) -> web.Response:
        return web.json_response(state.as_json(), headers=_CORS)

    async def turn(request: web.Request) -> web.Response:
        try:
            mode = Mode((await request.json())["mode"])
        except (ValueError, KeyError, TypeError):
            modes = ", ".join(Mode)
            return web.json_response(
                {"error": "bad_mode", "detail": f"mode is one of {modes}"},
                status=400,
                headers=_CORS,
            )
        await switch(mode)
        return await read(request)

    async def preflight(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=_CORS)

    app = web.Application()
    app.router.add_get("/state", read)
    app.router.add_post("/switch", turn)
    app.router.add_options("/switch", preflight)
    return app
