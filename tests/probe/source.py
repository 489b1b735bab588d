"""An origin of its own process and a live source that costs nearly nothing: chunks made once."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from probe.world import PART_S, PARTS, Film
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


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Poll a condition; the deadline is only there to fail instead of hanging."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


class Origin:
    """One origin process on free ports."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.port, self.ingest, admin = free_ports(3)
        chosen = {"delivery_port": self.port, "ingest_port": self.ingest, "admin_port": admin}
        argv = [sys.executable, "-c", RUN, str(data), json.dumps(settings | chosen)]
        env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/token"}
        self.process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
        for port in (self.port, self.ingest):
            until(lambda port=port: self._listens(port), "the origin to listen")

    def _listens(self, port: int) -> bool:
        assert self.process.poll() is None, "the origin ended at start"
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(15)


class Source:
    """Pushes every track of a film to a channel of one or more origins, in real time."""

    def __init__(self, films: dict[str, Film], *ports: int, channel: str = "demo") -> None:
        self._stop = threading.Event()
        first = int(time.time()) + 1
        self._threads = [
            threading.Thread(target=self._push, args=(name, each, port, channel, first))
            for port in ports
            for name, each in films.items()
        ]
        for thread in self._threads:
            thread.start()

    def _push(self, name: str, each: Film, port: int, channel: str, first: int) -> None:
        kind = "v" if name.startswith("v") else "a"
        with socket.create_connection(("127.0.0.1", port)) as wire:
            head = f"PUT /ingest/{channel}/Streams({name}.cmf{kind}) HTTP/1.1\r\nHost: x\r\n"
            wire.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            _send(wire, each.header)
            number, index = first, 0
            while not self._stop.wait(max(number + (index + 1) * PART_S - time.time(), 0)):
                _send(wire, each.chunk(number, index))
                index += 1
                if index == PARTS:
                    number, index = number + 1, 0

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)


def _send(wire: socket.socket, data: bytes) -> None:
    wire.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")
