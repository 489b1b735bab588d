"""An origin process of a test, and plain HTTP to it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twins.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import json, sys
from pathlib import Path
from origin.server import parts
from origin.settings import Settings
from runtime import service
settings = Settings(**json.loads(sys.argv[2]))
admin = (settings.host, settings.admin_port)
sys.exit(service.run("origin", parts(settings, Path(sys.argv[1])), admin=admin))
"""


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Origin:
    """One origin process on free ports; `kill` is kill -9."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        self.delivery_port, self.ingest_port, self.admin_port = free_ports(3)
        self.settings = settings | {
            "delivery_port": self.delivery_port,
            "ingest_port": self.ingest_port,
            "admin_port": self.admin_port,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Origin":
        argv = [sys.executable, "-c", RUN, str(self.data), json.dumps(self.settings)]
        self.process = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.DEVNULL, env={"PYTHONPATH": f"{ROOT}:{ROOT}/token"}
        )
        for port in (self.delivery_port, self.ingest_port):
            until(lambda port=port: listening(port) or self.process.poll(), "the origin to listen")
        assert self.process.poll() is None, "the origin ended at start"
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=60)

    def get(self, path: str, method: str = "GET", **headers: str) -> Answered:
        return exchange(self.delivery_port, method, path, None, headers)

    def metric(self, name: str) -> float:
        """The value of one line of /metrics."""
        text = exchange(self.admin_port, "GET", "/metrics", None, {}).text
        return next(float(x.split()[-1]) for x in text.splitlines() if x.startswith(name))

    def push(self, path: str, body: bytes = b"", method: str = "PUT", **headers: str) -> Answered:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return exchange(self.ingest_port, method, path, body, named)


def exchange(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            answered = {k.lower(): v for k, v in response.getheaders()}
            return Answered(response.status, answered, response.read())


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Poll a condition; the deadline is only there to fail instead of hanging."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")
