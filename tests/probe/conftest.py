"""A world that can be broken, and a server for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from probe.world import Film, World, film

VIDEO = [
    *("-f", "lavfi", "-i", "testsrc2=s=128x72:r=25", "-c:v", "libx264", "-preset", "ultrafast"),
    *("-bf", "1", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0", "-pix_fmt", "yuv420p"),
]
AUDIO = ["-f", "lavfi", "-i", "sine=r=48000", "-c:a", "libopus", "-b:a", "64k"]


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Film]:
    folder: Path = tmp_path_factory.mktemp("films")
    picture, sound = film(folder, "v", VIDEO), film(folder, "a", AUDIO)
    return {"v1": picture, "v2": picture, "a1": sound}


@pytest.fixture
def world(films: dict[str, Film]) -> World:
    return World(films)


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", world.handle)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/"))
    await server.close()
