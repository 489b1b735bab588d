"""`headwater SERVICE --workers N` as a user starts it, and a way to ask one worker of it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twins.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def until(condition: Callable[[], Any], what: str, seconds: float = 90) -> Any:
    """Poll a condition; the deadline is only there to fail instead of hanging."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s for {what}")


class Crew:
    """An origin of several workers on free ports."""

    def __init__(self, data: Path, workers: int, **settings: Any) -> None:
        self.data = data
        self.delivery_port, self.ingest_port, self.admin_port = free_ports(3)
        said = {
            "delivery_port": self.delivery_port,
            "ingest_port": self.ingest_port,
            "admin_port": self.admin_port,
            **settings,
        }
        environ = {f"HEADWATER_ORIGIN__{k.upper()}": str(v) for k, v in said.items()}
        data.mkdir(exist_ok=True)
        self.log = (data / "crew.log").open("ab")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "headwater.cli", "origin"),
                *("--workers", str(workers), "--data", str(data)),
            ],
            cwd=data,
            env={"PYTHONPATH": f"{ROOT}:{ROOT}/token", "PATH": os.environ["PATH"], **environ},
            stdout=self.log,
            stderr=self.log,
        )

    def __enter__(self) -> "Crew":
        try:
            until(self.ready, "all workers", 80)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def ready(self) -> bool:
        assert self.process.poll() is None, (self.data / "crew.log").read_text()[-2000:]
        with contextlib.suppress(OSError):
            return exchange(self.admin_port, "GET", "/readyz").status == 200
        return False

    def workers(self) -> list[int]:
        """The process ids of the workers, oldest first; a single one needs no supervisor."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return sorted(int(pid) for pid in path.read_text().split()) or [self.process.pid]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def owner(self, channel: str) -> int:
        """The process that writes this channel; 0 while nobody does."""
        path = self.data / "origin" / "run" / f"{channel}.lock"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(path.read_text().partition("-")[0])
        return 0

    def connect(
        self, worker: int, port: int, *, timeout_s: float = 60
    ) -> http.client.HTTPConnection:
        """A connection that the kernel gave to this worker, which may be about to listen."""

        def reached() -> http.client.HTTPConnection | None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
            connection.connect()
            if accepted_by(connection.sock, port) == worker:
                return connection
            connection.close()
            return None

        return until(reached, f"a connection to worker {worker}", 60)

    def get(self, worker: int, path: str, method: str = "GET", **headers: str) -> Answered:
        return ask(self.connect(worker, self.delivery_port), method, path, None, headers)

    def push(self, worker: int, path: str, body: bytes, method: str = "PUT") -> Answered:
        return ask(self.connect(worker, self.ingest_port), method, path, body, {})


def accepted_by(client: socket.socket, port: int) -> int:
    """The process at the other end of a loopback connection; 0 when it is no longer there."""
    local = f"0100007F:{client.getsockname()[1]:04X}"
    remote = f"0100007F:{port:04X}"

    def inode() -> str:
        """Of the accepted socket; it has none while it is queued."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1] == remote and fields[2] == local:
                return "" if fields[9] == "0" else fields[9]
        return "gone"

    target = f"socket:[{until(inode, 'the connection to be accepted', 60)}]"
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) == target:
                        return int(process.name)
    return 0


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> Answered:
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            answered = {k.lower(): v for k, v in response.getheaders()}
            return Answered(response.status, answered, response.read())


def exchange(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    return ask(connection, method, path, body, headers)
