"""All that stands around two proxy nodes: an origin, two CDNs that ask for tokens, steering, a
balancer in front of the nodes, and a page of players. The nodes are processes and may be killed.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web
from twins.ports import free_ports

import cat
from native.http import Server, serve

from .channel import Channel

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name("viewers.html")
PLAYER_FILES = {
    Path(name).name: ROOT / "node_modules" / name
    for name in (
        "hls.js/dist/hls.min.js",
        "dashjs/dist/modern/umd/dash.all.min.js",
        "shaka-player/dist/shaka-player.compiled.js",
    )
}
NODE = """
import json, sys
import cat
from manifest_proxy.server import parts
from manifest_proxy.settings import Settings
from runtime import service
asked = json.loads(sys.argv[1])
keys = cat.KeySet.from_json(asked["keys"])
sys.exit(service.run("proxy", parts(Settings(**asked["settings"]), keys, issuers=("me",))))
"""
START_S = 60
CTI = 7  # label of a token's id (RFC 8392 section 3.1.7)
TTL_S = 1
KEY = cat.generate("HS256", "town")
SIGNER = cat.KeySet.from_json([KEY]).signer()
OPEN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


def token(viewer: str, lives_s: float = 3600) -> str:
    claims = {"iss": "me", "exp": int(time.time() + lives_s), "cti": viewer.encode()}
    return cat.issue(claims, SIGNER)


class Town:
    """Ports are known before anything listens; the rest may be read and set while it runs."""

    def __init__(self, media: Path, channel: Channel, rules: Path) -> None:
        self.channel = channel
        self.asked: Counter[tuple[str, str, str]] = Counter()  # viewer, CDN, folder
        self.refused: Counter[str] = Counter()
        self.tokens: defaultdict[str, set[str]] = defaultdict(set)  # that a viewer showed
        self.order = ["CDN-A", "CDN-B"]
        ports = free_ports(7)
        self.page, self.balancer, self.origin = ports[:3]
        self.edges = dict(zip(("CDN-A", "CDN-B"), ports[3:5], strict=True))
        self.nodes = dict(zip(ports[5:], [None, None], strict=True))  # type: ignore[var-annotated]
        self._media, self._rules = media, rules
        self._verifier = cat.Verifier(cat.KeySet.from_json([KEY]), cat.Options(issuers=("me",)))
        self._server: Server | None = None
        self._loop = asyncio.new_event_loop()
        self._turn = 0

    def url(self, viewer: str, title: str = "/live/c", query: str = "") -> str:
        """The manifest that a player begins with, as the app asks for it."""
        leaf = "master.m3u8" if viewer == "hls.js" else "manifest.mpd"
        base = f"http://127.0.0.1:{self.balancer}/p/CDN-A~CDN-B{title}/{leaf}"
        return f"{base}?{query}CAT={token(viewer)}"

    # -- nodes -------------------------------------------------------------------------------------

    def start_node(self, port: int) -> None:
        settings = {
            "port": port,
            "origin_url": f"http://127.0.0.1:{self.origin}",
            "public_url": f"http://127.0.0.1:{self.balancer}",
            "steering_url": f"http://127.0.0.1:{self.page}/steer",
            "session_secret": "secret",
            "rules_file": str(self._rules),
            "pathways": [
                {"id": name, "base_url": f"http://127.0.0.1:{at}"}
                for name, at in self.edges.items()
            ],
        }
        argv = [sys.executable, "-c", NODE, json.dumps({"settings": settings, "keys": [KEY]})]
        self.nodes[port] = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT}:{ROOT}/token"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_node(self, port: int) -> None:
        """kill -9."""
        process = self.nodes[port]
        assert process is not None
        process.kill()
        process.wait()

    # -- the origin --------------------------------------------------------------------------------

    def close_origin(self) -> None:
        """Nobody listens there any more; what the CDNs hold they go on serving."""
        asyncio.run_coroutine_threadsafe(self._close_origin(), self._loop).result(START_S)

    def open_origin(self) -> None:
        asyncio.run_coroutine_threadsafe(self._open_origin(), self._loop).result(START_S)

    async def _open_origin(self) -> None:
        self._server = await serve(self.channel, host="127.0.0.1", port=self.origin)

    async def _close_origin(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.close()

    # -- what listens ------------------------------------------------------------------------------

    def edge(self, name: str) -> web.Application:
        async def media(request: web.Request) -> web.StreamResponse:
            path, query = request.path, request.query_string
            found = cat.candidates(path, query, {})
            context = cat.Context(
                uri=f"http://cdn{found.path}", now=time.time(), method="GET", ip="127.0.0.1"
            )
            verdict = self._verifier.verify_any(found.tokens, context)
            file = self._media / found.path.lstrip("/")
            if not verdict.accept or not file.is_file():
                self.refused["missing" if verdict.accept else verdict.reason] += 1
                return web.Response(status=404 if verdict.accept else 401, headers=OPEN)
            viewer = verdict.claims[CTI].decode()
            self.asked[viewer, name, file.parent.name] += 1
            self.tokens[viewer] |= {*found.tokens}
            return web.FileResponse(file, headers=OPEN)

        app = web.Application()
        app.router.add_get("/{path:.*}", media)
        return app

    def site(self) -> web.Application:
        async def page(_: web.Request) -> web.StreamResponse:
            return web.FileResponse(PAGE)

        async def script(request: web.Request) -> web.StreamResponse:
            return web.FileResponse(PLAYER_FILES[request.match_info["name"]])

        async def steer(request: web.Request) -> web.StreamResponse:
            told = {"VERSION": 1, "TTL": TTL_S, "PATHWAY-PRIORITY": self.order}
            return web.json_response(told, headers=OPEN)

        app = web.Application()
        app.router.add_get("/page/", page)
        app.router.add_get("/page/{name}", script)
        app.router.add_get("/steer/{kind}", steer)
        return app

    async def balance(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connections go to the nodes in turn; past one that does not answer."""
        self._turn += 1
        ports = [*self.nodes]
        for port in ports[self._turn % 2 :] + ports[: self._turn % 2]:
            try:
                there, back = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            await asyncio.gather(_pumped(reader, back), _pumped(there, writer))
            return
        writer.close()

    async def open(self, done: asyncio.Event, ready: threading.Event) -> None:
        await self._open_origin()
        balancer = await asyncio.start_server(self.balance, "127.0.0.1", self.balancer)
        runners = []
        for app, port in [
            (self.site(), self.page),
            *((self.edge(name), port) for name, port in self.edges.items()),
        ]:
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            runners.append(runner)
        ready.set()
        await done.wait()
        balancer.close()
        for runner in runners:
            await runner.cleanup()
        await self._close_origin()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@contextmanager
def town(media: Path, channel: Channel, rules: Path) -> Iterator[Town]:
    """Everything listens; the nodes as soon as they answer."""
    place = Town(media, channel, rules)
    done, ready = asyncio.Event(), threading.Event()
    thread = threading.Thread(
        target=place._loop.run_until_complete, args=(place.open(done, ready),)
    )
    thread.start()
    try:
        for port in place.nodes:
            place.start_node(port)
        assert ready.wait(START_S), "the town does not listen"
        yield place
    finally:
        for process in place.nodes.values():
            if process is not None:
                process.kill()
                process.wait()
        place._loop.call_soon_threadsafe(done.set)
        thread.join()
        place._loop.close()
