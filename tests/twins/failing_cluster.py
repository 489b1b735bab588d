"""Three primaries of Redis Cluster with a replica each, any of which can be killed or frozen."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from twins.ports import free_ports
from twins.process import START_S, folder, needs


class FailingCluster:
    """Its servers by their ports; what they hold is in memory only."""

    def __init__(self, homes: dict[int, Path]) -> None:
        self._homes = homes
        self._cli = needs("redis-cli")
        self._servers: dict[int, subprocess.Popen[bytes]] = {}
        self.url = f"redis://127.0.0.1:{min(homes)}"

    def start(self) -> None:
        for port in self._homes:
            self.serve(port)
            self._until(port, "ping", "PONG")
        servers = [f"127.0.0.1:{port}" for port in self._homes]
        shape = ["--cluster-replicas", "1", "--cluster-yes"]
        subprocess.run(
            [self._cli, "--cluster", "create", *servers, *shape],
            check=True,
            capture_output=True,
            timeout=START_S,
        )
        for port in self._homes:
            self._until(port, "cluster info", "cluster_state:ok")
            self._until(port, "cluster nodes", "(slave .*){3}")

    def serve(self, port: int) -> None:
        flags = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
        kept = ["--save", "", "--appendonly", "no", "--dir", str(self._homes[port])]
        self._servers[port] = subprocess.Popen(
            [needs("redis-server"), "--bind", "127.0.0.1", "--port", str(port), *flags, *kept],
            stdout=subprocess.DEVNULL,
        )

    def primary(self) -> int:
        """The port of one that serves now; the one that the URL names while it is one."""
        for port, server in sorted(self._servers.items()):
            if server.poll() is None and "role:master" in self._ask(port, "info replication"):
                return port
        raise AssertionError("no primary is left")

    def tell(self, port: int, number: signal.Signals) -> None:
        self._servers[port].send_signal(number)
        if number is signal.SIGKILL:
            self._servers[port].wait()

    def stop(self) -> None:
        for server in self._servers.values():
            server.send_signal(signal.SIGCONT)
            server.kill()
            server.wait()

    def _ask(self, port: int, words: str) -> str:
        command = [self._cli, "-p", str(port), *words.split()]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def _until(self, port: int, words: str, pattern: str) -> None:
        deadline = time.monotonic() + START_S
        while not re.search(pattern, self._ask(port, words), re.DOTALL):
            assert time.monotonic() < deadline, f"{words} of {port}"
            time.sleep(0.05)


@contextmanager
def failing_cluster() -> Iterator[FailingCluster]:
    with ExitStack() as stack:
        ports = free_ports(6, twin_at=10_000)
        made = FailingCluster({port: stack.enter_context(folder()) for port in ports})
        stack.callback(made.stop)
        made.start()
        yield made
