"""`--workers N`: one service as several processes behind the same ports.

Rules
1. Workers share the service's ports (SO_REUSEPORT: the kernel spreads connections, HT-145); the
   process that supervises them opens only the admin port.
2. Each worker answers /healthz, /readyz and /metrics on a Unix socket of its own. The admin port
   collects: ready when every worker is, and every sample with a label `worker`. A service without
   an admin port of its own gets one at its port + 100.
3. The first worker is ready before the others start, so that schema and keys are made once. A
   worker that dies is started again, the others go on.
"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import cdn_router.settings
import control_api.settings
import manifest_proxy.settings
import origin.settings
from headwater.process import command
from headwater.services import section
from headwater.settings import effective
from headwater.supervisor import Child, Supervisor
from runtime import logs
from runtime.metrics import CONTENT_TYPE
from runtime.sections import Log
from runtime.settings import Loaded, SettingsError
from runtime.web import Web

ADMIN_OFFSET = 100  # CONTRACT: Ports
ASK_S = 2.0
STATE_KEY = "HEADWATER_ROUTER__STATE_KEY"


def run(name: str, count: int, config: Path | None, data: Path | None) -> int:
    """Run `count` workers to their end; the exit code."""
    loaded = effective(config, data)
    host, port = admin_address(name, loaded)
    logs.setup(name, section(loaded, "log", Log).level)
    if (
        name == "router"
        and not loaded.values["router"].model_dump()["state_key"].get_secret_value()
    ):
        os.environ[STATE_KEY] = secrets.token_urlsafe(32)  # what one worker signs, the others read
    with tempfile.TemporaryDirectory(prefix="headwater-") as folder:
        sockets = [Path(folder) / f"{index}.sock" for index in range(count)]
        children = [
            Child(
                f"{name} {socket.stem}",
                partial(_launch, command(name, config, data, "--worker", str(socket))),
                "http://worker/readyz",
                socket,
                alone=socket is sockets[0],
            )
            for socket in sockets
        ]
        return asyncio.run(_supervise(name, children, Crew(sockets), host, port))


def admin_address(name: str, loaded: Loaded) -> tuple[str, int]:
    """Host and port of the collected admin routes; SettingsError when a port cannot be shared."""
    if name == "origin":
        origin_settings = section(loaded, "origin", origin.settings.Settings)
        return origin_settings.host, origin_settings.admin_port
    if name == "proxy":
        proxy = section(loaded, "proxy", manifest_proxy.settings.Settings)
        return proxy.host, proxy.admin_port
    router = section(loaded, "router", cdn_router.settings.Settings)
    control = section(loaded, "control", control_api.settings.Settings)
    shared = router if name == "router" else control
    if not shared.port:
        raise SettingsError(f"{name}.port: several workers need a fixed port to share")
    return shared.host, shared.port + ADMIN_OFFSET


class Crew:
    """The workers as the admin port sees them."""

    def __init__(self, sockets: Sequence[Path]) -> None:
        self._sockets = sockets

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        answers = await self._ask("/readyz")
        ready = {worker: status == 200 for worker, (status, _) in answers.items()}
        body = {"ready": all(ready.values()), "workers": ready}
        return web.json_response(body, status=200 if body["ready"] else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        answers = await self._ask("/metrics")
        texts = {worker: text for worker, (status, text) in answers.items() if status == 200}
        return web.Response(body=merged(texts), headers={"Content-Type": CONTENT_TYPE})

    async def _ask(self, path: str) -> dict[str, tuple[int, str]]:
        """Status and text by worker; 0 from one that does not answer."""
        answers = await asyncio.gather(*(_get(socket, path) for socket in self._sockets))
        return {socket.stem: answer for socket, answer in zip(self._sockets, answers, strict=True)}


class _Collected:
    """Metrics in the shape that prometheus-client writes."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def merged(texts: Mapping[str, str]) -> bytes:
    """The workers' metrics in one text, each sample with its worker as a label."""
    families: dict[str, Metric] = {}
    for worker, text in texts.items():
        for family in text_string_to_metric_families(text):
            whole = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            whole.samples += [
                sample._replace(labels={**sample.labels, "worker": worker})
                for sample in family.samples
            ]
    return generate_latest(_Collected(families.values()))


async def _get(socket: Path, path: str) -> tuple[int, str]:
    limit = aiohttp.ClientTimeout(total=ASK_S)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.get(f"http://worker{path}", timeout=limit) as answer,
        ):
            return answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return 0, ""


async def _supervise(name: str, children: Sequence[Child], crew: Crew, host: str, port: int) -> int:
    admin = Web("admin", crew.application(), host=host, port=port)
    await admin.start()
    try:
        return await Supervisor(children, None).run(lambda: None)
    finally:
        await admin.stop()


def _launch(argv: Sequence[str]) -> tuple[float, Sequence[str]]:
    return 0.0, argv
