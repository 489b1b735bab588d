"""ClearKey licences per second of one core, in process and over HTTP (specs/protection.md PR-122).

    python -m bench.bench_licence --json

Each request names two keys and carries a content token; its session is known for two seconds, so
that rights are read from the database half a time a second. `in_process` is the work alone, `http`
the whole control API under wrk.
"""

import asyncio
import base64
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import origin.settings
from bench import harness
from control_api import server
from control_api.content_tokens import HEADER
from control_api.licences import Gate
from control_api.sessions import Clockwork
from control_api.settings import Settings
from headwater.licences import Keys, key_routes
from origin.protection import clearkey
from origin.protection.keyfile import KeyFile
from runtime.sql import Database

LOAD_S = 4
CONNECTIONS = 16
USER = {"grant_type": "password", "username": "demo@headwater.example"}
POST = "wrk.method = 'POST'\nwrk.body = '{body}'\nwrk.headers['{header}'] = '{token}'\n"


class Asked(dict[Any, Any]):
    """What the gate looks at of a request."""


def body_of(data_dir: Path) -> bytes:
    with KeyFile.open(
        origin.settings.Settings().protection, data_dir, create=True
    ).change() as vault:
        keys = vault.ensure("film", "cbcs", ["audio", "sd"], os.urandom)
    kids = [base64.urlsafe_b64encode(key.kid).rstrip(b"=").decode() for key in keys]
    return json.dumps({"kids": kids}).encode()


async def serve(port: int, data_dir: Path) -> None:
    """The control API with content keys, until the process is ended."""
    async with AsyncExitStack() as stack:
        await opened(stack, port, data_dir)
        await asyncio.Event().wait()


async def opened(stack: AsyncExitStack, port: int, data_dir: Path) -> tuple[Database, Settings]:
    settings = Settings(port=port, host="127.0.0.1")
    database = await stack.enter_async_context(
        Database(f"sqlite:///{data_dir / 'control.sqlite'}", timeout_ms=10_000)
    )
    parts = server.parts(
        settings,
        database=database,
        folder=data_dir,
        token_signer=server.signer(settings, data_dir / "token-keys.json"),
        demo=True,
        key_routes=key_routes(Keys(origin.settings.Settings(), data_dir)),
    )
    for part in parts:
        await part.start()
        stack.push_async_callback(part.stop)
    return database, settings


def post(url: str, body: Any, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def started(port: int) -> str:
    """A content token of a session that runs."""
    base = f"http://127.0.0.1:{port}/v1"
    password = Settings().demo_password.get_secret_value()
    signed_in = post(f"{base}/auth/token", USER | {"password": password}, {})
    bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
    asked = {"device": {"id": "bench"}, "content_id": "cnt_film"}
    return str(post(f"{base}/playback/start", asked, bearer)["token"])


def over_http(port: int, token: str, body: bytes, folder: Path) -> tuple[float, float]:
    """Licences a second, and the 99th percentile in ms."""
    script = folder / "post.lua"
    script.write_text(POST.format(body=body.decode(), header=HEADER, token=token))
    done = subprocess.run(
        [
            *harness.PINNED_LOAD, harness.tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{LOAD_S}s",
            "--latency", "-s", str(script), f"http://127.0.0.1:{port}/v1/licence/clearkey",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"licences were refused: {done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    assert rate is not None and late is not None, done.stdout
    return float(rate[1]), float(late[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[late[2]]


async def in_process(token: str, body: bytes, data_dir: Path) -> tuple[float, float]:
    """The work of one licence at a time: a second, and the 99th percentile in ms."""
    async with AsyncExitStack() as stack:
        settings = Settings()
        signer = server.signer(settings, data_dir / "token-keys.json")
        database = await stack.enter_async_context(
            Database(f"sqlite:///{data_dir / 'control.sqlite'}", timeout_ms=10_000)
        )
        playback = server.Playback(settings, database, None, signer, b"")  # type: ignore[arg-type]
        gate = Gate(database, playback, signer.keys, signer.issuer, Clockwork(90, 1, 1))
        keys = Keys(origin.settings.Settings(), data_dir)
        spent: list[float] = []
        ends = time.monotonic() + LOAD_S / 2
        while time.monotonic() < ends:
            request: Any = Asked()
            request.headers, request.query, request.remote = {HEADER: token}, {}, "127.0.0.1"
            begun = time.perf_counter()
            given = []
            for kid in clearkey.asked(body):
                key = keys.find(kid)
                assert key is not None
                paths = keys.paths(key)
                assert await gate.judge(request, lambda path, paths=paths: path in paths) == "ok"
                given.append(key)
            clearkey.licence(given)
            spent.append(time.perf_counter() - begun)
    spent.sort()
    return 1 / statistics.fmean(spent), 1e3 * spent[len(spent) * 99 // 100]


def rows() -> list[str]:
    port = harness.free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        body = body_of(folder)
        child = harness.start(
            [sys.executable, "-m", "bench.bench_licence", "serve", str(port), name], port
        )
        try:
            token = started(port)
            alone, alone_ms = asyncio.run(in_process(token, body, folder))
            whole, whole_ms = over_http(port, token, body, folder)
        finally:
            harness.stop(child)
    return [
        harness.line("licence", "in_process", alone, "licences/s", None, None),
        harness.line("licence", "in_process_p99", alone_ms, "ms", None, None),
        harness.line("licence", "http", whole, "licences/s", None, None),
        harness.line("licence", "http_p99", whole_ms, "ms", None, None),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(int(sys.argv[2]), Path(sys.argv[3])))
    else:
        harness.main(__doc__, rows)
